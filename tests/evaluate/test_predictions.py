"""Predictions come back as they were kept; another system's, or half a file, never do."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ifdl.evaluate.predictions import Predictions
from ifdl.evaluate.systems import Output
from ifdl.types import Map, State

SHA = "ab" * 32


def test_there_and_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    heat = Map(rng.integers(0, 65536, (5, 7)).astype(np.uint16), (37, 50), 8, (-3, 2), rng.random((5, 7)) > 0.3)
    output = Output(State.SUPPORTED, 0.7, heat, rng.random((37, 50)) > 0.5, "edited", {"edited": 0.7}, "because")
    kept = Predictions(tmp_path, "system one")
    assert kept.get(SHA) is None
    kept.put(SHA, output, 1.5)
    again, seconds = kept.get(SHA) or (None, 0)
    assert again is not None and again.heat is not None and again.marked is not None and seconds == 1.5
    assert (again.state, again.score, again.said, again.probabilities, again.reason) == (
        output.state, 0.7, "edited", {"edited": 0.7}, "because",
    )  # fmt: skip
    assert (again.heat.at_full_size() == heat.at_full_size()).all()
    assert output.marked is not None and (again.marked == output.marked).all()
    assert Predictions(tmp_path, "system two, of which nothing is kept").get(SHA) is None


def test_without_map_and_score(tmp_path: Path) -> None:
    kept = Predictions(tmp_path, "x")
    kept.put(SHA, Output(State.OUT_OF_DOMAIN, reason="too small"), 0.1)
    again = (kept.get(SHA) or (None,))[0]
    assert again is not None and (again.score, again.heat, again.marked) == (None, None, None)


def test_half_a_file_is_made_again(tmp_path: Path) -> None:
    kept = Predictions(tmp_path, "x")
    kept.put(SHA, Output(State.NO_TRACE_FOUND, 0.0), 0.1)
    (path,) = tmp_path.rglob("*.npz")
    path.write_bytes(path.read_bytes()[:50])
    assert kept.get(SHA) is None and not path.exists()
