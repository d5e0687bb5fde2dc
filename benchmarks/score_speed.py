"""Print how long it takes to tally and score maps of one megapixel, on one core.

    python benchmarks/score_speed.py [--maps 1000] [--out results/score_speed.json]

Each map is tallied and scored at a fixed threshold and at its best one: F1, IoU, precision, recall, MCC,
accuracy, AUC and average precision. Three maps take turns: noise over all 65,536 levels, a smooth map, and
a coarse one of 16-pixel cells. Making and reading them is not timed. The goal is 1,000 maps in 30 seconds
on two cores, 60 ms a map on each.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"  # before numpy starts its threads

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from scipy import ndimage  # noqa: E402

from ifdl.evaluate.pixel import PixelRule, per_picture  # noqa: E402
from ifdl.evaluate.tally import Tally  # noqa: E402

SIDE = 1000
RULES = (PixelRule("fixed", 0.5), PixelRule("best_per_picture", None))


def maps(seed: int = 0) -> list[tuple[str, NDArray[np.uint16], NDArray[np.bool_]]]:
    """Three kinds of map with one truth that covers about a fifth of the picture."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 40)
    truth = smooth > np.quantile(smooth, 0.8)
    noise = rng.integers(0, 65536, (SIDE, SIDE))
    cells = np.kron(rng.integers(0, 65536, (63, 63)), np.ones((16, 16), np.int64))[:SIDE, :SIDE]
    soft = np.interp(smooth + 0.005 * rng.normal(size=smooth.shape), (smooth.min(), smooth.max()), (0, 65535))
    return [(name, values.astype(np.uint16), truth) for name, values in
            (("noise", noise), ("smooth", soft), ("cells", cells))]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", type=int, default=1000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    made = maps()
    seconds = {name: 0.0 for name, _, _ in made}
    times = dict.fromkeys(seconds, 0)
    for n in range(options.maps):
        name, levels, truth = made[n % len(made)]
        began = time.perf_counter()
        tally = Tally.of(levels, truth)
        for rule in RULES:
            per_picture(tally, rule)
        seconds[name] += time.perf_counter() - began
        times[name] += 1
    result = {
        "command": f"python benchmarks/score_speed.py --maps {options.maps}",
        "machine": f"{platform.machine()}, 1 of {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"numpy {np.__version__}",
        "maps": options.maps,
        "pixels": SIDE * SIDE,
        "seconds": round(sum(seconds.values()), 2),
        "milliseconds_per_map": {name: round(1000 * seconds[name] / max(1, times[name]), 2) for name in seconds},
        "seconds_goal_one_core": round(0.06 * options.maps, 2),
    }
    text = json.dumps(result, indent=1) + "\n"
    print(text, end="")
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
