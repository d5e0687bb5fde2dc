"""Thumbnails that fit, that show another picture, more of it, or a part otherwise."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ifdl import intake
from ifdl.evidence import thumbnail
from ifdl.signal.regions import mask_of
from ifdl.types import Question, State
from tests.photographs import bundled
from tests.planting import Planted
from tests.planting import thumbnail as planting

HOSTS = bundled()


def planted(kind: str, bars: bool, seed: int = 0) -> Planted:
    for n in range(seed, seed + 20):
        host, donor = HOSTS[n % len(HOSTS)], HOSTS[(n + 1) % len(HOSTS)]
        made = planting.paste(host.data, donor.data, np.random.default_rng(n), kind=kind, bars=bars)
        if made is not None:
            return made
    raise AssertionError("nothing could be planted")


@pytest.mark.parametrize("bars", [False, True])
def test_another_pictures_thumbnail_contradicts_the_file(bars: bool) -> None:
    made = planted("other", bars)
    (found,) = thumbnail.run(intake.decode(made.edited))
    assert (found.question, found.state) == (Question.CLAIMS, State.SUPPORTED) and "another picture" in found.sentence
    (clean,) = thumbnail.run(intake.decode(made.clean))
    assert clean.state == State.NO_TRACE_FOUND and float(clean.numbers["correlation"]) > 0.9


def test_what_was_cut_off_is_seen() -> None:
    (found,) = thumbnail.run(intake.decode(planted("cut", False).edited))
    assert found.state == State.SUPPORTED and "cut out of it" in found.sentence


@pytest.mark.parametrize("bars", [False, True])
def test_a_part_changed_since_is_marked_where_it_is(bars: bool) -> None:
    made = planted("part", bars)
    claim, edit = thumbnail.run(intake.decode(made.edited))
    assert claim.state == edit.state == State.SUPPORTED and edit.question == Question.LOCAL_EDIT
    assert made.mask is not None and edit.map is not None and edit.map.size == made.mask.shape
    marked = mask_of(edit.regions, made.mask.shape)
    assert (marked & made.mask).sum() / (marked | made.mask).sum() > 0.4
    heat = edit.map.at_full_size()
    assert heat[made.mask].mean() > 3 * heat[~made.mask].mean()


def test_a_picture_turned_since_is_the_same_picture() -> None:
    made = planted("other", False)
    image = Image.open(io.BytesIO(made.clean))
    buffer = io.BytesIO()
    image.transpose(Image.Transpose.ROTATE_90).save(buffer, "JPEG", quality=90, exif=image.info["exif"])
    (found,) = thumbnail.run(intake.decode(buffer.getvalue()))
    assert found.state == State.NO_TRACE_FOUND and found.numbers["turned"] in (90, 270)


def test_without_one_and_with_a_broken_one_it_is_outside() -> None:
    (none,) = thumbnail.run(intake.decode(HOSTS[0].data))
    assert none.state == State.OUT_OF_DOMAIN
    made = bytearray(planted("other", False).clean)
    at = made.index(b"\xff\xd8", 4)
    made[at + 200 : at + 900] = bytes(700)
    found = thumbnail.run(intake.decode(bytes(made)))
    assert all(f.state != State.FAILED for f in found)
