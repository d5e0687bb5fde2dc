"""Small exact statistics shared by clues and measurements."""

from __future__ import annotations

from scipy import stats


def upper_bound(alarms: int, trials: int, confidence: float = 0.95) -> float:
    """One-sided Clopper-Pearson upper bound of a rate after `alarms` in `trials` (1.0 without trials)."""
    if trials <= 0 or alarms >= trials:
        return 1.0
    return float(stats.beta.ppf(confidence, alarms + 1, trials - alarms))


def log10_binomial_tail(successes: int, trials: int, chance: float) -> float:
    """log10 of P(at least `successes` of `trials`) for independent events of probability `chance`."""
    if successes <= 0:
        return 0.0
    return float(stats.binom.logsf(successes - 1, trials, chance) / 2.302585092994046)
