"""Where a vision-language model's files lie on this machine, how large they are, and what memory is free."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# One model of each family at a commit; others are named with theirs. The hub is not reachable from where this was
# written: the last four are the commits that several public projects pin, and a wrong one fails, for nothing is there.
DEFAULT = "llava-hf/llava-1.5-13b-hf"
REVISIONS = {
    DEFAULT: "9f368a6b6fddb38cc12e8cce0cda2cbf529b010c",
    "llava-hf/llava-onevision-qwen2-7b-ov-hf": "0d50680527681998e456c7b78950205bedd8a068",
    "Qwen/Qwen2.5-VL-7B-Instruct": "cc594898137f460bfe9f0759e9844b3ce807cfb5",
    "Qwen/Qwen3-VL-8B-Instruct": "0c351dd01ed87e9c1b53cbc748cba10e6187ff3b",
    "HuggingFaceTB/SmolVLM2-2.2B-Instruct": "482adb537c021c86670beed01cd58990d01e72e4",
}
OVERHEAD = 1.2  # of the weights, for what is computed meanwhile


@dataclass(frozen=True)
class Files:
    """A model's `folder`, the `bytes` of its weights, and what its preprocessor_config.json says."""

    folder: Path
    bytes: int
    processor: dict[str, Any]


def pinned(name: str) -> tuple[str, str | None]:
    """("owner/name", commit) of "owner/name@commit" or of a name whose commit is pinned; (path, None) of a folder.

    Raises ValueError for a hub name without a commit: another day it would be another model.
    """
    if name and Path(name).expanduser().is_dir():
        return str(Path(name).expanduser()), None
    model, _, commit = name.partition("@")
    model = model or DEFAULT
    commit = commit or REVISIONS.get(model, "")
    if not commit:
        known = ", ".join(REVISIONS)
        raise ValueError(
            f"{model} is neither a folder here nor pinned; name its commit too, as {model}@COMMIT (pinned: {known})"
        )
    return model, commit


def find(name: str, revision: str | None) -> Files:
    """The files of a folder, or of a commit in the hub's cache. Raises ValueError with the cure if they are missing."""
    folder = Path(name) if revision is None else _cached(name, revision)
    weights = sorted(folder.glob("*.safetensors"))
    if not (folder / "config.json").is_file() or not weights:
        raise ValueError(f"{folder} holds no model: config.json and *.safetensors are needed")
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        if missing := sorted(named - {w.name for w in weights}):
            raise ValueError(f"{folder} lacks {', '.join(missing[:3])}; {_cure(name, revision)}")
    told = folder / "preprocessor_config.json"
    processor = json.loads(told.read_text(encoding="utf-8")) if told.is_file() else {}
    return Files(folder, sum(w.stat().st_size for w in weights), processor)


def free_memory() -> int:
    """Bytes that this machine's system says are available."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 2**63 - 1  # not told here: nothing is refused for it


def fits(name: str, weights: int, free: int, where: str) -> str:
    """The sentence to say before loading. Raises ValueError where the memory does not suffice."""
    need = weights * OVERHEAD
    said = f"{name} needs about {need / 1e9:.1f} GB of memory on {where}"
    if need > free:
        raise ValueError(
            f"{said}, and {free / 1e9:.1f} GB are free; use a smaller model, or a server (--with http://…)"
        )
    return f"{said}; {free / 1e9:.1f} GB are free"


def _cached(name: str, revision: str) -> Path:
    import huggingface_hub

    try:
        return Path(huggingface_hub.snapshot_download(name, revision=revision, local_files_only=True))
    except (huggingface_hub.errors.LocalEntryNotFoundError, huggingface_hub.errors.HFValidationError) as error:
        raise ValueError(f"{name} is not on this machine; {_cure(name, revision)}") from error


def _cure(name: str, revision: str | None) -> str:
    return f"hf download {name} --revision {revision}" if revision else "copy the missing files there"
