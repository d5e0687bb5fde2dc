"""The contract sweep: every file in `evidence/` keeps the promises that the rest of the house builds on."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ifdl import evidence, intake
from ifdl.types import Finding, Picture, State
from tests.photographs import bundled

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results" / "clues.json"
BANNED = re.compile(
    r"\b(authentic|genuine|fake[ds]?|forger|fraud|proves?|100 %|definitely|certainly|real photo)\b", re.I
)


def saved(pixels: np.ndarray, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def odd_pictures() -> dict[str, bytes]:
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 256, (200, 300, 3), dtype=np.uint8)
    steps = np.repeat(np.repeat(rng.integers(0, 256, (13, 19, 3), dtype=np.uint8), 16, 0), 16, 1)
    return {
        "one_pixel": saved(np.zeros((1, 1, 3), np.uint8)),
        "one_row": saved(noise[:1]),
        "one_column": saved(noise[:, :1]),
        "narrow": saved(rng.integers(0, 256, (9, 2500, 3), dtype=np.uint8)),
        "black": saved(np.zeros((256, 256, 3), np.uint8)),
        "white_jpeg": saved(np.full((256, 256, 3), 255, np.uint8), "JPEG"),
        "noise": saved(noise),
        "noise_jpeg": saved(noise, "JPEG", quality=60),
        "blocks": saved(steps),
        "worst_jpeg": saved(noise, "JPEG", quality=1),
    }


PICTURES = {name: intake.decode(data, name=f"{name}.png") for name, data in odd_pictures().items()}
PICTURES |= {p.name: intake.decode(p.data, name=p.name) for p in bundled()[:2]}


@pytest.fixture(params=evidence.names())
def clue(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def findings(clue: str, picture: Picture) -> list[Finding]:
    return evidence.run(clue, picture)


def test_card_is_complete(clue: str) -> None:
    card = evidence.load(clue).CARD
    assert card.id == clue
    for field in ("title", "questions", "version", "citation", "domain", "threshold", "look_for", "ignore", "limits"):
        assert getattr(card, field), f"{clue}: CARD.{field} is empty"
    assert card.false_alarms is not None
    if card.false_alarms.measured:
        assert card.false_alarms.photographs > 0
    else:
        assert card.false_alarms.note, "say why it cannot be measured"


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_says_something_sensible_of_any_picture(clue: str, name: str) -> None:
    picture = PICTURES[name]
    for finding in findings(clue, picture):
        assert finding.clue == clue
        assert finding.question in evidence.load(clue).CARD.questions
        assert finding.state not in (State.FAILED, State.NOT_RUN), finding.sentence
        assert finding.sentence.endswith("."), finding.sentence
        assert not BANNED.search(finding.sentence), finding.sentence
        assert 0 <= finding.strength <= 1
        assert all(not isinstance(v, float) or np.isfinite(v) for v in finding.numbers.values())
        if finding.state == State.SUPPORTED:
            assert finding.innocent and finding.citation, "what else could do this?"
        if finding.map is not None:
            assert finding.map.size == (picture.height, picture.width)
            assert finding.map.at_full_size().shape == finding.map.size
        for region in finding.regions:
            x, y, width, height = region.box
            assert 0 <= x and x + width <= picture.width and 0 <= y and y + height <= picture.height
            assert 0 < region.area <= 1


def test_tiny_pictures_are_never_evidence_of_an_edit(clue: str) -> None:
    for name in ("one_pixel", "one_row", "one_column", "black", "white_jpeg"):
        for finding in findings(clue, PICTURES[name]):
            assert not (finding.state == State.SUPPORTED and finding.regions), (name, finding.sentence)


def test_same_bytes_same_findings(clue: str) -> None:
    for picture in (PICTURES["astronaut.jpg"], PICTURES["noise_jpeg"]):
        first, second = findings(clue, picture), findings(clue, picture)
        assert [(f.state, f.sentence, f.numbers, f.regions) for f in first] == [
            (f.state, f.sentence, f.numbers, f.regions) for f in second
        ]


def test_leaves_the_picture_alone(clue: str) -> None:
    picture = PICTURES["astronaut.jpg"]
    before = picture.pixels.copy()
    findings(clue, picture)
    assert np.array_equal(before, picture.pixels)


def test_stated_false_alarms_are_the_measured_ones(clue: str) -> None:
    """The card quotes results/clues.json; a clue that misses its targets there must be experimental."""
    card = evidence.load(clue).CARD
    measured = json.loads(RESULTS.read_text())["clues"][clue]
    assert measured["version"] == card.version, "measure anew: make results"
    assert card.false_alarms is not None
    if card.false_alarms.measured:
        rows = [r["all"] for r in measured["false_alarms"].values()]
        stated = (card.false_alarms.alarms, card.false_alarms.photographs, card.false_alarms.upper)
        assert stated in [(r["alarms"], r["photographs"], r["upper_95"]) for r in rows]
    if isinstance(measured["planted"], str):
        return  # nothing to plant: an exact check, which tests hold to known files
    planted = measured["planted"]["all"]
    if planted["in_domain"] < 0.8 or planted["found"] < 0.6:
        assert card.experimental, f"{clue} misses its targets: {planted}"


def test_a_failing_clue_becomes_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    name = evidence.names()[0]
    module = evidence.load(name)

    def burst(picture: Picture) -> list[Finding]:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(module, "run", burst)
    failed = evidence.run(name, PICTURES["noise"])
    assert {f.state for f in failed} == {State.FAILED}
    assert {f.question for f in failed} == set(module.CARD.questions)
    assert "on purpose" in failed[0].sentence


def test_unknown_clue_names_the_known_ones() -> None:
    with pytest.raises(KeyError, match="metadata"):
        evidence.load("astrology")
