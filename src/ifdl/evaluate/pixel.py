"""Pixel scores: F1, IoU, precision, recall, MCC, accuracy and AUC, under a rule that says how they are taken.

"Pixel F1" means at least five things in this field; a `PixelRule` says which. A map is uint16 levels H×W, a
truth bool H×W, `valid` bool H×W or None. A pixel is marked where its level is at or above the threshold's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ifdl.evaluate.tally import LEVELS, Counts, Tally

__all__ = [
    "KERNELS", "Counts", "PixelRule", "Polarity", "accuracy", "band", "f1", "false_area", "iou", "level_of", "mcc",
    "padded", "per_picture", "pooled", "precision", "recall", "resized",
]  # fmt: skip

Polarity = Literal["plain", "inverted", "double"]
KERNELS = {
    "nearest": cv2.INTER_NEAREST_EXACT,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}


@dataclass(frozen=True)
class PixelRule:
    """How pixel scores are taken.

    `threshold` says where it comes from: fixed beforehand, calibrated on other data (both need `level`, a
    share of 0-1), or the one with the best F1 of each picture, which only someone who knows the truth can
    choose. `polarity`: the map as it is, inverted, or for each number the better of the two ("double", also
    knows the truth). `empty` is the score of an authentic picture in which nothing is marked: 0, 1, or left
    out of the average (nan). `averaging`: over pictures, or over all their pixels together.
    """

    threshold: Literal["fixed", "calibrated", "best_per_picture"] = "fixed"
    level: float | None = 0.5
    polarity: Polarity = "plain"
    empty: Literal["zero", "one", "skip"] = "zero"
    averaging: Literal["per_picture", "pooled"] = "per_picture"

    def __post_init__(self) -> None:
        if (self.level is None) != (self.threshold == "best_per_picture"):
            raise ValueError("a fixed or calibrated threshold needs a level, the best per picture must have none")
        if self.level is not None:
            level_of(self.level)


def level_of(share: float) -> int:
    """The lowest level that a threshold of `share` (0-1) marks; never 0. Raises ValueError outside 0-1."""
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"a threshold lies between 0 and 1, not at {share}")
    return max(1, math.ceil(share * (LEVELS - 1)))


# ---------------------------------------------------------------- scores of counts; 0/0 is nan


def f1(c: Counts) -> Any:
    """2·TP / (2·TP + FP + FN), also called Dice."""
    return _ratio(2 * c.tp, 2 * c.tp + c.fp + c.fn)


def iou(c: Counts) -> Any:
    """TP / (TP + FP + FN), also called Jaccard."""
    return _ratio(c.tp, c.tp + c.fp + c.fn)


def precision(c: Counts) -> Any:
    """TP / (TP + FP)."""
    return _ratio(c.tp, c.tp + c.fp)


def recall(c: Counts) -> Any:
    """TP / (TP + FN)."""
    return _ratio(c.tp, c.tp + c.fn)


def accuracy(c: Counts) -> Any:
    """(TP + TN) / all."""
    return _ratio(c.tp + c.tn, c.tp + c.fp + c.fn + c.tn)


def false_area(c: Counts) -> Any:
    """FP / (FP + TN): the share of unedited pixels that is marked."""
    return _ratio(c.fp, c.fp + c.tn)


def mcc(c: Counts) -> Any:
    """Matthews correlation coefficient, −1 to 1."""
    tp, fp, fn, tn = (np.asarray(n, np.float64) for n in (c.tp, c.fp, c.fn, c.tn))
    # One root each: the product of the four sums leaves the range of an integer.
    scale = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
    return _ratio(tp * tn - fp * fn, scale)


SCORES: dict[str, Callable[[Counts], Any]] = {
    "f1": f1,
    "iou": iou,
    "precision": precision,
    "recall": recall,
    "mcc": mcc,
    "accuracy": accuracy,
    "false_area": false_area,
}


# ---------------------------------------------------------------- scores under a rule


def per_picture(tally: Tally, rule: PixelRule) -> dict[str, float]:
    """All scores of one picture, by name; `rule.averaging` is not looked at.

    An authentic picture with nothing marked has F1, IoU, precision, recall and MCC as `rule.empty` says;
    any other 0/0 of these counts 0. AUC and average precision are nan unless there are edited and unedited
    pixels, `false_area` is nan without unedited pixels, and everything is nan without pixels.
    """
    if rule.polarity == "double":
        plain = per_picture(tally, replace(rule, polarity="plain"))
        other = per_picture(tally, replace(rule, polarity="inverted"))
        better = {name: np.minimum if name == "false_area" else np.maximum for name in plain}
        return {name: float(better[name](plain[name], other[name])) for name in plain}
    turned = tally.inverted() if rule.polarity == "inverted" else tally
    return _numbers(turned.counts(_level(turned, rule)), turned, rule)


def pooled(tallies: Iterable[Tally], rule: PixelRule) -> dict[str, float]:
    """The same scores over the pixels of all pictures together ("cIoU"); nan without pictures.

    Thresholds and polarity are chosen picture by picture where the rule says so, "double" by F1.
    """
    counts, everything = Counts(0, 0, 0, 0), Tally.empty()
    for tally in tallies:
        turned, found = _best_turned(tally, rule)
        counts, everything = counts + found, everything + turned
    return _numbers(counts, everything, rule)


def _best_turned(tally: Tally, rule: PixelRule) -> tuple[Tally, Counts]:
    """The tally as the rule's polarity has it, and its counts at the rule's threshold."""
    ways = {"plain": [tally], "inverted": [tally.inverted()], "double": [tally, tally.inverted()]}[rule.polarity]
    tried = [(way, way.counts(_level(way, rule))) for way in ways]
    return max(tried, key=lambda pair: float(np.nan_to_num(f1(pair[1]))))


def _level(tally: Tally, rule: PixelRule) -> int:
    """The rule's threshold as a level; the best F1's highest one where the rule looks for it."""
    if rule.level is not None:
        return level_of(rule.level)
    found = np.nan_to_num(f1(tally.at_every_level()))[1:]  # level 0 is never marked
    return LEVELS - int(np.argmax(found[::-1]))


def _numbers(c: Counts, tally: Tally, rule: PixelRule) -> dict[str, float]:
    numbers = {name: float(score(c)) for name, score in SCORES.items()}
    if c.tp + c.fp + c.fn + c.tn:
        nothing = c.tp + c.fp + c.fn == 0
        undefined = {"zero": 0.0, "one": 1.0, "skip": math.nan}[rule.empty] if nothing else 0.0
        for name in ("f1", "iou", "precision", "recall", "mcc"):
            if math.isnan(numbers[name]):
                numbers[name] = undefined
    return numbers | {"auc": tally.auc(), "average_precision": tally.average_precision()}


# ---------------------------------------------------------------- which pixels, at which size


def band(truth: NDArray[np.bool_], inner: int, outer: int) -> NDArray[np.bool_]:
    """`valid` without the don't-care band round the outline: `inner` pixels inside it, `outer` outside.

    Square windows, as the no-score zone of the NIST Media Forensics Challenge evaluation; the picture's own
    border is no outline. A region thinner than 2·inner + 1 pixels lies wholly inside the band.
    """
    if inner < 0 or outer < 0:
        raise ValueError(f"the band's widths are 0 or more pixels, not {inner} and {outer}")
    mask = np.asarray(truth, np.uint8)
    core = ndimage.minimum_filter(mask, 2 * inner + 1, mode="nearest")
    reach = ndimage.maximum_filter(mask, 2 * outer + 1, mode="nearest")
    return np.asarray(core == reach)


def resized(
    levels: NDArray[np.uint16], truth: NDArray[np.bool_], size: tuple[int, int], kernel: str = "bilinear"
) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Map and truth at another `size` (height, width), by one kernel; the truth is cut again at one half.

    Kernels: nearest, bilinear, bicubic (pixel centres aligned, no smoothing before reducing) and area.
    """
    if kernel not in KERNELS:
        raise ValueError(f"no kernel is called {kernel!r}; there are {', '.join(KERNELS)}")
    full = np.where(truth, np.uint16(LEVELS - 1), np.uint16(0))
    shape = (size[1], size[0])
    small, cut = (cv2.resize(image, shape, interpolation=KERNELS[kernel]) for image in (levels, full))
    return np.asarray(small, np.uint16), np.asarray(cut >= LEVELS // 2)


def padded(
    levels: NDArray[np.uint16], truth: NDArray[np.bool_], size: tuple[int, int]
) -> tuple[NDArray[np.uint16], NDArray[np.bool_], NDArray[np.bool_]]:
    """Map and truth in the upper left of a canvas of `size` (height, width), and `valid`, False in the padding.

    Raises ValueError if the picture is larger than the canvas.
    """
    height, width = truth.shape
    if height > size[0] or width > size[1]:
        raise ValueError(f"a picture of {height}×{width} does not fit on {size[0]}×{size[1]}")
    margin = ((0, size[0] - height), (0, size[1] - width))
    return np.pad(levels, margin), np.pad(truth, margin), np.pad(np.ones(truth.shape, bool), margin)


def _ratio(top: Any, bottom: Any) -> Any:
    """top / bottom as float or float array, nan where bottom is 0."""
    top, bottom = np.asarray(top, np.float64), np.asarray(bottom, np.float64)
    quotient = np.full(np.broadcast(top, bottom).shape, np.nan)
    np.divide(top, bottom, out=quotient, where=bottom != 0)
    return quotient if quotient.ndim else float(quotient)
