"""From rows to numbers: each number of the protocol with its interval, by source, overall and by kind of edit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ifdl.evaluate import image, pixel
from ifdl.evaluate.intervals import bootstrap
from ifdl.evaluate.protocol import CLASSES, Number, Protocol
from ifdl.evaluate.run import Row
from ifdl.evaluate.score import counts_for
from ifdl.evaluate.tally import Counts

Indices = NDArray[np.int64]
Table = dict[str, dict[str, Any]]
NO_SCORE = -1e9  # a picture without a score is the least suspicious of all
WORST = 12


def numbers(protocol: Protocol, rows: Sequence[Row], draws: int = 1000) -> Table:
    """Each number as {"value", "low", "high", "n", "sources", "what"}; value None where nothing defines it.

    Intervals are 95 % by the bootstrap over sources, but for false alarms, which are counted by source
    ("k" of "n") and have Clopper and Pearson's.
    """
    return {name: _number(name, number, rows, draws) for name, number in protocol.numbers.items()}


def by_kind(protocol: Protocol, rows: Sequence[Row], draws: int = 1000) -> dict[str, Table]:
    """The same for each kind of picture that is not authentic, all authentic ones beside it."""
    kinds = sorted({r.kind or r.label for r in rows if r.label != "authentic"})
    if len(kinds) < 2:
        return {}
    chosen = {k: [r for r in rows if r.label == "authentic" or (r.kind or r.label) == k] for k in kinds}
    return {kind: numbers(protocol, own, draws) for kind, own in chosen.items()}


def in_domain(protocol: Protocol, rows: Sequence[Row], draws: int = 1000) -> dict[str, Any]:
    """The numbers on pictures that the system took for its domain, and their share."""
    own = [r for r in rows if r.in_domain]
    edited = [r for r in rows if r.label == "edited"]
    share = sum(r.in_domain for r in edited) / len(edited) if edited else math.nan
    return {"share": _known(share), "n": len(own), "numbers": numbers(protocol, own, draws) if own else {}}


def curves(rows: Sequence[Row], points: int = 200) -> dict[str, Any]:
    """For plots: ROC and PR of whole-picture scores, and of all pixels of edited pictures at 256 levels."""
    found: dict[str, Any] = {}
    scored = [r for r in rows if r.score is not None]
    labels = np.array([r.label != "authentic" for r in scored], bool)
    if labels.any() and not labels.all():
        scores = np.array([r.score for r in scored], float)
        found["roc"] = _thin(image.roc(scores, labels), points)
        order = np.argsort(-scores, kind="stable")
        hits = np.cumsum(labels[order])
        last = np.append(np.diff(scores[order]) != 0, True)
        shown = np.stack([hits / labels.sum(), hits / np.arange(1, hits.size + 1)], axis=1)[last]
        found["pr"] = _thin(shown, points)
    tallied = [r.curve for r in rows if r.curve is not None and r.label == "edited"]
    if tallied:
        inside, outside = np.sum(tallied, axis=0)[:, ::-1].cumsum(axis=1)
        if inside[-1] and outside[-1]:
            found["pixel_roc"] = _thin(np.stack([outside / outside[-1], inside / inside[-1]], axis=1), points)
            some = inside + outside > 0
            precision = inside[some] / (inside + outside)[some]
            found["pixel_pr"] = _thin(np.stack([inside[some] / inside[-1], precision], axis=1), points)
    return found


def worst(protocol: Protocol, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The edited pictures with the lowest first headline number, failures first."""
    shown = [n for n in protocol.headline if protocol.numbers[n].pixel and protocol.numbers[n].pictures == "edited"]
    edited = [r for r in rows if r.label == "edited"]
    if not shown or not edited:
        return []
    key: Callable[[Row], tuple[float, ...]] = lambda r: tuple(r.values.get(n, -1.0) for n in shown)  # noqa: E731
    found = sorted(edited, key=lambda r: (r.error is None, key(r), r.image))[:WORST]
    return [
        {"image": r.image, "kind": r.kind, "state": r.state, "error": r.error}
        | {n: _known(r.values.get(n, math.nan)) for n in shown}
        for r in found
    ]


# ---------------------------------------------------------------- one number


def _number(name: str, number: Number, rows: Sequence[Row], draws: int) -> dict[str, Any]:
    if number.metric == "false_alarms":
        return _false_alarms(number, rows)
    chosen = [r for r in rows if not number.pixel or counts_for(number, r.label)]
    if number.pixel and number.averaging == "per_picture":
        # A picture that could not be read or predicted counts as one on which nothing was marked.
        blank = 0.5 if number.metric == "auc" else 0.0
        values = np.array([r.values.get(name, blank) for r in chosen], float)
        chosen = [r for r, v in zip(chosen, values, strict=True) if not math.isnan(v)]
        values = values[~np.isnan(values)]
        statistic: Callable[[Indices], float] = lambda at: float(values[at].mean())  # noqa: E731
    elif number.pixel:
        table = np.array([r.counts.get(name, (0, 0, 0, 0)) for r in chosen], float).reshape(-1, 4)
        statistic = lambda at: _of_counts(number, table[at].sum(axis=0))  # noqa: E731
    else:
        statistic = _of_pictures(number, chosen)
    found: dict[str, Any] = {"value": None, "low": None, "high": None, "n": len(chosen)}
    found |= {"sources": len({r.source for r in chosen}), "what": number.words}
    if chosen:
        found["value"] = _known(statistic(np.arange(len(chosen))))
    if found["value"] is not None:
        low, high = bootstrap(statistic, len(chosen), [r.source for r in chosen], draws)
        found |= {"low": _known(low), "high": _known(high)}
    return found


def _false_alarms(number: Number, rows: Sequence[Row]) -> dict[str, Any]:
    authentic = [r for r in rows if r.label == "authentic"]
    said = [_said(number, r) for r in authentic]
    k, n, low, high = image.false_alarms(said, [r.source for r in authentic])
    rate = k / n if n else math.nan
    found = {"value": _known(rate), "low": _known(low), "high": _known(high), "n": n, "k": k, "sources": n}
    return found | {"pictures": len(authentic), "alarmed_pictures": sum(said), "what": number.words}


def _said(number: Number, row: Row) -> bool:
    """Whether the picture counts as edited: by its own answer, or by its score from `at`."""
    if number.at is None:
        return row.edited or row.said == "synthetic"
    return row.score is not None and row.score >= number.at


def _of_counts(number: Number, total: NDArray[np.float64]) -> float:
    counts = Counts(*total)
    if number.metric == "area":
        return float((counts.tp + counts.fp) / max(1.0, float(total.sum())))
    return float(pixel.SCORES[number.metric](counts))


def _of_pictures(number: Number, rows: Sequence[Row]) -> Callable[[Indices], float]:
    """The statistic of a whole-picture number over row indices; synthetic pictures are positives like edited ones."""
    if number.metric.startswith(("class", "sida")):
        return _of_classes(number, rows)
    labels = np.array([r.label != "authentic" for r in rows], bool)
    scores = np.array([NO_SCORE if r.score is None else r.score for r in rows], float)
    said = np.array([_said(number, r) for r in rows], float)
    ranked: dict[str, Callable[[Indices], float]] = {
        "image_auc": lambda at: image.auc(scores[at], labels[at]),
        "image_average_precision": lambda at: _average_precision(scores[at], labels[at]),
        "image_eer": lambda at: image.eer(scores[at], labels[at]),
        "image_detection_rate": lambda at: image.detection_rate_at(scores[at], labels[at], number.at or 0.0),
    }
    answered: dict[str, Callable[[Indices], float]] = {
        "image_accuracy": lambda at: image.accuracy(said[at], labels[at], 0.5),
        "image_balanced_accuracy": lambda at: image.balanced_accuracy(said[at], labels[at], 0.5),
        "image_f1": lambda at: image.f1(said[at], labels[at], 0.5),
        "image_mcc": lambda at: image.mcc(said[at], labels[at], 0.5),
    }
    if number.metric in ranked and all(r.score is None for r in rows):
        return lambda at: math.nan  # a system without scores ranks nothing
    return (ranked | answered)[number.metric]


def _of_classes(number: Number, rows: Sequence[Row]) -> Callable[[Indices], float]:
    place = {name: n for n, name in enumerate(CLASSES)}
    truth = np.array([place[r.label] for r in rows], int)
    said = np.array([place.get(r.said or ("edited" if r.edited else "authentic"), 0) for r in rows], int)
    pixels = np.array([next(iter(r.counts.values()), (0, 0, 0, 0)) for r in rows], float).reshape(-1, 4)

    def statistic(at: Indices) -> float:
        t, s = truth[at], said[at]
        accuracy = float((t == s).mean())
        right = np.array([((t == c) & (s == c)).sum() for c in range(3)], float)
        with np.errstate(invalid="ignore"):
            recall = right / np.array([(t == c).sum() for c in range(3)])
            answered = np.array([(s == c).sum() for c in range(3)])
            precision = np.where(answered > 0, right / np.maximum(answered, 1), 0.0)
            f1 = 2 * right / (answered + np.array([(t == c).sum() for c in range(3)]))
        there = ~np.isnan(recall)
        if number.metric == "class_accuracy":
            return accuracy
        if number.metric == "class_recall":
            return float(recall[place[number.of or ""]])
        if number.metric == "class_macro_f1":
            return float(f1[there].mean())
        if number.metric == "sida_auc":
            return float(precision[there].mean() * recall[there].mean())
        tp, fp, fn, _ = pixels[at].sum(axis=0)
        overlap = tp / (tp + fp + fn) if tp + fp + fn else 0.0
        return 2 * overlap * accuracy / (overlap + accuracy) if overlap + accuracy else 0.0

    return statistic


def _average_precision(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Precision at each distinct score, weighted by the recall gained there; ties are one step."""
    if not labels.any() or labels.all():
        return math.nan
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(labels[order])
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    gained = np.diff(np.concatenate(([0], hits[last])))
    return float((gained * hits[last] / (last + 1)).sum() / labels.sum())


def _thin(points: NDArray[np.float64], most: int) -> list[list[float]]:
    chosen = np.unique(np.linspace(0, len(points) - 1, min(most, len(points))).round().astype(int))
    return [[round(float(x), 5), round(float(y), 5)] for x, y in points[chosen]]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 6)
