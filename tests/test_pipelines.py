"""The Hugging Face shape: what goes in, what comes out, and that no score is invented."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ifdl
from ifdl.types import State

ROOT = Path(__file__).resolve().parents[1]
SPLICE = ROOT / "examples" / "splice.jpg"


def test_four_answers_and_a_mask_where_the_answer_points() -> None:
    examine = ifdl.pipeline("image-forgery", clues=["jpeg_grid"])
    answers = examine(SPLICE)
    assert [a["label"] for a in answers] == ["history", "local_edit", "synthetic_origin", "claims"]
    assert all("score" not in a and a["state"] in set(State) for a in answers)
    edit = answers[1]
    assert (edit["words"], edit["tests"]) == ("weak support", ["jpeg_grid"]) and answers[3]["mask"] is None
    truth = np.asarray(Image.open(ROOT / "examples" / "splice_mask.png").convert("L")) > 127
    marked = np.asarray(edit["mask"]) == 255
    assert edit["mask"].mode == "L" and (marked & truth).sum() / (marked | truth).sum() > 0.5
    opened = Image.open(SPLICE)
    held = examine([opened, str(SPLICE), SPLICE.read_bytes(), "nothing.jpg"])
    assert isinstance(held, list) and [one[1]["words"] for one in held[:3]] == ["weak support"] * 3
    assert held[3][0]["label"] == "not_examined" and "there is no file" in held[3][0]["sentence"]
    streamed = examine(path for path in [SPLICE])
    assert isinstance(streamed, Iterator) and next(streamed)[1]["word"] == "weak"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("https://example.org/a.jpg", "nothing is fetched"),
        ("DATA:image/png;base64,AAAA", "nothing is fetched"),
        (5, "is no picture"),
        (Image.new("F", (64, 64)), "convert it to RGB"),
        ("nothing.jpg", "there is no file"),
    ],
)
def test_what_is_no_picture_is_said(given: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ifdl.pipeline(clues=["metadata"])(given)


def test_there_is_one_task() -> None:
    with pytest.raises(ValueError, match="no task 'image-classification'"):
        ifdl.pipeline("image-classification")
