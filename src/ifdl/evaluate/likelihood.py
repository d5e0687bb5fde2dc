"""Likelihood ratios from scores: how to fit them, how far data allow them to go, and how to measure them.

A ratio compares how often edited and authentic pictures score so. Each photograph (source) counts one in its
class, however many pictures come from it, and the classes count alike: the prior is removed. Measures: Cllr and
its minimum after pooling adjacent violators (Brümmer & du Preez, Computer Speech and Language 20, 2006), and the
expected calibration error of the posterior at even odds. They mean something only on sources that were left out
of the fit (`folds`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, minimize
from scipy.special import expit

from ifdl.signal.stats import upper_bound
from ifdl.verdict.calibration import Bin, Level, Table

Floats = NDArray[np.float64]
METHODS = ("isotonic", "logistic")
STEPS = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0)  # of log10: ratios are rounded towards 1 until the knots are few
MOST_KNOTS = 48
RIDGE = 1e-5
SHRINK = 0.01  # of the weights of clues towards 0, in bits of cost for a squared weight
WIDEST = 4.0


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of pictures: `values` float N (higher is more edited), `edited` bool N, `sources` N photographs."""

    values: Floats
    edited: NDArray[np.bool_]
    sources: NDArray[Any]

    @classmethod
    def of(cls, values: Sequence[float], edited: Sequence[bool], sources: Sequence[str]) -> Scored:
        """Raises ValueError if the lengths differ, a score is not finite, or a class is missing."""
        scored = cls(np.asarray(values, float), np.asarray(edited, bool), np.asarray(sources, str))
        if not len(scored.values) == len(scored.edited) == len(scored.sources):
            raise ValueError("scores, labels and sources must be equally many")
        if not np.isfinite(scored.values).all():
            raise ValueError("a score is not a finite number")
        if scored.edited.all() or not scored.edited.any():
            raise ValueError("a likelihood ratio needs both edited and authentic pictures")
        return scored

    def __getitem__(self, chosen: NDArray[Any]) -> Scored:
        return Scored(self.values[chosen], self.edited[chosen], self.sources[chosen])

    @property
    def weights(self) -> Floats:
        """float N: each source shares one weight among its pictures of a class; a class sums to one."""
        return np.asarray(np.select([self.edited, ~self.edited], [_shares(self, True), _shares(self, False)]))


def fit(scored: Scored, method: str = "isotonic") -> Level:
    """The capped, monotone table from a score to log10 of the likelihood ratio, a few dozen knots."""
    if method not in METHODS:
        raise ValueError(f"a ratio is fitted by {' or '.join(METHODS)}, not {method!r}")
    scores = np.unique(scored.values)
    raw = _isotonic(scored, scores) if method == "isotonic" else _logistic(scored, scores)
    caps = bounds(scored, scores)
    log10 = np.clip(raw, caps.low, caps.high)
    at = caps.best
    authentic = scored.sources[~scored.edited]
    return Level(
        table=_table(scores, log10),
        sources=len(np.unique(authentic)),
        edited_sources=len(np.unique(scored.sources[scored.edited])),
        alarms=int(caps.alarms[at]),
        detected=round(float(caps.detected[at]), 4),
        score=float(scores[at]),
        most=round(float(caps.high[-1]), 4),
    )


def order(scored: Scored) -> Table:
    """A clue's strength on the scale that all clues are compared on: log10 of a logistic ratio, within 10^±4.

    Not capped by the data, which would make equals of a faint and a strong finding: only the fused score is said.
    """
    level, slope = _line(scored)
    least, most = float(scored.values.min()), float(scored.values.max())
    turns = [(end - level) / slope for end in (-WIDEST, WIDEST)] if slope else []
    knots = np.unique([least, *(t for t in turns if least < t < most), most])
    return Table(tuple(knots.tolist()), tuple(np.round(np.clip(level + slope * knots, -WIDEST, WIDEST), 6).tolist()))


def weights(ratios: Floats, scored: Scored) -> Floats:
    """float C: what each clue's log10 ratio (`ratios` N×C, 0 where it says nothing) counts in their sum, 0 or more.

    Logistic regression of the class on all of them together, slightly shrunk, so that of two clues that say the same
    neither is counted twice. `scored` gives classes and sources; its values are not looked at.
    """
    natural, share = ratios * np.log(10), scored.weights / 2
    sign = np.where(scored.edited, 1.0, -1.0)

    def cost(w: Floats) -> tuple[float, Floats]:
        margin = sign * (w[0] + natural @ w[1:])
        pull = -sign * share * expit(-margin)
        loss = float((share * np.logaddexp(0, -margin)).sum() + SHRINK * np.log(2) * (w[1:] ** 2).sum())
        slope = np.concatenate([[pull.sum()], natural.T @ pull + 2 * SHRINK * np.log(2) * w[1:]])
        return loss, slope

    start = np.zeros(ratios.shape[1] + 1)
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=[(None, None)] + [(0, None)] * ratios.shape[1])
    return np.asarray(np.round(found.x[1:], 4), float)


# ---------------------------------------------------------------- how far the data reach


class Bounds(NamedTuple):
    """log10 bounds at each score, and for "this score or more": share `detected`, sources with `alarms`.

    `best` is the index of the score at which the upper bound reaches its greatest value.
    """

    low: Floats
    high: Floats
    detected: Floats
    alarms: NDArray[np.int64]
    best: int


def bounds(scored: Scored, scores: Floats) -> Bounds:
    """What the data allow to be claimed at ascending `scores`.

    "This score or more" is seen in a share of the edited pictures, and in authentic photographs at a rate of at
    most the Clopper-Pearson bound (one-sided, 95 %) of the photographs with any picture that high: their quotient
    bounds the ratio. A higher score is also an instance of every lower threshold, so bounds never fall. The lower
    side mirrors it: below 1, no ratio is smaller than the bound on edited photographs by the authentic share.
    """
    detected, alarms, high = _side(scored, scores)
    mirrored = Scored(-scored.values, ~scored.edited, scored.sources)
    low = -_side(mirrored, -scores[::-1])[2][::-1]
    peak = np.maximum.accumulate(high)
    return Bounds(np.minimum.accumulate(low[::-1])[::-1], peak, detected, alarms, int(np.argmax(high)))


def _side(scored: Scored, scores: Floats) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Share of positives and sources of negatives at or above each score, and log10 of their bounded quotient."""
    weights, up = _shares(scored, True), scored.edited
    shares = np.array([weights[up & (scored.values >= s)].sum() for s in scores])
    names, place = np.unique(scored.sources[~up], return_inverse=True)
    highest = np.full(len(names), -np.inf)
    np.maximum.at(highest, place, scored.values[~up])
    alarms = np.array([(highest >= s).sum() for s in scores], np.int64)
    known = {k: upper_bound(int(k), len(names)) for k in np.unique(alarms)}
    with np.errstate(divide="ignore"):
        quotient = np.log10(shares) - np.log10([known[k] for k in alarms])
    return shares, alarms, quotient


# ---------------------------------------------------------------- fits


def _isotonic(scored: Scored, scores: Floats) -> Floats:
    """log10 odds at even prior after pooling adjacent violators; infinite where a class is missing."""
    place = np.searchsorted(scores, scored.values)
    ups = np.bincount(place, scored.weights * scored.edited, len(scores))
    total = np.bincount(place, scored.weights, len(scores))
    share = isotonic_regression(ups / total, weights=total).x
    share = np.where(share < 1e-12, 0.0, np.where(share > 1 - 1e-12, 1.0, share))
    with np.errstate(divide="ignore"):
        return np.asarray(np.log10(share) - np.log10(1 - share))


def _logistic(scored: Scored, scores: Floats) -> Floats:
    """log10 odds at even prior, linear in the score."""
    level, slope = _line(scored)
    return level + slope * scores


def _line(scored: Scored) -> tuple[float, float]:
    """Level and slope of log10 odds by a slightly ridged Newton fit; flat if the score falls with editing."""
    centre, spread = float(scored.values.mean()), float(scored.values.std()) or 1.0
    design = np.stack([np.ones(len(scored.values)), (scored.values - centre) / spread], axis=1)
    weights, beta = scored.weights, np.zeros(2)
    for _ in range(50):
        said = expit(design @ beta)
        ascent = design.T @ (weights * (scored.edited - said)) - RIDGE * beta
        bend = (design.T * (weights * said * (1 - said))) @ design + RIDGE * np.eye(2)
        step = np.linalg.solve(bend, ascent)
        beta = beta + step * min(1.0, 4.0 / max(1e-12, float(np.abs(step).max())))
        if np.abs(step).max() < 1e-9:
            break
    if beta[1] <= 0:
        return 0.0, 0.0
    slope = float(beta[1] / spread / np.log(10))
    return float(beta[0] / np.log(10)) - slope * centre, slope


def _table(scores: Floats, log10: Floats) -> Table:
    """Few knots: ratios are rounded towards 1, so that no step claims more than was fitted, and runs become two."""
    for step in STEPS:
        coarse = np.trunc(log10 / step + np.copysign(1e-9, log10)) * step
        turns = np.flatnonzero(np.diff(coarse) > 0)
        kept = np.unique(np.concatenate([[0], turns, turns + 1, [len(scores) - 1]]))
        if len(kept) <= MOST_KNOTS:
            break
    return Table(tuple(scores[kept].tolist()), tuple((np.round(coarse[kept], 4) + 0.0).tolist()))


# ---------------------------------------------------------------- measures


def folds(sources: NDArray[Any], count: int = 5) -> NDArray[np.int64]:
    """A fold for each picture, all of one source together, in an order that has nothing to do with names."""
    order = sorted(np.unique(sources).tolist(), key=lambda s: hashlib.sha256(s.encode()).digest())
    dealt = {source: n % count for n, source in enumerate(order)}
    return np.array([dealt[s] for s in sources.tolist()], np.int64)


def cllr(scored: Scored, log10: Floats) -> float:
    """Log-likelihood-ratio cost in bits: 0 is perfect, 1 says nothing, above 1 misleads."""
    natural = np.asarray(log10) * np.log(10)
    cost = np.where(scored.edited, np.logaddexp(0, -natural), np.logaddexp(0, natural)) / np.log(2)
    return float((scored.weights * cost).sum() / 2)


def min_cllr(scored: Scored, log10: Floats) -> float:
    """Cllr after the best monotone relabelling of these ratios themselves: what is lost by order alone."""
    own = Scored(np.asarray(log10, float), scored.edited, scored.sources)
    scores = np.unique(own.values)
    best = _isotonic(own, scores)[np.searchsorted(scores, own.values)]
    return cllr(own, np.clip(best, -300, 300))


def reliability(scored: Scored, log10: Floats, bins: int = 10) -> tuple[Bin, ...]:
    """Posterior at even odds, said against found, in bins of equal width; empty bins are left out."""
    said = expit(np.asarray(log10) * np.log(10))
    place, weights = np.minimum((said * bins).astype(int), bins - 1), scored.weights
    found = []
    for b in np.unique(place):
        own = place == b
        mass = weights[own].sum()
        edited = (weights * scored.edited)[own].sum() / mass
        mean = float((weights * said)[own].sum() / mass)
        found.append(Bin(round(mean, 4), round(float(edited), 4), int(own.sum())))
    return tuple(found)


def calibration_error(scored: Scored, log10: Floats, bins: int = 10) -> float:
    """Expected calibration error: |said - found| of the bins, by the weight of their pictures."""
    said = expit(np.asarray(log10) * np.log(10))
    place, weights = np.minimum((said * bins).astype(int), bins - 1), scored.weights
    gaps = np.bincount(place, weights * (said - scored.edited), bins)
    return float(np.abs(gaps).sum() / weights.sum())


def _shares(scored: Scored, edited: bool) -> Floats:
    """float N: weights of one class, 0 elsewhere."""
    weights = np.zeros(len(scored.values))
    own = scored.edited == edited
    if own.any():
        _, place, count = np.unique(scored.sources[own], return_inverse=True, return_counts=True)
        weights[own] = 1.0 / count[place] / len(count)
    return weights
