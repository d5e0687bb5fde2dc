"""Looking a picture up: copies of every kind, host and donor of a composite, and nothing where there is nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from ifdl import intake
from ifdl.trace import index
from ifdl.trace.index import Index
from ifdl.trace.prove import PROVED, State
from ifdl.trace.query import Traced, trace
from ifdl.types import Picture
from tests.trace.pictures import Pixels, archive, composite, jpeg, photographs, turned


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    place = tmp_path_factory.mktemp("trace")
    archive(place / "a")
    with Index(place / "i", write=True) as made:
        made.update(index.pictures(place / "a"), workers=1)
        yield made


def picture(pixels: Pixels, quality: int = 60) -> Picture:
    return intake.load(jpeg(pixels, quality), isolated=False)


def names(hits: tuple[object, ...]) -> list[str]:
    return [Path(h.entry.path).stem for h in hits]  # type: ignore[attr-defined]


def screenshot(pixels: Pixels) -> Pixels:
    """The picture reduced, within a page of flat colour and a bar."""
    page = np.full((300, 420, 3), 244, np.uint8)
    page[:24] = 60
    small = cv2.resize(pixels, None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA)
    page[40 : 40 + small.shape[0], 60 : 60 + small.shape[1]] = small
    return page


COPIES: dict[str, Callable[[Pixels], Pixels]] = {
    "re-saved": lambda p: p,
    "flipped": lambda p: np.ascontiguousarray(p[:, ::-1]),
    "upside down": lambda p: np.ascontiguousarray(p[::-1]),
    "cropped": lambda p: np.ascontiguousarray(p[20:180, 70:290]),
    "turned": lambda p: turned(p, 7)[0],
    "reduced": lambda p: np.asarray(cv2.resize(p, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA), np.uint8),
    "screenshot": screenshot,
}


@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_proved(held: Index, kind: str) -> None:
    found = trace(picture(COPIES[kind](photographs()["coffee"])), held)
    assert names(found.hosts)[0] == "coffee" and found.hosts[0].state is State.PROVED
    assert not found.hosts[0].identical
    assert found.hosts[0].proof.mirrored == (kind in ("flipped", "upside down"))
    assert found.hosts[0].proof.scale == pytest.approx({"reduced": 0.6, "screenshot": 0.9}.get(kind, 1.0), abs=0.02)
    assert [h for h in found.hosts + found.donors if h.state is State.PROVED] == [found.hosts[0]]


def test_a_resaved_copy_differs_nowhere(held: Index) -> None:
    found = trace(picture(photographs()["coffee"]), held)
    assert found.differs is not None and not found.differs.mask.any() and found.region is None
    assert found.differs.agreement > 0.9 and found.differs.known.mean() > 0.95
    assert found.compared is found.hosts[0]


@pytest.mark.parametrize("told", [False, True], ids=["blind", "region"])
def test_host_and_donor_of_a_composite_and_where_it_differs(held: Index, told: bool) -> None:
    pixels, mask = composite()
    found = trace(picture(pixels, 80), held, mask if told else None)
    check(found, mask)
    assert found.region is not None
    if told:
        assert (found.region == mask).all()


def check(found: Traced, mask: np.ndarray) -> None:
    assert names(found.hosts)[0] == "coffee" and found.hosts[0].state is State.PROVED
    assert names(found.donors)[0] == "chelsea" and found.donors[0].state is State.PROVED
    donor = found.donors[0].proof
    assert donor.mirrored and donor.scale == pytest.approx(0.8, abs=0.03) and donor.degrees == pytest.approx(10, abs=2)
    assert found.differs is not None
    seen = found.differs.mask
    assert (seen & mask).sum() / (seen | mask).sum() > 0.85


def test_the_host_of_a_mirrored_composite_is_laid_over_it(held: Index) -> None:
    pixels, mask = composite()
    found = trace(picture(np.ascontiguousarray(pixels[:, ::-1]), 80), held)
    assert found.hosts[0].proof.mirrored and not found.donors[0].proof.mirrored and found.differs is not None
    seen, there = found.differs.mask, mask[:, ::-1]
    assert (seen & there).sum() / (seen | there).sum() > 0.85


def test_the_very_same_file(held: Index) -> None:
    file = next(e.path for e in held.entries if e.path.endswith("rocket.jpg"))
    found = trace(intake.load(file, isolated=False), held)
    assert found.hosts[0].identical and found.hosts[0].state is State.PROVED and found.hosts[0].bits == 0
    assert found.differs is None and found.donors == ()


def test_a_stranger_has_neither_host_nor_donor(held: Index) -> None:
    cells = np.ascontiguousarray(data.immunohistochemistry()[:240, :300])
    for stranger in (cells, np.full((120, 160, 3), 90, np.uint8), np.zeros((1, 1, 3), np.uint8)):
        found = trace(picture(stranger), held)
        assert not [h for h in found.hosts + found.donors if h.state is State.PROVED]
        assert found.differs is None


def test_a_lost_file_is_still_a_host(held: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Index, "pixels", lambda self, entry: None)
    found = trace(picture(photographs()["coffee"]), held)
    assert names(found.hosts)[0] == "coffee" and found.hosts[0].state is State.PROVED
    assert found.differs is None and found.compared is None


def test_an_empty_index(tmp_path: Path) -> None:
    with Index(tmp_path / "i", write=True) as empty:
        found = trace(picture(photographs()["coffee"]), empty)
    assert found.hosts == found.donors == () and found.differs is None


def test_a_printed_legend_proves_nothing(tmp_path: Path) -> None:
    """Two strangers with the same bars above and below, as trail cameras print them."""
    bar = np.zeros((12, 320, 3), np.uint8)
    cv2.putText(bar, "2016-04-19 3:03:00 PM  T 30C  HF2 PRO", (3, 10), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255))

    def printed(name: str) -> Pixels:
        own = cv2.resize(photographs()[name], (320, 213))
        own[:12], own[-12:] = bar, bar
        return own

    file = tmp_path / "a" / "stranger.png"
    file.parent.mkdir()
    cv2.imwrite(str(file), printed("rocket"))
    with Index(tmp_path / "i", write=True) as made:
        made.update([file], workers=1)
        stranger = picture(printed("coffee"), 95)
        found = trace(stranger, made)
        hits = [*found.hosts, *found.donors]
        assert hits and all(h.state is State.LOOKS_LIKE for h in hits) and found.differs is None
        assert max(h.proof.inliers for h in hits) >= PROVED, "the legends alone would have proved it"
        own = trace(picture(printed("rocket"), 60), made)
        assert own.hosts[0].state is State.PROVED
