"""Truth from a before/after pair: where a person's own edit changed the picture. A tool, not an engine.

The two are aligned (`ifdl.signal.alignment`) and compared with an eye to what a re-save, a resize or a change of
the whole picture explains (`ifdl.signal.difference`); what is left is the mask, in pixels of *after*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ifdl.signal.alignment import Alignment, align, warp
from ifdl.signal.difference import difference
from ifdl.types import Truth


@dataclass(frozen=True, eq=False)
class Pair:
    """What a before/after pair says.

    `truth` has the mask in pixels of *after*; it is None if the two do not show the same scene. `aligned` is
    the share of *after* that *before* covers and the mask can therefore speak about; `agreement` the share of
    textured blocks that agree (edited ones count against it); `level` the noise between the two, in levels of
    255: about 0 for a lossless copy, 1 to 3 after recompression, more after a poor alignment.
    """

    truth: Truth | None
    alignment: Alignment | None
    aligned: float = 0.0
    agreement: float = 0.0
    level: float = 0.0


def truth_of_pair(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> Pair:
    """Compare two states of a picture, uint8 RGB H×W×3 each and of any sizes.

    The mask is empty, and the label authentic, if nothing exceeds what compression and a change of the whole
    picture explain. An edit weaker than that noise is not seen, nor one outside what *before* shows.
    """
    found = align(before, after)
    if found is None:
        return Pair(None, None)
    moved, known = warp(before, found.matrix, (after.shape[0], after.shape[1]))
    if np.count_nonzero(known) < 0.1 * known.size:
        return Pair(None, found)
    result = difference(moved, after, known)
    edited = bool(result.mask.any())
    truth = Truth("edited" if edited else "authentic", result.mask, words="mask derived from a before/after pair")
    return Pair(truth, found, float(known.mean()), found.agreement, result.level)
