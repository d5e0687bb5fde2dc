"""The shortcut audit: how well a file's outside alone predicts that it is edited.

If width, format or quantisation tables tell edited from authentic, a detector can win without seeing a
forgery, and its score on that set means nothing. Each feature gets an AUC (edited against authentic).

Numbers: the exact rank AUC with ties, whichever way round is larger (so never below 0.5). Categories:
each picture is scored by how often its category was edited among *other* photographs (folds by source,
so that a category as individual as a name cannot be learned by heart), and the AUC is taken within each
fold and averaged by pairs. Across folds it would be biased: leaving a picture out lowers its own
category's rate. A category AUC below 0.5 means nothing was learned.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from ifdl.data._header import Header, read

__all__ = ["Header", "auc", "audit", "category_auc", "chance", "read"]

FOLDS = 5
PRIOR = 2.0  # pictures' worth of the overall rate that every category starts from
NUMBERS: dict[str, Callable[[Header], float | None]] = {
    "width": lambda h: h.width,
    "height": lambda h: h.height,
    "aspect": lambda h: h.width / h.height if h.width and h.height else None,
    "square": lambda h: float(h.width == h.height) if h.width else None,
    "quality": lambda h: h.quality,
    "bytes": lambda h: h.bytes,
    "bytes_per_pixel": lambda h: h.bytes / (h.width * h.height) if h.width and h.height else None,
    "metadata": lambda h: float(h.metadata),
}
CATEGORIES: dict[str, Callable[[Header], Hashable]] = {
    "size": lambda h: (h.width, h.height),
    "format": lambda h: h.format,
    "tables": lambda h: h.tables,
    "subsampling": lambda h: h.subsampling,
    "markers": lambda h: h.markers,
}


def audit(headers: Sequence[Header], edited: Sequence[bool], sources: Sequence[str]) -> dict[str, float]:
    """AUC by feature, best first. A feature that one class lacks, or all if there is one class, is left out."""
    positive = np.asarray(edited, bool)
    found: dict[str, float | None] = {}
    for name, number in NUMBERS.items():
        values = np.array([math.nan if (v := number(h)) is None else float(v) for h in headers])
        known = ~np.isnan(values)
        area = auc(values[known], positive[known])
        found[name] = None if area is None else max(area, 1 - area)
    for name, category in CATEGORIES.items():
        found[name] = category_auc([category(h) for h in headers], positive, sources)
    known_areas = {name: round(area, 4) for name, area in found.items() if area is not None}
    return dict(sorted(known_areas.items(), key=lambda pair: (-pair[1], pair[0])))


def auc(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float | None:
    """Chance that a positive scores above a negative, ties counting half; None if either is missing."""
    pairs = int(positive.sum()) * int((~positive).sum())
    if not pairs:
        return None
    _, rank = np.unique(scores, return_inverse=True)
    levels = int(rank.max()) + 1
    ups, downs = np.bincount(rank[positive], minlength=levels), np.bincount(rank[~positive], minlength=levels)
    below = np.cumsum(downs) - downs
    return float((ups * (below + downs / 2)).sum() / pairs)


def category_auc(
    values: Sequence[Hashable], positive: NDArray[np.bool_], sources: Sequence[str], folds: int = FOLDS
) -> float | None:
    """AUC of a category's rate of positives among other sources; None if no fold has both classes."""
    fold = _folds(positive, sources, folds)
    won = pairs = 0.0
    for n in range(folds):
        held = fold == n
        here = int(positive[held].sum()) * int((~positive[held]).sum())
        if not here or held.all():
            continue
        rest, tried = np.flatnonzero(~held).tolist(), np.flatnonzero(held).tolist()
        seen, ups = Counter(values[i] for i in rest), Counter(values[i] for i in rest if positive[i])
        overall = float(positive[~held].mean())
        scores = [(ups[values[i]] + PRIOR * overall) / (seen[values[i]] + PRIOR) for i in tried]
        area = auc(np.round(np.array(scores), 12), positive[held])
        won, pairs = won + (area or 0.0) * here, pairs + here
    return won / pairs if pairs else None


def chance(positives: int, negatives: int) -> float:
    """The AUC that a feature without any information stays below in 97.5 % of sets of this size."""
    if not positives or not negatives:
        return 1.0
    return min(1.0, 0.5 + 1.96 * math.sqrt((positives + negatives + 1) / (12 * positives * negatives)))


def _folds(positive: NDArray[np.bool_], sources: Sequence[str], folds: int) -> NDArray[np.int64]:
    """A fold for each picture: all of one source together, sources with and without edits dealt out alike."""
    has: dict[str, list[bool]] = {}
    for source, is_positive in zip(sources, positive, strict=True):
        has.setdefault(source, []).append(bool(is_positive))
    # Dealt in an order that has nothing to do with names, but is always the same.
    order = sorted(has, key=lambda s: (any(has[s]), all(has[s]), hashlib.sha256(s.encode()).digest()))
    dealt = {source: n % folds for n, source in enumerate(order)}
    return np.array([dealt[source] for source in sources], np.int64)
