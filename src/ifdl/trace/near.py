"""The nearest features of a large index without looking at all of them: cells of like features, eight bits a number.

Every feature lies in the cell of its nearest centre; a search looks into the few cells nearest to what is asked and
checks what it finds by its true distance. Features added since the cells were made are searched one by one.

The cells are a file beside the index that can be lost: without it the search is exact and slower. Source: Jégou, Douze,
Schmid, "Product quantization for nearest neighbor search", TPAMI 2011 (inverted file); library: faiss.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ifdl.trace.features import unit

if TYPE_CHECKING:
    from ifdl.trace.index import Index

FROM = 100_000  # features from which cells are made at all
PROBED = 32  # cells looked into
GROWN = 4.0  # times as many features as the cells were made for: they are made anew
SAMPLE = 40  # features for each centre that the centres are found with
AT_ONCE = 20_000


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of the first `count` features of an index."""

    cells: Any
    count: int

    def nearest(
        self, words: NDArray[np.float32], index: Index, most: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """(feature numbers Q×most, cosines Q×most), nearest first, for unit words Q×width; -1 where there are fewer."""
        _, found = self.cells.search(words, most)
        near = np.full(found.shape, -1, np.float32)
        rows = index.rows["word"]
        for n, numbers in enumerate(found):
            own = numbers >= 0
            if own.any():
                near[n, own] = unit(rows[numbers[own]], index.extractor.middle) @ words[n]
        for start in range(self.count, len(rows), AT_ONCE):
            part = unit(rows[start : start + AT_ONCE], index.extractor.middle)
            numbers = np.broadcast_to(np.arange(start, start + len(part)), (len(words), len(part)))
            found, near = np.hstack([found, numbers]), np.hstack([near, words @ part.T])
            best = np.argpartition(-near, most - 1, axis=1)[:, :most]
            found, near = np.take_along_axis(found, best, 1), np.take_along_axis(near, best, 1)
        order = np.argsort(-near, axis=1, kind="stable")
        return np.take_along_axis(found, order, 1), np.take_along_axis(near, order, 1)


def opened(index: Index) -> Cells | None:
    """The cells of an index; None where there are none, or none that are its own."""
    faiss = _library()
    file = _file(index)
    if faiss is None or not file.is_file():
        return None
    try:
        cells = faiss.read_index(str(file))
    except RuntimeError:
        return None
    if cells.d != index.extractor.width or cells.ntotal > len(index.rows):
        return None
    faiss.extract_index_ivf(cells).nprobe = PROBED
    return Cells(cells, cells.ntotal)


def refresh(index: Index) -> bool:
    """Make the cells of an index, or bring them up to date; False where it is small, or faiss is not installed."""
    faiss = _library()
    if faiss is None or len(index.rows) < FROM:
        return False
    old = opened(index)
    file = _file(index)
    for other in index.place.glob("cells-*"):
        if other != file:
            other.unlink()
    if old is None or len(index.rows) > GROWN * old.cells.nlist**2 / 4:
        cells, done = _made(faiss, index), 0
    else:
        cells, done = old.cells, old.count
    if done == len(index.rows):
        return True
    for start in range(done, len(index.rows), AT_ONCE):
        cells.add(unit(index.rows["word"][start : start + AT_ONCE], index.extractor.middle))
    part = file.with_suffix(".part")
    faiss.write_index(cells, str(part))
    part.replace(file)
    return True


def _made(faiss: Any, index: Index) -> Any:
    """Empty cells, their centres found with a sample of the index."""
    count, width = len(index.rows), index.extractor.width
    centres = int(2 * np.sqrt(count))
    cells = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(width), width, centres, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    chosen = np.unique(np.linspace(0, count - 1, SAMPLE * centres).astype(int))
    cells.train(unit(index.rows["word"][chosen], index.extractor.middle))
    return cells


def _file(index: Index) -> Path:
    """Named after the file of features, whose order it follows."""
    return index.place / f"cells-{index.generation}.faiss"


def _library() -> Any:
    try:
        import faiss
    except ImportError:
        return None
    return faiss
