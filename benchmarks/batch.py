"""Measure `ifdl batch` on mixed pictures, and write the numbers of docs/scale.md.

    python benchmarks/batch.py run --out results/batch.json      # both cores, about an hour
    python benchmarks/batch.py docs                              # docs/scale.md from results/batch.json

The pictures are drawn (seeded) from ../shared/data, with a few mosaics of 2 and 12 megapixels among them. One worker
and two examine the same pictures; Ray and this machine's processes the same smaller part of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import batch_tables  # noqa: E402
from benchmarks.speed import picture as mosaic  # noqa: E402
from ifdl.data._record import SUFFIXES  # noqa: E402
from ifdl.serve.batching.store import Store  # noqa: E402
from ifdl.serve.batching.table import STAGES  # noqa: E402

DATA = ROOT.parent / "shared" / "data"
SHARES = {"camera": 0.27, "camera_whole": 0.14, "casia1_dev": 0.3, "lalonde_dev": 0.2, "hostile": 0.05, "c2pa": 0.01}
SIZES = ((0.15, "to 0.15 MP"), (0.5, "0.15 to 0.5 MP"), (1.0, "0.5 to 1 MP"), (4.0, "2 MP"), (1e9, "12 MP"))
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def mixed(folder: Path, count: int, seed: int = 8) -> dict[str, str]:
    """Copy `count` pictures into a folder; the label of each by its name ("" where there is none)."""
    rng, labels = random.Random(seed), {}
    folder.mkdir()
    for name, share in SHARES.items():
        rows = [json.loads(line) for line in (DATA / name / "manifest.jsonl").read_text().splitlines()]
        files = {DATA / name / r["image"] if "image" in r else DATA / r["file"]: r.get("label", "") for r in rows}
        known = [path for path in files if path.suffix.lower() in SUFFIXES]
        for path in rng.sample(known, min(len(known), round(share * count))):
            copy = folder / f"{name}-{len(labels):05d}{path.suffix}"
            shutil.copy(path, copy)
            labels[copy.name] = files[path]
    large = max(1, count // 200)
    for megapixels, number in ((12.0, large), (2.0, count - len(labels) - large)):
        for n in range(number):
            path = folder / f"mosaic-{megapixels:g}-{n:05d}.jpg"
            path.write_bytes(mosaic(megapixels * (1 - 0.002 * n)))  # another size, another arrangement
            labels[path.name] = ""
    return labels


def batch(source: Path, out: Path, *options: object) -> dict[str, Any]:
    """Run `ifdl batch` with one thread a process: its summary, wall time, and the peak memory of all its processes."""
    command = [sys.executable, "-m", "ifdl.serve.cli", "batch", str(source), "--out", str(out), "--json", "--again"]
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, *map(str, options)], stdout=subprocess.PIPE, text=True, env=os.environ | ONE_THREAD
    )
    peak = Peak(process.pid)
    stdout, _ = process.communicate()
    wall = time.perf_counter() - began
    if process.returncode not in (0, 2):
        raise SystemExit(f"{' '.join(process.args)} failed")
    told = {"options": " ".join(map(str, options)), "seconds": round(wall, 2), "peak_mb": peak.stop()}
    return told | json.loads(stdout)


class Peak:
    """The greatest memory of a process and all below it, shared pages counted once, sampled twice a second (Linux)."""

    def __init__(self, pid: int) -> None:
        self._pid, self._most, self._over = pid, 0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> int:
        """The peak in MB."""
        self._over.set()
        self._thread.join()
        return round(self._most / 1024)

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            self._most = max(self._most, sum(map(_kilobytes, _below(self._pid))))


def _below(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            yield from _below(int(child))


def _kilobytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def stages(out: Path, labels: dict[str, str]) -> dict[str, Any]:
    """Seconds of every stage by size of picture, and what each policy would have spared and missed."""
    import pyarrow.parquet as pq

    rows = pq.read_table(out).to_pylist()
    examined = [r for r in rows if r["status"] == "examined"]
    sizes, low = [], 0.0
    for high, words in SIZES:
        group = [r for r in examined if low < r["width"] * r["height"] / 1e6 <= high]
        low = high
        if group:
            megapixels = sum(r["width"] * r["height"] for r in group) / len(group) / 1e6
            spent = {s: [r["seconds"][s] for r in group if r["seconds"][s] is not None] for s in STAGES}
            sizes.append(
                {
                    "size": words,
                    "pictures": len(group),
                    "megapixels": round(megapixels, 3),
                    "megabytes": round(sum(r["bytes"] for r in group) / len(group) / 1e6, 3),
                    "seconds": {s: round(sum(v) / len(v), 5) for s, v in spent.items() if v},
                }
            )
    return {"sizes": sizes, "policies": batch_tables.policies(examined, labels)}


def store(rows: int, folder: Path) -> dict[str, Any]:
    """How fast the driver takes rows and makes the table of them."""
    example = {"status": "examined", "stage": "expert", "bytes": 1, "format": "JPEG", "width": 9, "height": 9}
    example |= {"coverage": [{"test": f"test{n}", "state": "NO_TRACE_FOUND"} for n in range(17)], "expert": "ran"}
    out = folder / "store.parquet"
    began = time.perf_counter()
    with Store(out, "p") as held:
        for n in range(rows):
            held.add({"sha256": f"{n:064x}", "uri": f"s3://bucket/shard-{n // 1000:06d}.tar::{n:09d}.jpg", **example})
        added = time.perf_counter() - began
        held.finish()
    finished = time.perf_counter() - began - added
    return {
        "rows": rows,
        "add_seconds": round(added, 2),
        "finish_seconds": round(finished, 2),
        "bytes_a_row": round(out.stat().st_size / rows),
    }


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=options.scratch) as name:
        work = Path(name)
        labels = mixed(work / "all", options.pictures)
        some = work / "some"
        some.mkdir()
        for path in random.Random(9).sample(sorted((work / "all").iterdir()), min(options.ray, len(labels))):
            (some / path.name).hardlink_to(path)
        one = work / "one"
        one.mkdir()
        smallest = min(some.glob("casia1*"), key=lambda p: p.stat().st_size)
        (one / smallest.name).hardlink_to(smallest)
        print(f"{len(labels)} pictures; one worker", file=sys.stderr)
        runs = {"one worker": batch(work / "all", work / "1.parquet", "--workers", 1)}
        measured = stages(work / "1.parquet", labels)
        print("two workers", file=sys.stderr)
        runs["two workers"] = batch(work / "all", work / "2.parquet", "--workers", 2)
        print("ray and local on a part", file=sys.stderr)
        ray = ("--engine", "ray")
        for words, folder in (("part", some), ("one picture", one)):
            runs[f"local, {words}"] = batch(folder, work / "3.parquet", "--workers", 2)
            runs[f"ray, {words}"] = batch(folder, work / "4.parquet", *ray, "--workers", 1, "--experts", 1)
        kept = store(options.rows, work)
    return {
        "command": " ".join(["python", "benchmarks/batch.py", *sys.argv[1:]]),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "load_before": options.load,
        "pictures": len(labels),
        "part": min(options.ray, len(labels)),
        "runs": runs,
        **measured,
        "store": kept,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("--pictures", type=int, default=1000)
    run.add_argument("--ray", type=int, default=150, help="pictures in the part that Ray examines")
    run.add_argument("--rows", type=int, default=100_000, help="rows in the test of the store")
    run.add_argument("--scratch", type=Path, help="where the pictures are linked and the tables written")
    run.add_argument("--out", type=Path, default=ROOT / "results" / "batch.json")
    docs = commands.add_parser("docs")
    docs.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.command == "run":
        options.load = round(os.getloadavg()[0], 1)
        options.out.write_text(json.dumps(measure(options), indent=1) + "\n", encoding="utf-8")
        return
    now = batch_tables.PAGE.read_text(encoding="utf-8")
    new = batch_tables.updated(now)
    if options.check:
        sys.exit(0 if new == now else "docs/scale.md does not match results/batch.json; run benchmarks/batch.py docs")
    batch_tables.PAGE.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
