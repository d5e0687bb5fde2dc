"""Forge records drawn at random, for tests of texts: what, where, which cues."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ifdl.forge.record import CUES, Step

SIZE = (300, 420)
DONE = {
    "splice": "pasted from another picture",
    "copymove": "copied from elsewhere in the picture",
    "remove": "removed and filled from its surroundings",
    "retouch": "made brighter",
}
THINGS = ("a dog", "a red region", "an umbrella", "a dark green thin strip", "a person", "a date on a receipt")


def drawn(rng: np.random.Generator, most: int = 2) -> tuple[Step, ...]:
    """One to `most` steps in a picture of `SIZE`."""
    steps = []
    for _ in range(int(rng.integers(1, most + 1))):
        engine = str(rng.choice(list(DONE)))
        width, height = (int(n) for n in rng.integers(20, 90, 2))
        box = (int(rng.integers(0, SIZE[1] - width)), int(rng.integers(0, SIZE[0] - height)), width, height)
        signs = tuple(str(cue) for cue in rng.choice(CUES, int(rng.integers(1, 4)), replace=False))
        steps.append(Step(engine, DONE[engine], str(rng.choice(THINGS)), box, cues=signs))
    return tuple(steps)


def mask_of(steps: tuple[Step, ...]) -> NDArray[np.bool_]:
    """The union of the steps' boxes."""
    mask = np.zeros(SIZE, bool)
    for x, y, width, height in (step.target_box for step in steps):
        mask[y : y + height, x : x + width] = True
    return mask
