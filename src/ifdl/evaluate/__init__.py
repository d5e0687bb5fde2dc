"""Measuring systems: pixel and whole-picture scores with intervals, protocols that say what is counted,
robustness sweeps, calibration and the leaderboard. Everything up to a number here needs numpy and scipy only."""
