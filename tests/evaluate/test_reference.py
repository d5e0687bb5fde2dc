"""Our pixel scores against the `imdlbenco` package's own values for 50 seeded arrays.

The package's values were made once by tests/reference/make_imdlbenco.py. Where we differ, `DIFFERENCES` says
why, and the test checks that the difference is exactly that one.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from ifdl.evaluate.pixel import PixelRule, Polarity, per_picture
from ifdl.evaluate.tally import Tally
from ifdl.types import Map
from tests.reference.make_imdlbenco import OUT, PICTURES, Picture, picture

ROWS = json.loads(OUT.read_text(encoding="utf-8"))["rows"]
MODES: dict[str, Polarity] = {"origin": "plain", "reverse": "inverted", "double": "double"}
RULE = PixelRule("fixed", 0.5, empty="zero")
SINGLE = 2e-6  # theirs is single precision, with 1e-8 added to each denominator
HALF = 32768  # the level that 0.5 becomes

DIFFERENCES = {
    "no_edited_pixel": "AUC of an authentic picture does not exist: theirs is 0, ours nan",
    "ties": "theirs sorts pixels and walks through them one by one, so equal levels count by the order in which the "
    "sort happens to leave them (a constant map can get 0.78); ours counts a tie half",
    "exactly_half": "theirs marks strictly above 0.5, ours at or above. Their reverse F1 and accuracy mark the "
    "complement, so a pixel of 0.5 is marked; their reverse IoU cuts 1 − map, so it is not",
}


def tally(made: Picture) -> Tally:
    return Tally.of(Map.of(made.heat, made.truth.shape).values, made.truth, made.valid)


def difference(made: Picture, score: str) -> str | None:
    """Which known difference applies to this score of this array."""
    counted = tally(made)
    if score == "auc":
        if not counted.inside.any():
            return "no_edited_pixel"
        return "ties" if counted.outside.any() and _tied(counted) else None
    return "exactly_half" if made.kind == "half" and bool((made.heat == 0.5).any()) else None


def _tied(counted: Tally) -> float:
    """Share of pairs of an edited and an unedited pixel that have the same level."""
    pairs = float(counted.inside.sum()) * float(counted.outside.sum())
    return float(counted.inside @ counted.outside.astype(float)) / pairs


def test_the_arrays_are_those_the_package_saw() -> None:
    assert [row["seed"] for row in ROWS] == list(range(PICTURES))
    for row in ROWS:
        made = picture(row["seed"])
        assert (made.kind, list(made.heat.shape), made.sha256) == (row["kind"], row["size"], row["sha256"])


@pytest.mark.parametrize("score", ["f1", "iou", "accuracy", "auc"])
def test_every_value_is_ours_or_a_known_difference(score: str) -> None:
    seen: Counter[str | None] = Counter()
    for row in ROWS:
        made = picture(row["seed"])
        counted, known = tally(made), difference(made, score)
        seen[known] += 1
        for mode, polarity in MODES.items():
            theirs = math.nan if row[score][mode] is None else row[score][mode]
            ours = per_picture(counted, replace(RULE, polarity=polarity))[score]
            where = f"array {row['seed']} ({row['kind']}), {mode}"
            if known == "no_edited_pixel":
                assert theirs == 0 and math.isnan(ours), where
            elif known == "ties":
                lowest = ours - _tied(counted) / 2 - SINGLE
                assert lowest <= theirs <= ours + _tied(counted) / 2 + SINGLE, where
            elif known == "exactly_half":
                assert theirs == pytest.approx(_without_half(counted, score, mode), abs=SINGLE), where
            else:
                assert ours == pytest.approx(theirs, abs=SINGLE, nan_ok=True), where
    expected = {"no_edited_pixel", "ties", None} if score == "auc" else {"exactly_half", None}
    assert set(seen) == expected and seen[None] >= 10, seen


def _without_half(counted: Tally, score: str, mode: str) -> float:
    """Our score when a pixel of exactly one half is taken as theirs takes it."""
    above = replace(RULE, level=(HALF + 1) / 65535)
    complement = replace(RULE, level=(65535 - HALF) / 65535, polarity="inverted")
    cut = replace(RULE, polarity="inverted")  # 65535 − 32768 lies just below one half
    plain = per_picture(counted, above)[score]
    reverse = per_picture(counted, cut if score == "iou" else complement)[score]
    return {"origin": plain, "reverse": reverse, "double": max(plain, reverse)}[mode]


def test_the_differences_are_not_small() -> None:
    """What a reader of published tables should know."""
    constant = [row for row in ROWS if row["kind"] == "constant"]
    assert max(abs(row["auc"]["origin"] - 0.5) for row in constant) > 0.25
    assert all(tally(picture(row["seed"])).auc() in (0.5, pytest.approx(math.nan, nan_ok=True)) for row in constant)
    perfect = [row for row in ROWS if row["kind"] == "authentic_empty"]
    assert perfect and all(row["f1"]["origin"] == 0 and row["accuracy"]["origin"] == 1 for row in perfect)
    for row in perfect:  # IMDLBenCo issue 46: a perfect answer on an authentic picture scores 0
        counted = tally(picture(row["seed"]))
        policies = {e: per_picture(counted, replace(RULE, empty=e))["f1"] for e in ("zero", "one", "skip")}
        assert policies["zero"] == 0 and policies["one"] == 1 and math.isnan(policies["skip"])


def test_padding_would_have_changed_their_values() -> None:
    """The arrays can tell an evaluator that scores padding from one that does not."""
    for row in (row for row in ROWS if row["kind"] == "padded" and min(row["size"]) > 20):
        made = picture(row["seed"])
        assert made.valid is not None and not made.valid.all()
        careless = per_picture(tally(made._replace(valid=None)), RULE)
        assert not np.isclose(careless["f1"], row["f1"]["origin"], atol=1e-4)
