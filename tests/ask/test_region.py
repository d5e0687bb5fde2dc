"""A part against matched background: what was planted is found, texture alone is not, and chance stays rare."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ifdl import intake, spine
from ifdl.ask import region as regions
from ifdl.ask._background import cells_of, compare
from ifdl.ask.region import Say
from ifdl.types import Finding, Item, Map, Picture, Prediction, Question, State
from tests import photographs
from tests.serve.test_cli import EXAMPLES

SIZE = (480, 640)
BOX = (400, 80, 128, 112)


def picture_of(grey: NDArray[np.float64], orientation: int = 1) -> Picture:
    pixels = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
    height, width = grey.shape
    item = Item("p", "0" * 64, "0" * 128, 1, "PNG", "image/png", width, height, orientation)
    return Picture(pixels, item)


def smooth(rng: np.random.Generator, size: tuple[int, int], reach: float) -> NDArray[np.float64]:
    """A field whose neighbours are alike, between 0 and 1."""
    field = cv2.GaussianBlur(rng.normal(size=size), (0, 0), reach)
    return np.asarray((field - field.min()) / (field.max() - field.min()), np.float64)


def scene(rng: np.random.Generator) -> Picture:
    """Brightness and texture that both vary."""
    return picture_of(60 + 120 * smooth(rng, SIZE, 40) + rng.normal(size=SIZE) * 25 * smooth(rng, SIZE, 40))


def finding(values: NDArray[np.float64], stride: int = 8, **more: object) -> Finding:
    told = {"clue": "jpeg_grid", "question": Question.LOCAL_EDIT, "state": State.NO_TRACE_FOUND, "sentence": "s"} | more
    return Finding(map=Map.of(values, SIZE, stride), **told)  # type: ignore[arg-type]


def say_of(picture: Picture, found: Finding, box: tuple[int, int, int, int] = BOX) -> regions.Testimony:
    asked = regions.ask(picture, [found], [], regions.part(picture, box))
    assert len(asked.tests) == 1
    return asked.tests[0]


def cell_grid(stride: int = 8) -> tuple[int, int]:
    return SIZE[0] // stride, SIZE[1] // stride


def raised(values: NDArray[np.float64], by: float, stride: int = 8) -> NDArray[np.float64]:
    x, y, width, height = (n // stride for n in BOX)
    out = values.copy()
    out[y : y + height, x : x + width] += by
    return out


def test_raised_part_supports_and_lowered_is_against() -> None:
    rng = np.random.default_rng(1)
    picture, plain = scene(rng), 0.4 + 0.1 * rng.random(cell_grid())
    up = say_of(picture, finding(raised(plain, 0.3)))
    assert up.say == Say.SUPPORTS and up.numbers["rank"] > 0.99 and up.numbers["share_of_draws_below"] == 1.0
    assert say_of(picture, finding(raised(plain, -0.3))).say == Say.AGAINST
    assert say_of(picture, finding(plain)).say != Say.SUPPORTS


def test_texture_alone_is_matched_away() -> None:
    """A map that only follows texture is high in a textured part, and as high in matched places."""
    rng = np.random.default_rng(2)
    rough = np.zeros(SIZE)
    for x, y in ((400, 80), (40, 40), (60, 300), (240, 200), (460, 330)):
        rough[y : y + 112, x : x + 128] = 1
    picture = picture_of(110 + rng.normal(size=SIZE) * (2 + 28 * rough))
    follows = cv2.resize(rough, cell_grid()[::-1], interpolation=cv2.INTER_AREA) * 0.5 + rng.random(cell_grid()) * 0.1
    told = say_of(picture, finding(follows))
    assert told.say != Say.SUPPORTS and told.numbers["rank"] < 0.7
    x, y, width, height = (n // 8 for n in BOX)
    inside = follows[y : y + height, x : x + width].mean()
    assert inside > 2 * follows.mean(), "unmatched, the part would stand out"


def test_chance_supports_in_at_most_one_of_twenty_of_correlated_maps() -> None:
    """Maps whose neighbours are alike, as all maps are: cells taken as independent would alarm all the time."""
    rng, alarms, naive, count = np.random.default_rng(3), 0, 0, 0
    for _ in range(20):
        picture, values = scene(rng), smooth(rng, cell_grid(), 4)
        cells = cells_of(Map.of(values, SIZE, 8), picture)
        for _ in range(15):
            width, height = rng.integers(64, 200, 2)
            box = (int(rng.integers(0, SIZE[1] - width)), int(rng.integers(0, SIZE[0] - height)), width, height)
            mask = regions.part(picture, box)
            found = compare(cells, mask)
            assert found is not None
            alarms += found.chance <= regions.CHANCE and found.rank >= regions.RANK
            naive += abs(found.rank - 0.5) > 1.96 * np.sqrt(1 / (12 * found.cells))
            count += 1
    assert alarms <= 0.05 * count
    assert naive > 0.3 * count, "the fields must be correlated for this test to mean anything"


def test_random_parts_of_untouched_photographs() -> None:
    shown = photographs.camera(range(8, 10), one_per_source=True)[:8]
    if not shown:
        pytest.skip("../shared/data/camera is not at hand")
    supports: dict[str, int] = {}
    count = 0
    rng = np.random.default_rng(4)
    for photograph in shown:
        picture = intake.load(photograph.data, isolated=False)
        verdict = spine.examine_picture(picture, clues=["copymove", "jpeg_grid", "noise", "ifdl_small"]).verdict
        for _ in range(20):
            width, height = (
                int(n * s) for n, s in zip((picture.width, picture.height), rng.uniform(0.1, 0.45, 2), strict=True)
            )
            box = (
                *(int(rng.integers(0, n + 1)) for n in (picture.width - width, picture.height - height)),
                width,
                height,
            )
            asked = regions.ask(picture, verdict.findings, verdict.predictions, regions.part(picture, box))  # type: ignore[arg-type]
            count += 1
            for told in asked.tests:
                supports[told.test] = supports.get(told.test, 0) + (told.say == Say.SUPPORTS)
    assert len(supports) == 4
    assert {test: n for test, n in supports.items() if n > 0.05 * count} == {}


@pytest.mark.parametrize("example", ["splice", "copymove"])
def test_edited_part_of_an_example(example: str) -> None:
    picture = intake.load(EXAMPLES / f"{example}.jpg")
    mask = intake.load(EXAMPLES / f"{example}_mask.png").pixels.max(axis=2) > 127
    verdict = spine.examine_picture(picture).verdict
    asked = regions.ask(picture, verdict.findings, verdict.predictions, regions.part(picture, mask=mask))
    assert any(t.say == Say.SUPPORTS and not t.experimental for t in asked.tests), asked.sentence
    assert "not multiplied" in asked.sentence


def test_reasons_for_cannot_tell() -> None:
    rng = np.random.default_rng(5)
    picture, values = scene(rng), rng.random(cell_grid())
    told = {
        "out of domain": say_of(picture, finding(values, state=State.OUT_OF_DOMAIN)),
        "failed": say_of(picture, finding(values, state=State.FAILED)),
        "no map": say_of(picture, Finding("metadata", Question.CLAIMS, State.NO_TRACE_FOUND, "s")),
        "too few cells": say_of(picture, finding(values), (16, 16, 20, 20)),
        "it measured the same": say_of(picture, finding(np.zeros(cell_grid()))),
        "a layer to look at": say_of(picture, finding(values, clue="ela")),
        "no background": say_of(picture, finding(values), (0, 0, 640, 470)),
    }
    for reason, answer in told.items():
        assert answer.say == Say.CANNOT_TELL and answer.numbers == {}
        assert answer.sentence.lower().startswith(reason), (reason, answer.sentence)


def test_expert_that_does_not_trust_its_map_cannot_tell() -> None:
    rng = np.random.default_rng(6)
    picture, heat = scene(rng), Map.of(raised(rng.random(cell_grid()) * 0.1, 0.5), SIZE, 8)
    for trust, say in ((0.9, Say.SUPPORTS), (0.2, Say.CANNOT_TELL)):
        prediction = Prediction("x", heat, Map.of(np.full(cell_grid(), trust), SIZE, 8))
        asked = regions.ask(picture, [], [prediction], regions.part(picture, BOX))
        assert [t.say for t in asked.tests] == [say]


def test_places_the_test_marks_itself_are_no_background() -> None:
    """Both ends of a copy are high: the other end must not hide this one."""
    rng = np.random.default_rng(7)
    picture, values = scene(rng), 0.1 * rng.random(cell_grid())
    values[4:50, 4:40] += 0.5
    both = raised(values, 0.45)
    other = np.zeros(SIZE, bool)
    other[32:400, 32:320] = True
    from ifdl.signal.regions import region_of

    assert say_of(picture, finding(both)).say != Say.SUPPORTS
    assert say_of(picture, finding(both, regions=(region_of(other),))).say == Say.SUPPORTS


def test_part_from_box_polygon_and_mask() -> None:
    picture = picture_of(np.zeros(SIZE))
    box = regions.part(picture, (630, 470, 100, 100))
    assert box.sum() == 100 and box[470:, 630:].all()
    polygon = regions.part(picture, polygon=[(10, 10), (50, 10), (50, 40), (10, 40)])
    assert polygon.sum() == 41 * 31
    assert (regions.part(picture, mask=box) == box).all()
    for wrong in (
        {"box": (0, 0, 0, 5)},
        {"box": (700, 0, 5, 5)},
        {"polygon": [(0, 0), (5, 5)]},
        {"mask": np.ones((3, 3), bool)},
        {"mask": np.zeros(SIZE, bool)},
        {},
        {"box": BOX, "mask": box},
    ):
        with pytest.raises(ValueError, match=r"part|box|polygon|mask"):
            regions.part(picture, **wrong)  # type: ignore[arg-type]


def test_plain_values_hold_what_is_needed_and_nothing_else() -> None:
    rng = np.random.default_rng(8)
    picture = scene(rng)
    told = regions.to_dict(
        regions.ask(picture, [finding(rng.random(cell_grid()))], [], regions.part(picture, BOX)), picture
    )
    assert set(told) == {"item", "region", "sentence", "tests"} and told["region"]["box"] == list(BOX)
    assert set(told["tests"][0]) == {"test", "say", "sentence", "numbers", "experimental"}
    assert "%" not in told["sentence"] + told["tests"][0]["sentence"], "shares are counts, not percentages"
