"""The page: facts, then answers, then layers; hostile text stays text; a box in displayed pixels is the right one."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image, PngImagePlugin

from ifdl.report.words import QUESTIONS
from ifdl.serve.web import drawings, pages, views
from ifdl.serve.web.jobs import Job
from ifdl.serve.web.requests import stored_box
from ifdl.serve.web.worker import Task
from ifdl.signal.orientation import to_display
from ifdl.types import Coverage, Item, Picture, State
from ifdl.verdict import battery
from tests.serve.test_cli import EXAMPLES, SPLICE

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>\u202egpj.exe'


def handed_in(page: TestClient, data: bytes, name: str = "splice.jpg") -> str:
    """The address of the picture's page, when all is done."""
    told = page.post("/pictures", params={"name": name}, content=data)
    assert told.status_code == 201, told.text
    place: str = told.json()["location"]
    events(page, place)
    return place


def events(page: TestClient, place: str) -> list[dict[str, object]]:
    text = page.get(f"{place}/events").text
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


class Tags(HTMLParser):
    """What a browser would load, run or name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def splice(page: TestClient) -> str:
    return handed_in(page, SPLICE.read_bytes())


def test_things_arrive_in_order(page: TestClient) -> None:
    data = (EXAMPLES / "copymove.jpg").read_bytes()
    place = page.post("/pictures", params={"name": "c.jpg"}, content=data).json()["location"]
    told = events(page, place)
    assert told[-1]["done"] and not any(t["done"] for t in told[:-1])
    seen = {}
    for n, event in enumerate(told):
        for name, part in event["parts"].items():  # type: ignore[attr-defined]
            html = part["html"]
            if name == "facts" and "427" in html:
                seen.setdefault("facts", n)
            if name == "answers" and "being examined" in html and html.count("being examined") < len(QUESTIONS):
                seen.setdefault("early", n)
            if name == "answers" and "being examined" not in html:
                seen.setdefault("answers", n)
            if name == "layers" and "data-layer" in html:
                seen.setdefault("layers", n)
    assert seen["facts"] <= seen["answers"] <= seen["layers"] == len(told) - 1
    # A slow listener may find two steps in one event.
    assert seen["facts"] <= seen.get("early", seen["facts"]) <= seen["answers"]


def test_the_strip_fills_cell_by_cell() -> None:
    job = Job("id", Task("p.jpg"), "0" * 64, b"")
    names = battery.names()
    assert views.fragments(job)["coverage"].count(">waiting<") == len(names)
    job.tell("step", names[1])
    job.tell("heard", (Coverage(names[0], "One", (), State.NO_TRACE_FOUND, "why"), ()))
    strip = views.fragments(job)["coverage"]
    assert strip.count(">waiting<") == len(names) - 2 and strip.count(">running<") == 1
    assert strip.count("no trace found") == 1 and "href" not in strip, "there is no row to go to yet"


def test_first_screen(page: TestClient, splice: str) -> None:
    text = page.get(splice).text
    for title in QUESTIONS.values():
        assert f"<h2>{title} " in text
    strip = text.split('class="strip"')[1].split("</ul>")[0]
    for name in battery.names():
        assert f'href="#row-{name}"' in strip and f'id="row-{name}"' in text
    tags = Tags(text).tags
    boxes = [a for t, a in tags if t == "input" and a.get("type") == "checkbox"]
    assert boxes and not any("checked" in a for a in boxes), "nothing is laid over the picture at first"
    assert {"mask", "grid", "show-mask", "swipe", "zoom"} <= {a.get("id") for _, a in tags}
    assert "Harmless cause" in text and "How to check" in text
    words = re.sub(r"<[^>]+>", " ", text).lower()
    for forbidden in ("fake", "authentic picture", "genuine", "real photo"):
        assert forbidden not in words
    assert not re.search(r"\d\s*%\s*(fake|edited|real|likely)", words)


def test_nothing_from_elsewhere_and_nothing_inline(page: TestClient, splice: str) -> None:
    for path in ("/", splice):
        for tag, attributes in Tags(page.get(path).text).tags:
            assert not {a for a in attributes if a.startswith("on") or a == "style"}, (tag, attributes)
            for name in ("src", "href"):
                value = attributes.get(name) or ""
                assert not value.startswith(("http:", "//", "javascript:")), value
            if tag == "script":
                assert (attributes.get("src") or "").startswith("/static/")
            assert tag not in ("style", "iframe", "object")
    for name in ("hand_in.js", "picture.js", "stage.js", "layers.js", "box.js", "base.css", "page.css"):
        answer = page.get(f"/static/{name}")
        assert answer.status_code == 200 and "http://" not in answer.text.replace("http://www.w3.org", "")
    assert page.get("/static/../app.py").status_code == 404


def test_shades_only(page: TestClient) -> None:
    """No red and no green: every colour of the page is grey, or the blue of links."""
    for name in ("base.css", "page.css"):
        for colour in re.findall(r"#([0-9a-fA-F]{6}|[0-9a-fA-F]{3})\b", page.get(f"/static/{name}").text):
            wide = colour if len(colour) == 6 else "".join(c * 2 for c in colour)
            red, green, blue = (int(wide[n : n + 2], 16) for n in (0, 2, 4))
            assert max(red, green) - blue < 12, f"#{colour} in {name}"


def test_controls_have_names(page: TestClient, splice: str) -> None:
    text = page.get(splice).text
    tags = Tags(text).tags
    labelled = {a["for"] for t, a in tags if t == "label" and "for" in a}
    wrapped = set(re.findall(r"<label[^>]*>[^<]*(?:<[^>]*>[^<]*)*?<(?:input|select)[^>]*id=\"([\w-]+)\"", text))
    for tag, a in tags:
        if tag in ("input", "select"):
            assert a.get("id") in labelled | wrapped or a.get("aria-label"), a
        if tag == "img":
            assert "alt" in a
    ids = [a["id"] for _, a in tags if a.get("id")]
    assert len(ids) == len(set(ids)), "ids are unique"
    for _, a in tags:
        for name in ("aria-labelledby", "aria-describedby"):
            assert a.get(name) is None or a[name] in ids
    assert any(t == "html" and a.get("lang") == "en" for t, a in tags)


def test_layers_tiles_and_reports(page: TestClient, splice: str) -> None:
    text = page.get(splice).text
    for name in re.findall(r'data-layer="([\w-]+)"', text):
        drawn = page.get(f"{splice}/layers/{name}.png")
        assert drawn.status_code == 200 and Image.open(io.BytesIO(drawn.content)).size[0] > 100, name
    assert page.get(f"{splice}/layers/nothing.png").status_code == 404
    whole = np.asarray(Image.open(SPLICE).convert("RGB"))
    tile = np.asarray(Image.open(io.BytesIO(page.get(f"{splice}/tiles/1-0.png").content)))
    assert np.abs(tile.astype(int) - whole[:512, 512:600]).max() <= 2, "the unaltered pixels, but for the decoder"
    assert page.get(f"{splice}/tiles/5-5.png").status_code == 404
    assert page.get(f"{splice}/tiles/-1-0.png").status_code in (404, 422)
    assert page.get(f"{splice}/report.html").headers["content-disposition"].startswith("attachment")
    assert page.get(f"{splice}/report.json").json()["redacted"]
    assert page.get(f"{splice}/mask.png").status_code == 200
    assert page.get("/pictures/unknown").status_code == 404


def test_region_on_the_page(page: TestClient, splice: str) -> None:
    told = page.post(f"{splice}/region", content="465,49,113,115")
    assert told.status_code == 200 and "JPEG block grid" in told.text and "supports" in told.text
    lasso = page.post(f"{splice}/region", content="465,49 578,49 578,164 465,164")
    assert lasso.status_code == 200 and "JPEG block grid" in lasso.text and "supports" in lasso.text
    for wrong in ("1,1 2", "1,1 5,5", "1,1 a,b c,d", "9000,0 9000,9 9100,0", "1,1 " * 9000):
        assert page.post(f"{splice}/region", content=wrong).status_code in (413, 422), wrong[:40]
    for wrong in ("", "1,2,3", "9000,9000,5,5", "a,b,c,d", "1" * 300):
        assert page.post(f"{splice}/region", content=wrong).status_code in (413, 422), wrong


def test_hostile_name_and_metadata_stay_text(page: TestClient) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", HOSTILE)
    buffer = io.BytesIO()
    Image.effect_noise((96, 96), 40).save(buffer, "PNG", pnginfo=info)
    place = handed_in(page, buffer.getvalue(), HOSTILE[:200])
    for text in (page.get(place).text, page.get("/").text, json.dumps(events(page, place))):
        assert "<script>alert" not in text and "<img src=x" not in text
    assert "\u202e" not in page.get(place).text and "⟨U+202E⟩" in page.get(place).text


def test_refused_picture_says_why(page: TestClient) -> None:
    place = handed_in(page, b"\xff\xd8 no picture", "broken.jpg")
    text = page.get(place).text
    assert "could not be examined" in text and "broken" in text and 'class="notice"' in text
    assert page.get(f"{place}/preview.jpg").status_code == 404
    assert page.post(f"{place}/region", content="1,1,5,5").status_code == 409


@pytest.mark.parametrize("orientation", range(1, 9))
def test_displayed_box_is_the_stored_one(orientation: int) -> None:
    height, width = 40, 70
    marked = np.zeros((height, width, 3), np.uint8)
    x, y, w, h = 10, 5, 20, 12
    marked[y : y + h, x : x + w] = 255
    item = Item("p", "", "", 1, "PNG", "image/png", width, height, orientation)
    picture = Picture(marked, item)
    shown = to_display(marked, orientation)
    rows, cols = np.flatnonzero(shown.any((1, 2))), np.flatnonzero(shown.any((0, 2)))
    box = int(cols[0]), int(rows[0]), len(cols), len(rows)
    assert stored_box(box, picture) == (x, y, w, h)
    u, v = box[:2]
    corners = {
        pages.stored_point(p, picture) for p in ((u, v), (u + box[2], v), (u + box[2], v + box[3]), (u, v + box[3]))
    }
    assert corners == {(x, y), (x + w, y), (x + w, y + h), (x, y + h)}, "a lasso's corners lie on the edges"
    tile = drawings.tile(picture, 0, 0)
    assert tile is not None and (np.asarray(Image.open(io.BytesIO(tile))) == shown).all()
    assert drawings.displayed_size(picture.item) == (shown.shape[1], shown.shape[0])
