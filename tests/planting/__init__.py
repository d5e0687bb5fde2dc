"""Second implementations that plant each clue's trace, independent of the clue's own code.

`tests/planting/<clue>.py` offers `plant(host, donor, rng) -> Planted | None`; tests and
`benchmarks/clues.py` share them. None means this host cannot carry the trace (too small, too flat).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Planted:
    """A picture file with the trace, the same picture through the same chain without it, and where it is."""

    edited: bytes
    clean: bytes
    mask: NDArray[np.bool_] | None = None
