"""A fabricated report with something in every field: hostile, private, sideways, and with broken-off tests.

Nothing here was measured. Regions overlap nothing in particular; the numbers only have to appear.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from ifdl import evidence
from ifdl.report import SCHEMA_VERSION
from ifdl.signal.regions import region_of
from ifdl.types import (
    Answer,
    Card,
    Container,
    Coverage,
    Environment,
    Event,
    Explanation,
    FalseAlarms,
    Finding,
    Innocent,
    Item,
    Map,
    Metadata,
    MetadataEntry,
    Picture,
    Prediction,
    Question,
    Region,
    Report,
    Run,
    Sentence,
    State,
    SubImage,
    Verdict,
    Word,
)

HEIGHT, WIDTH, ORIENTATION = 120, 200, 6
SERIAL, OWNER, LATITUDE = "SN-0047-1199", "Ada Example", "48.85837"
HOSTILE = {
    "script": "<script>alert(1)</script>",
    "image": '"><img src=x onerror=alert(2)>',
    "style": "</style><style>body{display:none}</style>",
    "template": "{{ 7 * 7 }}{% for x in y %}",
    "turned": "photo\u202egpj.exe\u2066\u200f",
    "controls": "bell\x07 escape\x1b[31m null\x00 \x9b",
    "surrogate": "caf\udce9",
    "long": "A" * 100_000,
    "link": "https://evil.example/track.gif",
}
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"

CARDS = {
    "grid": Card(
        "grid",
        "Compression grid",
        (Question.LOCAL_EDIT,),
        version="3",
        citation="Author and Author, Journal 2020",
        url="https://example.org/paper",
        domain="JPEG files at their first size",
        threshold="log10 of the number of false alarms below -3",
        false_alarms=FalseAlarms("camera", 2, 137, 0.0454),
        look_for="A patch whose grid is shifted against its surroundings.",
        ignore="Single blocks, and flat sky.",
        limits=("pastes that happen to lie on the same grid", "pictures saved again at lower quality"),
    ),
    "noise": Card("noise", "Noise level", (Question.LOCAL_EDIT,), experimental=True),
    "header": Card(
        "header",
        "Statements and structure",
        (Question.CLAIMS, Question.HISTORY),
        false_alarms=FalseAlarms("camera", measured=False, note="the set has no metadata left"),
    ),
}


@pytest.fixture(autouse=True)
def cards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The fabricated clues stand in for the real ones; any other name is not installed."""
    monkeypatch.setattr(evidence, "load", lambda name: SimpleNamespace(CARD=CARDS[name]))
    yield


def patch(x: int, y: int, width: int, height: int, name: str = "") -> Region:
    """A rectangle with one corner missing, so that its mask differs from its box."""
    mask: NDArray[np.bool_] = np.zeros((HEIGHT, WIDTH), bool)
    mask[y : y + height, x : x + width] = True
    mask[y : y + height // 3, x : x + width // 3] = False
    return replace(region_of(mask, ORIENTATION), id=name)


def picture() -> Picture:
    """A grey ramp with coloured noise, stored lying on its side."""
    rng = np.random.default_rng(1)
    ramp = np.linspace(40, 200, WIDTH)[None, :, None] + rng.normal(0, 12, (HEIGHT, WIDTH, 3))
    pixels = np.clip(ramp, 0, 255).astype(np.uint8)
    data = b"not a real file"
    entries = [MetadataEntry("XMP", name, value) for name, value in HOSTILE.items()]
    entries += [
        MetadataEntry("EXIF", HOSTILE["script"], "a hostile name"),
        MetadataEntry("EXIF", "BodySerialNumber", SERIAL, private=True),
        MetadataEntry("EXIF", "OwnerName", OWNER, private=True),
        MetadataEntry("GPS", "GPSLatitude", LATITUDE, private=True),
        MetadataEntry("GPS", "GPSLatitudeRef", "N", private=True),
        MetadataEntry("XMP", "Credit", f"Photo: {OWNER}"),
        MetadataEntry("XMP", "DigitalSourceType", SOURCE_TYPE),
    ]
    item = Item(
        name="claim 0412 <b>.jpg",
        sha256=hashlib.sha256(data).hexdigest(),
        sha512=hashlib.sha512(data).hexdigest(),
        bytes=len(data),
        format="JPEG",
        media_type="image/jpeg",
        width=WIDTH,
        height=HEIGHT,
        orientation=ORIENTATION,
        conversion=("EXIF orientation 6 recorded, not applied",),
        icc_profile="Display P3",
        decoder="Pillow 13, libjpeg_turbo 3",
        container=Container(
            quantisation={0: tuple(range(1, 65))},
            component_tables=(0, 0, 0),
            subsampling="4:2:0",
            markers=("APP1:Exif", "DQT"),
            sub_images=(SubImage("gain_map", 64, 48, 9000, 1200, "ISO 21496-1"), SubImage("thumbnail")),
            trailing_bytes=1234,
            trailing_kind="ZIP archive",
            warnings=(HOSTILE["script"],),
        ),
        metadata=Metadata(tuple(entries), ("XMP cut short",)),
    )
    return Picture(pixels, item, data)


def report(started: str = "2026-01-02T03:04:05Z", seconds: float = 1.25) -> Report:
    """The fabricated report; the two arguments reach `run` only."""
    photo = picture()
    rows, cols = np.mgrid[0:15, 0:25]
    heat = np.exp(-((rows - 7) ** 2 + (cols - 12) ** 2) / 20.0)
    first, second = patch(40, 20, 60, 45, "R1"), patch(150, 80, 30, 20, "R2")
    findings = (
        Finding(
            "grid",
            Question.LOCAL_EDIT,
            State.SUPPORTED,
            f"The compression grid of a patch is shifted by 3 pixels (camera {SERIAL}).",
            strength=0.812345678,
            map=Map.of(heat, (HEIGHT, WIDTH), 8),
            regions=(first, second),
            numbers={"shift": 3, "log10_nfa": -7.123456789, "camera": SERIAL, "latitude": float(LATITUDE)},
            innocent=(Innocent("text laid over the picture", "look for letters inside the outline"),),
            citation="Author and Author, Journal 2020",
            id="F1",
        ),
        Finding(
            "noise",
            Question.LOCAL_EDIT,
            State.INCONCLUSIVE,
            "The noise differs a little, but also between textures.",
            regions=(second,),
            map=Map.of(np.where(rows > 9, 0.7, np.nan), (HEIGHT, WIDTH), 8),
            experimental=True,
            id="F2",
        ),
        Finding("header", Question.CLAIMS, State.SUPPORTED, "Two dates differ.", established=True, id="F3"),
        Finding("header", Question.HISTORY, State.NO_TRACE_FOUND, "No second saving was seen.", id="F4"),
        Finding("stranger", Question.SYNTHETIC_ORIGIN, State.FAILED, f"It broke off: {HOSTILE['image']}", id="../x y"),
    )
    verdict = Verdict(
        answers=(
            Answer(Question.HISTORY, State.NO_TRACE_FOUND, None, "No second saving was seen.", findings=("F4",)),
            Answer(
                Question.LOCAL_EDIT,
                State.SUPPORTED,
                Word.WEAK,
                "Some region seems to have another origin.",
                "Not stronger than weak: no calibration set.",
                ("F1", "F2"),
                ("R1",),
            ),
            Answer(Question.SYNTHETIC_ORIGIN, State.FAILED, None, "No test gave an answer."),
            Answer(Question.CLAIMS, State.SUPPORTED, Word.ESTABLISHED, "Two dates differ.", findings=("F3", "F99")),
        ),
        regions=(first, second),
        coverage=(
            Coverage("grid", "Compression grid", (Question.LOCAL_EDIT,), State.SUPPORTED, "2 regions"),
            Coverage("noise", "Noise level", (Question.LOCAL_EDIT,), State.INCONCLUSIVE, "weak"),
            Coverage("header", "Statements and structure", (Question.CLAIMS,), State.SUPPORTED, "ran"),
            Coverage("cfa", "Colour filter", (Question.LOCAL_EDIT,), State.OUT_OF_DOMAIN, "saved again since capture"),
            Coverage("prnu", "Sensor pattern", (Question.HISTORY,), State.NOT_RUN, "no reference camera"),
            Coverage("stranger", "A plug-in", (Question.SYNTHETIC_ORIGIN,), State.FAILED, "it broke off"),
        ),
        findings=findings,
        predictions=(Prediction("tiny", Map.of(heat * 0.5, (HEIGHT, WIDTH), 8), probabilities={"edited": 0.5}),),
    )
    log = [Event("2026-01-02T03:04:05Z", "file read", "a" * 64, ""), Event(started, "examined", "b" * 64, "a" * 64)]
    return Report(
        schema_version=SCHEMA_VERSION,
        item=photo.item,
        verdict=verdict,
        explanation=Explanation(
            "template",
            (
                Sentence("One patch does not fit the grid of the rest.", ("F1",), ("R1",), Question.LOCAL_EDIT),
                Sentence(f"The owner field reads {OWNER}.", ("F3",)),
            ),
        ),
        environment=Environment("0.1.0", "3.11", {"numpy": "2.0"}, {"grid": "3"}, {"tiny": "c" * 64}, "d" * 64),
        not_claimed=("Who edited the picture, when, or why.", "That the area outside the mask is untouched."),
        redacted=False,
        run=Run(started, {"decode": seconds}, tuple(log)),
        picture=photo,
    )
