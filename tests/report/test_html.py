"""The page is one inert file: hostile text stays text, nothing is fetched, nothing runs, nothing is shown at first."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ifdl.report import to_html, write
from ifdl.report.html import chain_break
from ifdl.report.words import state_words, visible
from ifdl.signal.orientation import to_display
from ifdl.types import Answer, Event, Question, State, Word
from tests.report.fixtures import CARDS, HEIGHT, LATITUDE, OWNER, SERIAL, WIDTH, cards, picture, report  # noqa: F401

VOID = {"meta", "link", "img", "input", "br", "hr", "area", "base", "col", "embed", "source", "track", "wbr"}


class Page(HTMLParser):
    """Every element of a page with its attributes, its text, and the text inside <style>."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.style, self.open = "", "", []  # type: ignore[var-annotated]
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes <{self.open[-1] if self.open else None}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.text += data

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag in tags]


@pytest.fixture
def page() -> Page:
    return Page(to_html(report(), full=True))


def test_every_element_is_closed(page: Page) -> None:
    assert page.open == []


def test_nothing_can_run(page: Page) -> None:
    assert not page.all("script", "iframe", "object", "embed", "form", "base", "link", "svg", "video", "audio")
    assert len(page.all("style")) == 1
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcdoc", "srcset")]


def test_nothing_is_fetched(page: Page) -> None:
    for _tag, attributes in page.elements:
        assert not {"action", "formaction", "background", "poster", "data"} & set(attributes)
        assert attributes.get("src") is None or str(attributes["src"]).startswith("data:image/")
    assert "url(" not in page.style and "@import" not in page.style
    for link in page.all("a"):
        href = str(link["href"])
        assert href.startswith("#") or (href.startswith("https://") and "noreferrer" in str(link["rel"]))


def test_the_policy_names_the_real_style(page: Page) -> None:
    metas = {m.get("http-equiv") or m.get("name"): m.get("content") for m in page.all("meta")}
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert metas["Content-Security-Policy"] == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert metas["referrer"] == "no-referrer"
    assert "width=device-width" in str(metas["viewport"])
    assert page.all("html")[0]["lang"] == "en"


def test_hostile_text_is_shown_as_text(page: Page) -> None:
    assert "<script>alert(1)</script>" in page.text
    assert '"><img src=x onerror=alert(2)>' in page.text
    assert "</style><style>body{display:none}</style>" in page.text
    assert "{{ 7 * 7 }}{% for x in y %}" in page.text
    assert "https://evil.example/track.gif" in page.text
    assert "evil.example" not in str(page.all("a", "img"))
    assert "claim 0412 <b>.jpg" in page.text


def test_unseen_characters_are_made_seen(page: Page) -> None:
    assert "photo⟨U+202E⟩gpj.exe⟨U+2066⟩⟨U+200F⟩" in page.text
    assert "bell⟨U+0007⟩ escape⟨U+001B⟩[31m null⟨U+0000⟩ ⟨U+009B⟩" in page.text
    assert "caf⟨U+DCE9⟩" in page.text
    raw = to_html(report(), full=True)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f\x00-\x08\x7f-\x9f\ud800-\udfff]", raw)
    assert visible("سلام, 日本, a\u200db") == "سلام, 日本, a\u200db"


def test_long_values_are_cut(page: Page) -> None:
    assert "A" * 601 not in page.text
    assert "100,000 characters in all" in page.text


def test_no_link_from_a_cards_script_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CARDS, "grid", replace(CARDS["grid"], url="javascript:alert(3)"))
    page = Page(to_html(report()))
    assert "javascript:alert(3)" in page.text
    assert all(str(a["href"]).startswith(("#", "https://")) for a in page.all("a"))


def test_everything_over_the_picture_is_off_at_first(page: Page) -> None:
    switches = page.all("input")
    assert {s["id"] for s in switches} == {"show-mask", "show-outlines", "show-F1", "show-F2", "show-expert-tiny"}
    assert all(s["type"] == "checkbox" and "checked" not in s for s in switches)
    assert {label["for"] for label in page.all("label")} == {s["id"] for s in switches}
    assert ".switch input:not(:checked) ~ .layer" in page.style


def test_pictures_have_words_and_the_preview_is_displayed(page: Page) -> None:
    images = page.all("img")
    assert all(image["alt"] for image in images)
    first = Image.open(io.BytesIO(base64.b64decode(str(images[0]["src"]).split(",")[1])))
    assert first.size == (HEIGHT, WIDTH) and first.format == "JPEG" and not first.getexif()
    shown = to_display(picture().pixels, 6).astype(float)
    assert abs(np.asarray(first, float) - shown).mean() < 12 < abs(np.asarray(first, float) - shown[::-1]).mean()


def test_anchors_are_unique_and_links_lead_somewhere(page: Page) -> None:
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    inner = {str(a["href"])[1:] for a in page.all("a") if str(a["href"]).startswith("#")}
    assert {"finding-F1", "finding-F2", "finding-F3", "coverage"} <= inner <= set(ids)
    assert "finding-___x_y" in ids


def test_private_values_are_redacted_unless_asked_for() -> None:
    shared, full = to_html(report()), to_html(report(), full=True)
    for private in (SERIAL, OWNER, LATITUDE):
        assert private in full and private not in shared
    assert "[redacted]" in shared and "[redacted]" not in full
    assert "Shareable edition" in shared and "Full edition" in full


def test_write_redacts_every_file_unless_asked(tmp_path: Path) -> None:
    for full in (False, True):
        files = write(report(), tmp_path / str(full), full=full)
        for name in ("report.html", "report.json"):
            text = files[name].read_text("utf-8")
            assert (SERIAL in text) is full and (OWNER in text) is full and (LATITUDE in text) is full


def test_sections_stand_in_order(page: Page) -> None:
    order = [str(a["id"]) for tag, a in page.elements if tag == "h2" and "id" in a]
    assert order == [
        "propositions", "item", "summary", "findings", "provenance", "coverage", "validation",
        "environment", "custody", "notes", "not-claimed", "metadata",
    ]  # fmt: skip


def test_what_a_reader_needs_is_there(page: Page) -> None:
    text = " ".join(page.text.split())
    for needed in (
        report().item.sha256,
        report().item.sha512,
        "some region has another origin than the rest",
        "weak support",
        "established as a fact",
        "Not stronger than weak: no calibration set.",
        "text laid over the picture",
        "look for letters inside the outline",
        "A patch whose grid is shifted against its surroundings.",
        "Single blocks, and flat sky.",
        "2 of 137 photographs, at most 4.5 %",
        "not measured",
        "Calibration: none.",
        "no reference camera",
        "saved again since capture",
        "ZIP archive",
        "gain map, 64 × 48, 1,200 bytes at byte 9,000: ISO 21496-1 (listed, not analysed)",
        "partly made by a trained generator",
        "Not run in this version.",
        "-7.12346",
        "Written by a person.",
        "Who edited the picture, when, or why.",
        "d" * 64,
    ):
        assert needed in text, needed


def test_every_test_has_its_row_of_coverage(page: Page) -> None:
    rows = {c.test for c in report().verdict.coverage}
    assert len(rows) == 6 and all(row in page.text for row in rows)
    for symbol, words in (("●", "supported"), ("◇", "out of domain"), ("–", "not run"), ("△", "failed")):
        assert re.search(rf"{symbol}\s+{words}", page.text)


def test_no_verdict_word_it_must_not_use() -> None:
    given = report()
    entries = given.item.metadata.entries[:0]
    item = replace(given.item, metadata=replace(given.item.metadata, entries=entries))
    text = Page(to_html(replace(given, item=item, not_claimed=()))).text.lower()
    for word in ("authentic", "genuine", "fake", "fraud", "proves", "proof", "probability", "real photo"):
        assert not re.search(rf"\b{word}", text), word


def test_states_show_no_red_and_no_green(page: Page) -> None:
    for colour in re.findall("#([0-9a-f]{6})", page.style):
        red, green, blue = (int(colour[i : i + 2], 16) for i in (0, 2, 4))
        assert not (green > 1.2 * max(red, blue) or red > 1.5 * max(green, blue)), colour
    assert page.all("progress", "meter") == []


def test_without_picture_or_findings() -> None:
    given = report()
    bare = replace(
        given,
        picture=None,
        verdict=replace(given.verdict, findings=(), predictions=(), regions=(), coverage=()),
        explanation=replace(given.explanation, sentences=()),
        run=replace(given.run, custody=()),
    )
    page = Page(to_html(bare))
    assert not page.all("img") and "not included" in page.text


def test_broken_custody_chain_is_said() -> None:
    good = report().run.custody
    assert chain_break(good) is None
    bad = (good[0], replace(good[1], previous="c" * 64), Event("later", "x", "e" * 64, "b" * 64))
    assert chain_break(bad) == 2
    assert "broken at entry 2" in to_html(replace(report(), run=replace(report().run, custody=bad)))


@pytest.mark.parametrize(
    ("state", "word", "words"),
    [
        (State.SUPPORTED, Word.MODERATELY_STRONG, "moderately strong support"),
        (State.SUPPORTED, Word.ESTABLISHED, "established as a fact"),
        (State.SUPPORTED, None, "supported"),
        (State.NO_TRACE_FOUND, None, "no trace found"),
    ],
)
def test_graded_words(state: State, word: Word | None, words: str) -> None:
    assert state_words(Answer(Question.HISTORY, state, word, "")) == words
