"""An expert from a folder of files, on this machine or of the Hugging Face hub: `Expert.from_pretrained`.

The folder is what `ifdl train export RUN OUT` writes: weights (safetensors), a graph (ONNX) where there is one, and a
JSON file, `config.json` or the expert's name, with

    {"expert": "ifdl_small", "files": {"ifdl_small.onnx": {"sha256": "…"}, "ifdl_small.safetensors": {"sha256": "…"}}}

and, if they were chosen anew, "threshold" (of the map) and "gate" (of the score). No code of a folder is run and
nothing in it is unpickled; every file is held to its hash.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ifdl.experts._base import Expert

HUB = re.compile(r"[\w.-]+/[\w.-]+")
COMMIT = re.compile(r"[0-9a-f]{40}")
PATTERNS = ("*.json", "*.onnx", "*.safetensors")
LARGEST_CONFIG = 16 * 1024 * 1024


def load(place: str | Path, revision: str | None = None) -> Expert:
    """The expert of a local folder, or of a repository "owner/name" of the hub at a pinned commit.

    A graph is preferred to weights alone, which need the train extra. Raises FileNotFoundError for a folder that is
    not there or not whole, ValueError for one that is none of an expert or whose files are not those it lists.
    """
    folder = _folder(place, revision)
    config, source = _config(folder)
    name, files = config.get("expert"), config.get("files")
    from ifdl import experts

    if not isinstance(name, str) or name not in experts.names():
        raise ValueError(f"{source} names no expert at hand; there are: {', '.join(experts.names())}")
    if not isinstance(files, dict) or not files:
        raise ValueError(f'{source} lists no "files" with their hashes; export the expert anew with: ifdl train export')
    paths = [_held(folder, file, about) for file, about in files.items()]
    chosen = next((p for suffix in (".onnx", ".safetensors") for p in paths if p.suffix == suffix), None)
    if chosen is None:
        raise ValueError(f"{source} lists no weights; they are files that end in .onnx or .safetensors")
    expert = experts.module(name).build(chosen)
    for key, attribute in (("threshold", "THRESHOLD"), ("gate", "GATE")):
        if key in config:
            setattr(expert, attribute, _share(config[key], key, source))
    return expert


def _folder(place: str | Path, revision: str | None) -> Path:
    folder = Path(place).expanduser()
    if folder.is_dir():
        return folder
    if not isinstance(place, str) or not HUB.fullmatch(place):
        raise FileNotFoundError(f"there is no folder at {place}; name one that `ifdl train export` wrote")
    if revision is None or not COMMIT.fullmatch(revision):
        raise ValueError(
            f"{place} is no folder here; to take it from the hub, pin its commit: revision='<40 hexadecimal digits>'"
        )
    return _snapshot(place, revision)


def _snapshot(repository: str, revision: str) -> Path:
    """The files of one commit, from this machine's cache where they lie there: a commit never changes."""
    try:
        import huggingface_hub as hub
        from huggingface_hub.errors import LocalEntryNotFoundError
    except ImportError as error:
        raise ImportError("the hub needs an extra: pip install 'ifdl[hub]'") from error
    wanted: Any = {"revision": revision, "allow_patterns": list(PATTERNS)}
    try:
        folder = Path(hub.snapshot_download(repository, local_files_only=True, **wanted))
        config, _ = _config(folder)
        if all((folder / str(name)).is_file() for name in config.get("files", {})):
            return folder
    except (LocalEntryNotFoundError, FileNotFoundError):
        pass
    return Path(hub.snapshot_download(repository, **wanted))


def _config(folder: Path) -> tuple[dict[str, Any], Path]:
    for path in (folder / "config.json", *sorted(folder.glob("*.json"))):
        if not path.is_file():
            continue
        if path.stat().st_size > LARGEST_CONFIG:
            raise ValueError(f"{path} is too large to be a configuration")
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is no JSON: {error}") from error
        if isinstance(found, dict) and "expert" in found:
            return found, path
    raise FileNotFoundError(f"{folder} holds no JSON file that names an expert; export one with: ifdl train export")


def _held(folder: Path, name: Any, about: Any) -> Path:
    """The path of a listed file, once its hash is known to be right."""
    if not isinstance(name, str) or Path(name).name != name:
        raise ValueError(f"{folder} lists a file outside itself: {name!r}")
    path = folder / name
    if not path.is_file():
        raise FileNotFoundError(f"{path} is listed and not there; copy the folder whole")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    expected = about.get("sha256") if isinstance(about, Mapping) else None
    if digest != expected:
        raise ValueError(f"{path} is not the file that its folder lists (sha256 {digest}); get it anew")
    return path


def _share(value: Any, key: str, source: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{source}: {key} is {value!r}; it is a number from 0 to 1")
    return float(value)
