"""What a large index costs and what its faster search misses: `python benchmarks/trace.py scale WORK`.

500 real pictures with all their features, among them the originals of the pictures asked about, and synthesised ones
of `EACH` features, each a blend of two real ones. One thread; seconds are the processor's, so that a busy machine
measures the same.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ifdl.trace import candidates, features, near
from ifdl.trace.features import Features
from ifdl.trace.index import Entry, Index
from ifdl.types import Picture

SEED = 7
SIZES = (500, 5_000, 50_000)
REAL, EACH = 500, 40  # real pictures, and features of a synthesised one
PICTURES, ASKED, CHECKED = 5, 300, 100  # asked about; features of each; of them, compared with the exact nearest
FIRST = 10  # neighbours and candidates compared
BLEND = 0.3  # share of the second feature
TIMED = 30  # pictures read to time the making of an index
Asked = list[tuple[Picture, str, str]]  # picture, sources of its host and donor


def scale(work: Path, source_of: dict[str, str], asked: Asked, out: Path, sizes: tuple[int, ...] = SIZES) -> None:
    """Measure every size and write what was found to `out` after each."""
    import faiss

    faiss.omp_set_num_threads(1)
    found: dict[str, Any] = {"threads": 1, "cells": [], "features_of_a_synthesised_picture": EACH}
    with Index(work / "index") as real:
        found["gallery"] = size_of(real)
        wanted = {source for _, *sources in asked for source in sources}
        first = sorted(real.entries, key=lambda e: source_of[e.path] not in wanted)
        found["indexing"] = indexing([Path(e.path) for e in real.entries[:: len(real) // TIMED][:TIMED]])
        ours = [features.extract(picture.pixels, features.ASKED) for picture, *_ in asked[:PICTURES]]
        ours = [own.only(np.linspace(0, len(own) - 1, min(ASKED, len(own))).astype(int)) for own in ours]
        for size in sizes:
            place = Path(tempfile.mkdtemp(dir=work)) / "index"
            try:
                with Index(place, write=True) as held:
                    filled(held, real, first[:REAL], size)
                    found["cells"].append(one_size(held, ours, asked, source_of))
            finally:
                shutil.rmtree(place.parent)
            out.write_text(json.dumps(found, indent=1) + "\n")
            print(json.dumps(found["cells"][-1]), flush=True)


def timed(action: Callable[[], Any]) -> tuple[Any, float]:
    """(result, processor seconds), this process alone."""
    began = time.process_time()
    result = action()
    return result, time.process_time() - began


def size_of(index: Index) -> dict[str, Any]:
    """Bytes of an index by part."""
    parts = {
        "features": sum(f.stat().st_size for f in index.place.glob("features-*.bin")),
        "cells": sum(f.stat().st_size for f in index.place.glob("cells-*.faiss")),
        "facts": sum(f.stat().st_size for f in index.place.glob("facts.sqlite")),
    }
    told: dict[str, Any] = {"pictures": len(index), "features": sum(e.count for e in index.entries), "bytes": parts}
    return told | {"bytes_per_picture": round(sum(parts.values()) / max(1, len(index)))}


def indexing(files: list[Path]) -> dict[str, Any]:
    """Processor seconds of reading pictures into an index, the decoding process included."""
    place = Path(tempfile.mkdtemp())
    began = os.times()
    try:
        with Index(place / "index", write=True) as made:
            counts = made.update(files, workers=1)
    finally:
        shutil.rmtree(place)
    ended = os.times()
    spent = sum(ended[:4]) - sum(began[:4])
    return {"pictures": counts.added, "cpu_seconds": round(spent, 2), "a_picture": round(spent / counts.added, 3)}


def filled(index: Index, real: Index, entries: list[Entry], size: int) -> None:
    """The real pictures and as many synthesised ones as are missing."""
    rng = np.random.default_rng((SEED, size))
    index._append([(e, real.features(e)) for e in entries[:size]])
    known = real.rows["word"]
    for start in range(len(entries[:size]), size, 500):
        count = min(500, size - start)
        one, two = (known[np.sort(rng.integers(0, len(known), count * EACH))].astype(np.float32) for _ in range(2))
        # Roots of shares: their squares are what may be blended.
        words = np.sqrt((1 - BLEND) * one**2 + BLEND * rng.permutation(two) ** 2)
        words = rng.permutation(np.minimum(np.rint(words), 255).astype(np.uint8)).reshape(count, EACH, -1)
        ones = np.ones(EACH, np.float32)
        made = []
        for n, own in enumerate(words):
            entry = Entry(f"/made/{start + n}", 1, 1, "0" * 64, "0" * 16, "0" * 16, bytes(192), 1024, 768, "jpeg")
            made.append((entry, Features(rng.uniform(0, 768, (EACH, 2)).astype(np.float32), ones, ones, own)))
        index._append(made)
    index._read()


def one_size(index: Index, ours: list[Features], asked: Asked, source_of: dict[str, str]) -> dict[str, Any]:
    """Sizes, seconds and recall of one index."""
    made, seconds = timed(lambda: near.refresh(index))
    index._cells = None
    told = size_of(index) | {"has_cells": made, "cells_cpu_seconds": round(seconds, 1)}
    sources = np.array([source_of.get(e.path, "made") for e in index.entries])
    exact_s, quick_s, same, overlap, neighbours, ranks = [], [], [], [], [], []
    for own, (_, host, donor) in zip(ours, asked, strict=False):
        exact, spent = timed(lambda own=own: candidates.scores(own, index, exact=True))
        exact_s.append(spent / len(own))
        if not made:
            continue
        quick, spent = timed(lambda own=own: candidates.scores(own, index))
        quick_s.append(spent / len(own))
        best, found = (set(np.argsort(-s, kind="stable")[:FIRST].tolist()) for s in (exact, quick))
        same.append(bool(exact.argmax() == quick.argmax()))
        overlap.append(len(best & found) / FIRST)
        others = ~np.isin(sources, (host, donor))
        ranks.append([int((s[others] >= s[sources == host].max()).sum()) for s in (exact, quick)])
        neighbours.append(recall(own.units()[:CHECKED], index))
    told["exact_cpu_seconds_per_1000_features"] = round(1000 * float(np.median(exact_s)), 3)
    if made:
        told |= {
            "cells_cpu_seconds_per_1000_features": round(1000 * float(np.median(quick_s)), 3),
            "pictures_asked": len(same),
            "neighbour_recall_at_10": round(float(np.mean(neighbours)), 4),
            "same_first_candidate": float(np.mean(same)),
            "first_10_candidates_in_common": round(float(np.mean(overlap)), 4),
            "host_ranks_exact_and_cells": ranks,
        }
    return told


def recall(words: np.ndarray, index: Index) -> float:
    """Share of the exact ten nearest that the cells find too; equally near ones count as found."""
    cells = index.cells
    assert cells is not None
    _, near_by = cells.nearest(words, index, FIRST)
    best = np.full((len(words), FIRST), -1, np.float32)
    for start in range(0, len(index.rows), near.AT_ONCE):
        product = words @ features.unit(index.rows["word"][start : start + near.AT_ONCE]).T
        best = -np.sort(-np.hstack([best, product]), axis=1)[:, :FIRST]
    return float((near_by >= best[:, -1:] - 1e-5).sum() / best.size)
