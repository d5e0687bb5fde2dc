"""How sure a measured number is: Clopper-Pearson, the bootstrap by source, and paired tests between systems.

Pictures of one photograph (crops, re-saves, forgeries on one host) are not independent, so what is drawn
and what is flipped are always whole groups: the sources.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

FLIPS = 10_000
BLOCK = 1_000  # flips at a time: keeps the table of signs small


@dataclass(frozen=True)
class Paired:
    """System a minus system b on the same pictures.

    `low` to `high` is the bootstrap interval of the mean difference, `p_value` that of the two-sided
    sign-flip test, `n` the pictures scored by both and `sources` the photographs they come from.
    """

    difference: float
    low: float
    high: float
    p_value: float
    n: int
    sources: int


def clopper_pearson(k: int, n: int, level: float = 0.95, one_sided: bool = False) -> tuple[float, float]:
    """Exact interval of a rate after `k` of `n` (Clopper and Pearson, 1934); (0, 1) for n = 0.

    `one_sided` gives (0, upper bound), at 95 % about 3/n for k = 0. Raises ValueError unless 0 <= k <= n.
    """
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no count")
    tail = 1 - level if one_sided else (1 - level) / 2
    low = 0.0 if k == 0 or one_sided else float(special.betaincinv(k, n - k + 1, tail))
    high = 1.0 if k == n else float(special.betaincinv(k + 1, n - k, 1 - tail))
    return low, high


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], float],
    rows: int,
    groups: Sequence[str],
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile interval of `statistic(indices)` over `rows` pictures, drawing whole groups with replacement.

    `groups` names each row's source. A draw whose statistic is nan (a class is missing) is left out.
    (nan, nan) with fewer than two groups: one photograph cannot show how photographs differ.
    """
    if len(groups) != rows:
        raise ValueError(f"{rows} rows need as many groups, not {len(groups)}")
    _, group = np.unique(np.asarray(groups, str), return_inverse=True)
    sizes = np.bincount(group)
    if len(sizes) < 2:
        return math.nan, math.nan
    order = np.argsort(group, kind="stable")
    starts = np.cumsum(sizes) - sizes
    rng = np.random.default_rng(seed)
    found = np.empty(draws)
    for n in range(draws):
        drawn = rng.integers(len(sizes), size=len(sizes))
        lengths = sizes[drawn]
        shift = np.repeat(starts[drawn] - (np.cumsum(lengths) - lengths), lengths)
        found[n] = statistic(order[shift + np.arange(shift.size)])
    found = found[~np.isnan(found)]
    if not found.size:
        return math.nan, math.nan
    low, high = np.quantile(found, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def paired(
    a: ArrayLike, b: ArrayLike, groups: Sequence[str], draws: int = 1000, seed: int = 0, level: float = 0.95
) -> Paired:
    """Compare two systems by their scores of the same pictures (float[N], nan where not scored).

    Only pictures that both scored count. The test flips the sign of all of a source's differences at once:
    if the systems are alike, which is called a is chance. The smallest p-value it can give is 1/10,001.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape or first.shape != (len(groups),):
        raise ValueError(f"{first.shape} and {second.shape} scores of {len(groups)} pictures cannot be paired")
    both = ~np.isnan(first - second)
    change = (first - second)[both]
    names = np.asarray(groups, str)[both]
    if not change.size:
        return Paired(math.nan, math.nan, math.nan, math.nan, 0, 0)
    low, high = bootstrap(lambda rows: float(change[rows].mean()), change.size, names.tolist(), draws, seed, level)
    _, group = np.unique(names, return_inverse=True)
    sums = np.bincount(group, weights=change).astype(np.float64)
    p_value = _sign_flips(sums, np.random.default_rng(seed))
    return Paired(float(change.mean()), low, high, p_value, change.size, sums.size)


def _sign_flips(sums: NDArray[np.float64], rng: np.random.Generator) -> float:
    """Share of sign patterns whose total is as far from 0 as the one found, which counts as one of them."""
    # Sums of the same differences in another order may differ in the last bits.
    reached = abs(float(sums.sum())) - 1e-9 * float(np.abs(sums).sum())
    as_far = 0
    for _ in range(FLIPS // BLOCK):
        signs = rng.integers(0, 2, (BLOCK, sums.size), np.int8) * 2.0 - 1.0
        as_far += int((np.abs(signs @ sums) >= reached).sum())
    return (as_far + 1) / (FLIPS + 1)
