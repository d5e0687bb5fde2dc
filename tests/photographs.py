"""Photographs for tests and benchmarks: the shared camera set where it is at hand, else scikit-image's own.

Counted and split by source (one photograph), never by crop: `int(source, 16) % 10` gives 0-5 for
training, 6-7 for thresholds and calibration, 8-9 for testing only.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared"
CAMERA = SHARED / "data" / "camera"


@dataclass(frozen=True)
class Photograph:
    """One authentic picture file and the photograph it comes from."""

    source: str
    name: str
    data: bytes

    @property
    def fold(self) -> int:
        return int(self.source, 16) % 10


def camera(folds: range = range(10), one_per_source: bool = False) -> list[Photograph]:
    """Camera crops of the given folds (empty if ../shared is absent); optionally one crop a photograph."""
    if not (CAMERA / "manifest.jsonl").exists():
        return []
    rows = [json.loads(line) for line in (CAMERA / "manifest.jsonl").read_text().splitlines()]
    found, seen = [], set()
    for row in rows:
        if int(row["source"], 16) % 10 not in folds or (one_per_source and row["source"] in seen):
            continue
        seen.add(row["source"])
        found.append(Photograph(row["source"], row["image"], (CAMERA / row["image"]).read_bytes()))
    return found


def bundled() -> list[Photograph]:
    """JPEG copies (quality 92) of the public-domain and CC0 photographs inside scikit-image's wheel."""
    from PIL import Image
    from skimage import data

    found = []
    for number, name in enumerate(("astronaut", "chelsea", "coffee", "rocket")):
        buffer = io.BytesIO()
        Image.fromarray(getattr(data, name)()).save(buffer, "JPEG", quality=92, subsampling=0)
        found.append(Photograph(f"{number:x}", f"{name}.jpg", buffer.getvalue()))
    return found
