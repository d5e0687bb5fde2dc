"""Losses against numbers worked by hand, and unknown masks that must not matter."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from scipy import ndimage  # noqa: E402

from ifdl.nets import losses  # noqa: E402

torch.set_num_threads(1)


def logit(*chances: float) -> torch.Tensor:
    """One row of pixels with these probabilities, 1×1×1×W."""
    return torch.logit(torch.tensor(chances, dtype=torch.float64)).float()[None, None, None]


def row(*values: float) -> torch.Tensor:
    return torch.tensor(values)[None, None, None]


HALF = logit(0.5, 0.8, 0.2)
TRUTH = row(1, 1, 0)


def test_bce_by_hand() -> None:
    costs = [-math.log(0.5), -math.log(0.8), -math.log(0.8)]
    assert losses.bce(HALF, TRUTH).item() == pytest.approx(sum(costs) / 3)
    weighted = (3 * costs[0] + 3 * costs[1] + costs[2]) / 3
    assert losses.bce(HALF, TRUTH, positive=3.0).item() == pytest.approx(weighted)
    picked = losses.bce(HALF, TRUTH, pixels=row(1, 0, 3))
    assert picked.item() == pytest.approx((costs[0] + 3 * costs[2]) / 4)
    assert losses.bce(HALF, TRUTH, pixels=row(0, 0, 0)).item() == 0


def test_ce_by_hand() -> None:
    logits = torch.log(torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6]]))
    labels = torch.tensor([0, 1, 1])
    a, b, c = -math.log(0.7), -math.log(0.6), -math.log(0.2)
    assert losses.ce(logits, labels).item() == pytest.approx((a + b + c) / 3)
    assert losses.ce(logits, labels, weights=(1.0, 4.0, 9.0)).item() == pytest.approx((a + 4 * b + 4 * c) / 9)
    assert losses.ce(logits, torch.tensor([0, -1, -1])).item() == pytest.approx(a)
    assert losses.ce(logits, labels, torch.tensor([False, True, False])).item() == pytest.approx(b)
    assert losses.ce(logits, labels, torch.tensor([False] * 3)).item() == 0
    dense = logits.T[None, :, None]  # one picture of a row of three pixels
    assert losses.ce(dense, labels[None, None]).item() == pytest.approx((a + b + c) / 3)


def test_dice_by_hand_and_on_empty_masks() -> None:
    assert losses.dice(HALF, TRUTH, smooth=0.0).item() == pytest.approx(1 - 2 * 1.3 / 3.5)
    assert losses.dice(HALF, TRUTH).item() == pytest.approx(1 - 3.6 / 4.5)
    assert losses.dice(HALF, row(0, 0, 0)).item() == pytest.approx(1.5 / 2.5)
    assert losses.dice(torch.full((1, 1, 4, 4), -100.0), torch.zeros(1, 1, 4, 4)).item() == pytest.approx(0)
    # Per picture, not pooled: a large mask does not drown a small one.
    two = torch.cat([HALF, HALF]), torch.cat([TRUTH, row(0, 0, 0)])
    assert losses.dice(*two).item() == pytest.approx((1 - 3.6 / 4.5 + 0.6) / 2)


def test_lisas_dice_is_a_small_smoothing() -> None:
    p, m = HALF.sigmoid() / 1000, TRUTH / 1000
    lisa = 1 - (2 * (p * TRUTH).sum() + 1e-6) / (p.sum() + m.sum() + 1e-6)
    assert losses.dice(HALF, TRUTH, smooth=1e-3).item() == pytest.approx(lisa.item(), abs=1e-6)


def test_focal_by_hand() -> None:
    costs = [0.25 * 0.25 * -math.log(0.5), 0.25 * 0.04 * -math.log(0.8), 0.75 * 0.04 * -math.log(0.8)]
    assert losses.focal(HALF, TRUTH).item() == pytest.approx(sum(costs) / 3)
    plain = losses.focal(HALF, TRUTH, gamma=0.0, alpha=0.5)
    assert plain.item() == pytest.approx(losses.bce(HALF, TRUTH).item() / 2)


def test_the_edge_band_is_the_meeting_of_two_dilations() -> None:
    mask = ndimage.binary_dilation(np.random.default_rng(0).random((40, 50)) > 0.998, iterations=6)
    assert 0 < mask.mean() < 1
    for width in (3, 7):
        cross = np.zeros((width, width), bool)
        cross[width // 2] = cross[:, width // 2] = True
        expected = ndimage.binary_dilation(mask, cross) & ndimage.binary_dilation(~mask, cross)
        band = losses.edge_band(torch.from_numpy(mask).float()[None, None], width)[0, 0].numpy()
        assert np.array_equal(band, expected)
    with pytest.raises(ValueError, match="odd"):
        losses.edge_band(torch.zeros(1, 1, 4, 4), 4)


def test_the_border_of_the_picture_is_no_outline_and_full_masks_have_none() -> None:
    assert not losses.edge_band(torch.ones(1, 1, 9, 9)).any()
    assert losses.edge(torch.randn(1, 1, 9, 9), torch.ones(1, 1, 9, 9)).item() == 0


def test_edge_loss_by_hand() -> None:
    logits, mask = logit(0.9, 0.9, 0.6, 0.3, 0.1, 0.1), row(1, 1, 1, 0, 0, 0)
    assert losses.edge_band(mask, 3)[0, 0, 0].tolist() == [False, False, True, True, False, False]
    assert losses.edge(logits, mask, width=3).item() == pytest.approx((-math.log(0.6) - math.log(0.7)) / 2)


def test_ohem_keeps_the_hardest() -> None:
    logits, mask = logit(0.9, 0.4, 0.1, 0.7), row(1, 1, 1, 1)
    assert losses.ohem(logits, mask, share=0.25).item() == pytest.approx(-math.log(0.1))
    assert losses.ohem(logits, mask, share=0.5).item() == pytest.approx((-math.log(0.1) - math.log(0.4)) / 2)
    assert losses.ohem(logits, mask, share=1.0).item() == pytest.approx(losses.bce(logits, mask).item())
    assert losses.ohem(logits, mask, share=0.0).item() == pytest.approx(-math.log(0.1))


MAPS = [losses.bce, losses.dice, losses.focal, losses.edge, losses.ohem]


@pytest.mark.parametrize("loss", MAPS)
def test_unknown_masks_add_nothing_and_get_no_gradient(loss) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    logits = torch.randn(3, 1, 12, 12, requires_grad=True)
    mask = torch.zeros(3, 1, 12, 12)
    mask[:, :, 3:8, 4:9] = 1
    alone = loss(logits[:2], mask[:2])
    mask[2] = math.nan
    known = torch.tensor([True, True, False])
    got = loss(logits, mask, known)
    assert got.item() == pytest.approx(alone.item(), rel=1e-6)
    got.backward()
    assert not logits.grad[2].any()
    assert logits.grad[:2].abs().amax((1, 2, 3)).min() > 0
    none = loss(logits, mask, torch.zeros(3, dtype=torch.bool))
    assert none.item() == 0
    none.backward()


@pytest.mark.parametrize("loss", MAPS)
def test_half_precision_is_widened_and_sizes_must_agree(loss) -> None:  # type: ignore[no-untyped-def]
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    assert loss(torch.randn(1, 1, 8, 8).bfloat16(), mask).dtype == torch.float32
    with pytest.raises(ValueError, match="differ in shape"):
        loss(torch.zeros(1, 1, 4, 4), mask)


@pytest.mark.parametrize("loss", MAPS)
def test_the_truth_costs_less_than_its_opposite(loss) -> None:  # type: ignore[no-untyped-def]
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 4:10, 5:12] = 1
    right, wrong = 6 * (mask - 0.5), 6 * (0.5 - mask)
    assert loss(right, mask) < 0.2 * loss(wrong, mask)
