"""Where weight files are kept on this machine, and how one gets there: by hand, with its hash checked.

Nothing is downloaded behind anybody's back and nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class WeightFile:
    """One file of weights: its public `name`, `filename`, expected `sha256`, terms, and where it is published."""

    name: str
    filename: str
    sha256: str
    licence: str
    source: str


VIT_TINY = WeightFile(
    name="vit_tiny",
    filename="vit_tiny_in1k.safetensors",
    sha256="bc401d587e26329659254da98a0a5d2fc82868be54c4db09a6fa1f6b8e35b03c",
    licence="Apache-2.0 (Steiner et al.)",
    source="vit_tiny_patch16_224.augreg_in21k_ft_in1k of timm on the Hugging Face hub, without its classifier",
)
BESIDE = Path(__file__).resolve().parents[4] / "shared" / "weights" / "vit_tiny_in1k" / "model.safetensors"


def needed(weights: WeightFile = VIT_TINY, beside: Path = BESIDE) -> Path:
    """A file that a system rests on: in the store, else `beside` the repository.

    Raises FileNotFoundError without one, with the cure, and ValueError for one of another hash.
    """
    path = path_of(weights) or (beside if beside.is_file() else None)
    if path is None:
        raise FileNotFoundError(
            f"{weights.filename} is not here; get {weights.source}, then run: ifdl models fetch {weights.name} "
            "--from FILE"
        )
    if hashlib.sha256(path.read_bytes()).hexdigest() != weights.sha256:
        raise ValueError(f"{path} is not the {weights.name} that this system learned on; fetch it anew")
    return path


def store() -> Path:
    """The folder of this user's weight files: $IFDL_HOME/weights, else the platform's data folder."""
    home = os.environ.get("IFDL_HOME")
    if home:
        return Path(home) / "weights"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share"))
    return base / "ifdl" / "weights"


def path_of(weights: WeightFile) -> Path | None:
    """The stored file, or None if it is not on this machine, or where this user may not look."""
    try:
        path = store() / weights.filename
        return path if path.is_file() else None
    except (OSError, RuntimeError):  # a home without rights, and a user without a home
        return None


def install(weights: WeightFile, file: Path) -> tuple[Path, bool]:
    """Copy a file into the store. Returns (where it lies, whether its hash is the expected one).

    Raises FileNotFoundError for a file that is not there. A file with another hash is stored as well,
    because publishers re-export; the caller says so.
    """
    data = file.read_bytes()
    place = store() / weights.filename
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(place.name + ".part")
    temporary.write_bytes(data)
    temporary.replace(place)
    return place, hashlib.sha256(data).hexdigest() == weights.sha256
