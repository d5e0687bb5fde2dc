"""What a trace is shown as: lines, JSON and a page on which hostile names stay text."""

from __future__ import annotations

import html
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ifdl import intake
from ifdl.report import trace as report
from ifdl.trace import index, prove, query
from ifdl.trace.index import Index
from ifdl.trace.query import Traced
from ifdl.types import Picture
from tests.report.fixtures import HOSTILE
from tests.trace.pictures import archive, composite, jpeg, photographs

NAMES = {kind: name.replace("/", "") for kind, name in HOSTILE.items() if kind != "long" and "\x00" not in name}


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Picture, Traced]:
    """A composite of the coffee (host) and the cat (donor), looked up."""
    place = tmp_path_factory.mktemp("trace")
    archive(place / "a")
    with Index(place / "i", write=True) as made:
        made.update(index.pictures(place / "a"), workers=1)
        picture = intake.load(jpeg(composite()[0], 80), isolated=False, name="asked.jpg")
        return picture, query.trace(picture, made)


def renamed(traced: Traced, path: str, dated: str = "") -> Traced:
    """The same with another path of its first host."""
    host = traced.hosts[0]
    other = replace(host, entry=replace(host.entry, path=path, dated=dated))
    return replace(traced, hosts=(other, *traced.hosts[1:]), compared=other)


def test_words_say_what_was_found_and_not_more(traced: tuple[Picture, Traced]) -> None:
    picture, found = traced
    said = report.lines(report.to_dict(picture, found, 4))
    assert said[0].startswith("the whole: ") and "coffee.jpg: proved: " in said[0]
    assert any(line.startswith("a part: ") and "chelsea.jpg" in line and "scaled 0.8" in line for line in said)
    assert any("mirrored" in line and "10° clockwise" in line for line in said)
    assert "Which of them was changed, this does not tell." in said[-1]
    assert "left" in said[-1]


def test_nothing_found_is_said_so(traced: tuple[Picture, Traced]) -> None:
    told = report.to_dict(traced[0], Traced((), ()), 12)
    assert report.lines(told) == ["Nothing among the 12 pictures of the index. That says nothing about the picture."]
    assert told["differs"] is None
    assert "12 pictures searched" in report.to_html(traced[0], Traced((), ()), 12)


def test_json_holds_the_map_and_the_archive_record(traced: tuple[Picture, Traced]) -> None:
    picture, found = traced
    told = json.loads(report.contents(picture, found, 4)["trace.json"])
    host, donor = told["hosts"][0], told["donors"][0]
    assert host["state"] == donor["state"] == "proved" and host["inliers"] >= 15
    assert len(host["archive"]["sha256"]) == 64 and host["archive"]["bytes"] > 1000
    matrix, proof = np.array(donor["matrix"]), found.donors[0].proof
    assert proof.theirs is not None and proof.ours is not None
    mapped = np.c_[proof.theirs, np.ones(len(proof.theirs))] @ matrix.T
    assert np.abs(mapped[:, :2] / mapped[:, 2:] - proof.ours).max() < 5
    assert told["differs"]["from"].endswith("coffee.jpg") and told["differs"]["regions"]
    assert 0.05 < told["differs"]["share"] < 0.3 and told["differs"]["compared"] > 0.9


def test_the_mask_is_where_they_differ(traced: tuple[Picture, Traced]) -> None:
    picture, found = traced
    mask = intake.load(report.contents(picture, found, 4)["mask.png"], isolated=False).pixels[..., 0]
    assert found.differs is not None
    np.testing.assert_array_equal(mask == 255, found.differs.mask)
    assert "mask.png" not in report.contents(picture, Traced((), ()), 4)


def test_the_page_shows_both_and_needs_nothing(traced: tuple[Picture, Traced]) -> None:
    page = report.to_html(*traced, 4)
    assert "<script" not in page and "http:" not in page and "https:" not in page
    assert page.count('src="data:image/jpeg;base64,') == 2 + 5, "two pairs; marked, blink and swipe"
    assert "default-src 'none'" in html.unescape(page) and 'class="blink"' in page and 'class="swipe"' in page
    for digest in (h.entry.sha256 for h in traced[1].hosts + traced[1].donors):
        assert digest in page


@pytest.mark.parametrize("kind", sorted(NAMES))
def test_hostile_names_stay_text(traced: tuple[Picture, Traced], kind: str) -> None:
    picture, found = traced
    changed = renamed(found, f"/archive/{NAMES[kind]}.jpg", HOSTILE["script"])
    item = replace(picture.item, name=NAMES[kind])
    asked = Picture(picture.pixels, item, picture.data)
    page = report.to_html(asked, changed, 4)
    page.encode()
    assert "<script" not in page and "<img src=x" not in page and page.count("<style>") == 1
    assert "\u202e" not in page and "\x07" not in page and "\x1b" not in page
    said = report.lines(report.to_dict(asked, changed, 4))
    assert "\x1b" not in "".join(said) and "\u202e" not in "".join(said)
    json.loads(report.contents(asked, changed, 4)["trace.json"])


def test_names_that_are_no_text(traced: tuple[Picture, Traced]) -> None:
    changed = renamed(traced[1], os.fsdecode(b"/archive/caf\xe9.jpg"))
    made = report.contents(traced[0], changed, 4)
    assert json.loads(made["trace.json"])["hosts"][0]["path"] == "/archive/caf\\xe9.jpg"


def test_a_lost_file_is_said_so(traced: tuple[Picture, Traced], tmp_path: Path) -> None:
    changed = renamed(traced[1], str(tmp_path / "gone.jpg"))
    page = report.to_html(traced[0], changed, 4)
    assert "cannot be shown" in page


def test_lines_join_the_places_that_agree(traced: tuple[Picture, Traced]) -> None:
    picture, found = traced
    donor = found.donors[0]
    theirs = photographs()["chelsea"][:, ::-1]
    drawn = report._joined(picture.pixels, np.ascontiguousarray(theirs), donor)
    assert drawn.shape == (max(picture.height, theirs.shape[0]), picture.width + theirs.shape[1] + 16, 3)
    assert donor.proof.ours is not None
    x, y = np.rint(donor.proof.ours[0]).astype(int)
    assert np.abs(drawn[y, x].astype(int) - report.DOT).max() < 90


def test_the_threshold_it_names_is_the_one_used(traced: tuple[Picture, Traced]) -> None:
    assert f"at least {prove.PROVED} distinct places" in report.to_html(*traced, 4)
