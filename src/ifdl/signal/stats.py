"""Small exact statistics shared by clues and measurements (scipy.special only: scipy.stats is slow to import)."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

# Beyond the mean the terms fall at least geometrically, so far terms cannot matter.
MOST_TERMS = 4096


def upper_bound(alarms: int, trials: int, confidence: float = 0.95) -> float:
    """One-sided Clopper-Pearson upper bound of a rate after `alarms` in `trials` (1.0 without trials)."""
    if trials <= 0 or alarms >= trials:
        return 1.0
    return float(special.betaincinv(alarms + 1, trials - alarms, confidence))


def log10_binomial_tail(successes: int, trials: int, chance: float) -> float:
    """log10 of P(at least `successes` of `trials`) for independent events of probability `chance`.

    Stays finite far below the smallest float, where a plain tail probability would be 0.
    """
    if successes <= 0:
        return 0.0
    if successes > trials:
        return -math.inf
    if successes <= trials * chance:
        return math.log10(special.betainc(successes, trials - successes + 1, chance))
    count = np.arange(successes, min(trials, successes + MOST_TERMS) + 1, dtype=np.float64)
    terms = (
        special.gammaln(trials + 1)
        - special.gammaln(count + 1)
        - special.gammaln(trials - count + 1)
        + count * math.log(chance)
        + (trials - count) * math.log1p(-chance)
    )
    return float(special.logsumexp(terms) / math.log(10))
