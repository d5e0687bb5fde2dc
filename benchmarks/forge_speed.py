"""Measure how fast the forge makes finished pictures, laundering included.

    python benchmarks/forge_speed.py [--out results/forge_speed.json]

A pair is two finished pictures: the edited one and its untouched sibling.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from dataclasses import replace
from pathlib import Path

from ifdl import forge
from ifdl.forge import material, produce, recipe

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    photographs = material.find(SHARED / "camera") + material.find(SHARED / "camera_whole")
    rows = {}
    for size, count in ((256, 600), (512, 200)):
        chosen = replace(recipe.load(), size=(size, size))
        # A first stretch starts the workers and fills their caches.
        made = produce.pairs(photographs, chosen, 1, range(count + 100), options.workers)
        for _ in range(100):
            next(made)
        began = time.perf_counter()
        for _ in made:
            pass
        rows[str(size)] = round(2 * count / (time.perf_counter() - began), 1)
        print(f"{size}×{size}: {rows[str(size)]} finished pictures a second")
    about = {
        "command": "python benchmarks/forge_speed.py",
        "what": "finished pictures a second (edited and untouched), camera, engines and laundering included",
        "workers": options.workers,
        "engines": list(forge.names()),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
    }
    if options.out:
        options.out.write_text(json.dumps(about | {"pictures_a_second": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
