"""Sets that are asked for and have no reader, because no public source shows how their files are laid out."""

from __future__ import annotations

# Name → what was searched and not found. A layout is never guessed: a source turns an entry into a reader.
UNKNOWN: dict[str, str] = {
    "miml": (
        "qcf-568/MIML (both READMEs, get_pks.py, its file list), string and issue search: only a loader's generic "
        "imgs/ with a .png mask of the same stem is known, and no file name of the set"
    ),
    "diffseg30k": (
        "Chaos2629/Diffseg30k: a download script shows the pattern train_copy/[0-9]{8}.image.png with .mask.png inside "
        "train.zip, no verbatim name, and masks that may hold class ids; a mirror has columns only"
    ),
    "manipbench": "code, documentation and string search (also for ManipShield): no repository, page or file name",
}
