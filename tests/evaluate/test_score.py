"""One picture under every kind of number, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from ifdl.evaluate import protocol, score
from ifdl.evaluate.protocol import Number, Protocol, Size
from ifdl.evaluate.systems import Output
from ifdl.types import Map, State

TRUTH = np.zeros((4, 5), bool)
TRUTH[:2, :2] = True  # 4 of 20 pixels
SHARES = np.zeros((4, 5))
SHARES[0, :4] = (0.9, 0.6, 0.6, 0.2)  # two right, one wrong at 0.5
EMPTY = np.zeros((4, 5), bool)


def output(
    shares: NDArray[np.float64] = SHARES, marked: NDArray[np.bool_] | None = None, state: State = State.SUPPORTED
) -> Output:
    return Output(state, 0.5, Map.of(shares, (4, 5)), marked)


def of(number: Number, out: Output, truth: NDArray[np.bool_] = TRUTH, label: str = "edited") -> float:
    one = Protocol("x", 1, "w", {"n": number})
    return score.of_picture(one, out, truth, label, 0.5).values["n"]


def test_own_threshold_marks_and_gate() -> None:
    f1 = Number("f1", pictures="edited")
    assert of(f1, output()) == pytest.approx(2 * 2 / (2 * 2 + 1 + 2))
    assert of(f1, output(marked=TRUTH)) == 1.0  # its own marks count, not the map
    gated = Number("f1", pictures="edited", gated=True)
    assert of(gated, output(marked=TRUTH, state=State.INCONCLUSIVE)) == 0.0
    assert of(gated, output(marked=TRUTH)) == 1.0
    assert of(f1, output(marked=TRUTH, state=State.INCONCLUSIVE)) == 1.0


def test_fixed_and_best_threshold_and_polarity() -> None:
    assert of(Number("iou", threshold="fixed", at=0.95), output()) == 0.0
    assert of(Number("iou", threshold="fixed", at=0.8), output()) == pytest.approx(1 / 4)
    best = of(Number("f1", threshold="best_per_picture"), output())
    assert best == pytest.approx(2 * 2 / (2 * 2 + 1 + 2))
    turned = 1 - SHARES
    assert of(Number("f1", threshold="fixed", at=0.5, polarity="inverted"), output(turned)) == pytest.approx(4 / 7)
    plain = of(Number("f1", threshold="fixed", at=0.5), output(turned))
    double = of(Number("f1", threshold="fixed", at=0.5, polarity="double"), output(turned))
    assert double == pytest.approx(4 / 7) and plain < double


@pytest.mark.parametrize(("policy", "value"), [("zero", 0.0), ("one", 1.0), ("skip", math.nan)])
def test_silence_on_an_authentic_picture(policy: str, value: float) -> None:
    number = Number("f1", threshold="fixed", at=0.5, empty=policy)  # type: ignore[arg-type]
    assert of(number, output(np.zeros((4, 5))), EMPTY, "authentic") == pytest.approx(value, nan_ok=True)
    assert of(number, output(), EMPTY, "authentic") == 0.0  # a mark on it is always wrong


def test_silence_on_an_edited_picture_scores_nothing() -> None:
    for metric in ("f1", "iou", "precision", "recall", "mcc"):
        number = Number(metric, threshold="fixed", at=0.5, empty="one")  # type: ignore[arg-type]
        assert of(number, output(np.zeros((4, 5)))) == 0.0


def test_area_and_auc() -> None:
    assert of(Number("area"), output()) == pytest.approx(3 / 20)
    # Pairs won: .9 beats 16; .6 beats 15 and ties one; two zeros tie 14 and lose 2.
    assert of(Number("auc"), output()) == pytest.approx((16 + 15.5 + 2 * 7) / (4 * 16))
    assert math.isnan(of(Number("auc"), output(), EMPTY, "authentic"))


def test_pooled_counts_are_kept_for_later() -> None:
    one = Protocol("x", 1, "w", {"n": Number("iou", threshold="fixed", at=0.5, averaging="pooled")})
    found = score.of_picture(one, output(), TRUTH, "edited", None)
    assert found.counts["n"] == (2, 1, 2, 15) and "n" not in found.values
    assert found.curve is not None and found.curve.sum() == 20 and found.curve[0].sum() == 4


def test_only_the_pictures_that_a_number_is_of() -> None:
    native = protocol.load("native-1")
    authentic = score.of_picture(native, output(), EMPTY, "authentic", 0.5)
    assert set(authentic.values) == {"false_area"}
    assert not score.of_picture(native, output(), EMPTY, "synthetic", 0.5).values


def test_a_system_without_threshold_or_marks_is_told_so() -> None:
    with pytest.raises(ValueError, match="--threshold"):
        score.of_picture(protocol.load(), output(), TRUTH, "edited", None)


def test_no_map_is_a_constant_map() -> None:
    nothing = Output(State.OUT_OF_DOMAIN)
    assert of(Number("auc"), nothing) == 0.5
    assert of(Number("f1", threshold="fixed", at=0.5), nothing) == 0.0


def test_band_leaves_the_outline_out() -> None:
    truth = np.zeros((40, 40), bool)
    truth[10:30, 10:30] = True
    wide = np.zeros((40, 40))
    wide[8:32, 8:32] = 1.0  # two pixels too wide all round
    out = Output(State.SUPPORTED, 1.0, Map.of(wide, (40, 40)))
    strict = Protocol("x", 1, "w", {"n": Number("f1", threshold="fixed", at=0.5)})
    lenient = Protocol("x", 1, "w", strict.numbers, band=(2, 2))
    assert score.of_picture(strict, out, truth, "edited", None).values["n"] < 0.83
    assert score.of_picture(lenient, out, truth, "edited", None).values["n"] == 1.0


@pytest.mark.parametrize(
    ("size", "shape"),
    [(Size(), (30, 60)), (Size("resize", 16), (16, 16)), (Size("longest", 120), (60, 120)), (Size("pad", 40), (20, 40)),
     (Size("pad", 99), (30, 60))],
)  # fmt: skip
def test_sizes(size: Size, shape: tuple[int, int]) -> None:
    levels, truth = np.full((30, 60), 7, np.uint16), np.zeros((30, 60), bool)
    truth[:, :30] = True
    moved, marks, mask = score.fitted(levels, truth.copy(), truth, size)
    assert moved.shape == mask.shape == shape and marks is not None and (marks == mask).all()
    assert moved.dtype == np.uint16 and (moved == 7).all()
    assert mask.mean() == pytest.approx(0.5, abs=0.05)
