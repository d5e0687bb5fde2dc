"""Print how long each test and the whole examination take, and the peak memory, at several sizes.

    python benchmarks/speed.py [--megapixels 1 2 12] [--out results/speed.json]

The picture is a mosaic of camera crops (of scikit-image's photographs where ../shared is absent).
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import platform
import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.photographs import bundled, camera  # noqa: E402

from ifdl import spine  # noqa: E402
from ifdl.verdict import battery  # noqa: E402


def picture(megapixels: float) -> bytes:
    """A JPEG (quality 92) of about that many megapixels, 4:3: a mosaic of different photographs."""
    height = int((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = height * 4 // 3
    photographs = camera(one_per_source=True) or bundled()
    mosaic = Image.new("RGB", (width, height))
    side = 768
    for n, place in enumerate((x, y) for y in range(0, height, side) for x in range(0, width, side)):
        tile = Image.open(io.BytesIO(photographs[n % len(photographs)].data)).convert("RGB")
        mosaic.paste(tile.resize((side, side)) if min(tile.size) < side else tile.crop((0, 0, side, side)), place)
    buffer = io.BytesIO()
    mosaic.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def measured(megapixels: float) -> dict[str, Any]:
    """Seconds of each step and peak memory, as in a program that was just started and has imported everything."""
    for test in battery.names():
        battery.card(test)
    seconds = spine.examine(picture(megapixels)).run.seconds
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    row = {"megapixels": megapixels, "seconds": {k: round(v, 3) for k, v in seconds.items()}, "peak_mb": round(peak)}
    row["seconds"]["total"] = round(sum(v for k, v in seconds.items() if k != "total"), 3)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 2, 12])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = []
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        for row in pool.map(measured, options.megapixels):
            rows.append(row)
            print(json.dumps(row), flush=True)
    if options.out:
        about = {
            "command": "python benchmarks/speed.py",
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        }
        options.out.write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
