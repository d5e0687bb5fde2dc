"""The metric for training loops gives the numbers of `ifdl.evaluate.pixel`, whatever the batches."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ifdl.evaluate.pixel import PixelRule, per_picture, pooled
from ifdl.evaluate.tally import Tally
from ifdl.types import Map

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("torchmetrics", reason="the train extra is not installed")


def batch() -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Tally]]:
    rng = np.random.default_rng(6)
    heat = rng.random((5, 11, 1)).astype(np.float32) * np.ones((1, 1, 7), np.float32)
    truth, valid = rng.random(heat.shape) < 0.3, rng.random(heat.shape) < 0.8
    truth[2] = False
    tallies = [Tally.of(Map.of(h, h.shape).values, t, v) for h, t, v in zip(heat, truth, valid, strict=True)]
    return heat, truth, valid, tallies


@pytest.mark.parametrize("averaging", ["per_picture", "pooled"])
@pytest.mark.parametrize("channel", [False, True])
def test_batches_of_any_size_give_the_numbers_of_pixel(averaging: str, channel: bool) -> None:
    from ifdl.evaluate.torch_metrics import PixelScores

    heat, truth, valid, tallies = batch()
    rule = PixelRule("fixed", 0.4, averaging=averaging)  # type: ignore[arg-type]
    metric = PixelScores(rule)
    for part in (slice(0, 2), slice(2, 5)):
        made = [torch.from_numpy(a[part]) for a in (heat, truth, valid)]
        metric.update(*(t[:, None] if channel else t for t in made))
    found = metric.compute()
    rows = [per_picture(t, rule) for t in tallies]
    expected = (
        pooled(tallies, rule) if averaging == "pooled" else {k: np.nanmean([r[k] for r in rows]) for k in rows[0]}
    )
    assert found == pytest.approx(expected)
    metric.reset()
    with pytest.warns(UserWarning, match="before"):
        assert all(math.isnan(v) for v in metric.compute().values())


def test_pooled_pixels_cannot_be_chosen_per_picture() -> None:
    from ifdl.evaluate.torch_metrics import PixelScores

    for rule in (PixelRule("best_per_picture", None, averaging="pooled"),
                 PixelRule("fixed", 0.5, "double", averaging="pooled")):  # fmt: skip
        with pytest.raises(ValueError, match="per picture"):
            PixelScores(rule)
    with pytest.raises(ValueError, match="one shape"):
        PixelScores().update(torch.zeros(1, 2, 2), torch.zeros(1, 2, 3))
