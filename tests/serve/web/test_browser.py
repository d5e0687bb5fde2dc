"""The page in headless Chromium, against `ifdl serve` as a user starts it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ifdl.serve.cases import Case, custody
from tests.serve.test_cli import EXAMPLES, SPLICE

CHROMIUM = Path("/usr/bin/chromium")
api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("uvicorn", reason="the serve extra is not installed")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed")
PATIENCE = 180_000  # milliseconds: machines that do much else are slow


@dataclass(frozen=True)
class Running:
    """A service as a user starts it: its address with the token, its case, and a picture made from the archive's."""

    address: str
    case: Path
    edited: Path

    @property
    def home(self) -> str:
        return self.address.split("/?")[0]


def archive(folder: Path) -> tuple[Path, Path]:
    """The index of a scene, and the scene with a part put in, reduced and re-saved."""
    from ifdl.trace.index import Index

    (folder / "archive").mkdir()
    scene = Image.open(EXAMPLES / "retouch.jpg").convert("RGB")
    scene.save(folder / "archive" / "scene.png")
    with Index(folder / "archive.index", write=True) as index:
        index.update([folder / "archive" / "scene.png"], workers=1)
    edited = scene.copy()
    edited.paste(Image.open(EXAMPLES / "untouched.jpg").convert("RGB").resize((120, 90)), (200, 150))
    edited.resize((scene.width * 9 // 10, scene.height * 9 // 10)).save(folder / "edited.jpg", quality=88)
    return folder / "archive.index", folder / "edited.jpg"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service for all tests here, started by its command."""
    folder = tmp_path_factory.mktemp("served")
    index, edited = archive(folder)
    case = folder / "claim 7"
    command = [sys.executable, "-m", "ifdl.serve.cli", "serve", "--no-open", "--case", str(case), "--index", str(index)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "IFDL_ANALYST": "Ada"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
        watch = threading.Timer(PATIENCE / 1000, server.kill)
        watch.start()
        try:
            assert server.stderr is not None
            said = server.stderr.readline()
            found = re.search(r"http://\S+token=\S+", said)
            assert found, said + server.stderr.read()
            watch.cancel()
            yield Running(found.group(), case, edited)
        finally:
            watch.cancel()
            server.kill()


@pytest.fixture(scope="module")
def visitor(running: Running) -> Iterator[Any]:
    """A browser's context after its first visit."""
    with api.sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
        context.set_default_timeout(PATIENCE)
        context.new_page().goto(running.address)
        yield context
        browser.close()


@pytest.fixture
def page(visitor: Any) -> Iterator[Any]:
    """A tab; no error in it, and nothing asked of another machine."""
    wrong: list[str] = []
    tab = visitor.new_page()
    tab.on("console", lambda told: wrong.append(told.text) if told.type == "error" else None)
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("request", lambda asked: wrong.append(asked.url) if "://127.0.0.1" not in asked.url else None)
    yield tab
    tab.close()
    assert not wrong, wrong


def handed_in(page: Any, running: Running, file: Path) -> None:
    page.goto(running.home)
    page.set_input_files("#file", str(file))
    page.wait_for_selector("main[data-done=yes]")


def until(page: Any, condition: str) -> None:
    """Wait for a condition; Playwright's own way is an eval in the page, which the page's policy forbids."""
    end = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(50)


def test_an_analyst_hands_in_a_picture_and_asks_about_a_part(page: Any, running: Running) -> None:
    handed_in(page, running, SPLICE)
    assert page.locator(".answer h2").count() == 4
    assert "supported" in page.locator(".cell", has_text="JPEG block grid").inner_text()
    assert not page.is_checked("#mask") and page.locator("#over img").count() == 0, "the picture before the marks"

    page.check("#mask")
    until(page, "document.querySelector('#over img').naturalWidth > 0")
    page.locator("#layers summary").click()
    layer = page.locator("#layers details .layer-row", has_text="JPEG block grid")
    layer.locator("input[type=checkbox]").check()
    until(page, "[...document.querySelectorAll('#over img')].filter(i => i.naturalWidth).length == 2")
    assert layer.locator(".guide").is_visible()

    page.select_option("#zoom", "4")
    sheet = page.evaluate("[sheet.offsetWidth, sheet.offsetHeight].map(Math.round)")
    assert sheet == [2400, 1600], "both ways alike"
    until(page, "[...tiles.children].some(i => i.naturalWidth > 0)")
    page.select_option("#zoom", "0")

    page.focus("#draw")
    page.keyboard.press("Enter")
    before = page.input_value("#box-x")
    page.keyboard.press("ArrowRight")
    assert int(page.input_value("#box-x")) > int(before)
    for name, value in (("x", 465), ("y", 49), ("w", 113), ("h", 115)):
        page.fill(f"#box-{name}", str(value))
    page.keyboard.press("Enter")
    page.wait_for_selector("#asked h3")
    assert "Upper right" in page.locator("#asked h3").inner_text()
    assert "supports" in page.locator("#asked li", has_text="JPEG block grid").inner_text()

    page.select_option("#zoom", "0")
    page.click("#lasso")
    sheet = page.locator("#sheet").bounding_box()
    for n, (x, y) in enumerate([(0.77, 0.12), (0.97, 0.12), (0.97, 0.42), (0.77, 0.42)]):
        page.mouse.move(sheet["x"] + sheet["width"] * x, sheet["y"] + sheet["height"] * y, steps=4 if n else 1)
        if not n:
            page.mouse.down()
    page.evaluate("asked.replaceChildren()")
    page.mouse.up()
    page.wait_for_selector("#asked h3")
    assert "supports" in page.locator("#asked li", has_text="JPEG block grid").inner_text()

    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, "nothing runs off a phone"


def test_a_case_from_note_to_evidence(page: Any, running: Running) -> None:
    handed_in(page, running, SPLICE)  # the very same file: it is still there
    page.check("#mask")
    page.fill("#note-text", "The badge is lit from the other side.")
    page.focus("#note-text")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".notes-list li")
    assert page.evaluate("document.activeElement.id") == "note-text", "the next note can follow"
    page.click("#analyst button:has-text('Warning')")
    page.wait_for_selector("#analyst button[aria-pressed=true]:has-text('Warning')")
    assert "in the case" in page.inner_text("#people-said")

    page.goto(f"{running.home}/case")
    page.fill("input[name=note]", "BADGE")
    page.select_option("select[name=mark]", "Warning")
    page.click("button:has-text('Search')")
    assert page.inner_text(".tally-line").startswith("1 picture")
    page.click("table a")
    with page.expect_download() as download:
        page.click("a:has-text('ZIP with a manifest')")
    with zipfile.ZipFile(download.value.path()) as bundle:
        assert {"manifest.json", "analyst.json", "report.html"} <= set(bundle.namelist())
        assert any(name.startswith("layers/") for name in bundle.namelist()), "from memory, with its layers"
        assert b"badge" not in bundle.read("report.json")
    page.goto(f"{running.home}/case/log")
    assert "hold." in page.inner_text("main")
    with Case(running.case) as case:
        told = [(row.who, row.what) for row in custody.rows(case.db)]
        assert case.broken() is None
    assert {who for who, _ in told} == {"Ada"}
    said = [what for _, what in told]
    wanted = ["examined", "looked at: mask", "noted", "marked: Warning", "exported: bundle, redacted"]
    assert [what for what in dict.fromkeys(said) if what in wanted] == wanted


def test_the_archive_shows_where_a_picture_comes_from(page: Any, running: Running) -> None:
    handed_in(page, running, running.edited)
    page.click("nav >> text=Archive’s Trace")
    page.wait_for_selector(".hit")
    assert "scene.png" in page.inner_text(".hit h2") and "Proved" in page.inner_text(".hit")
    until(page, "[...document.querySelectorAll('.hit img')].every(i => i.naturalWidth > 0)")
    assert page.locator(".hit img").count() == 4, "both side by side, what differs, and one over the other"
    page.locator(".compared input").fill("20")
    assert "80%" in page.evaluate("document.querySelector('.theirs').style.clipPath")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_screen_readers_and_keyboards_find_nothing_in_the_way(visitor: Any, running: Running) -> None:
    axe = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    script = (Path(axe.__file__).parent / "axe.min.js").read_text("utf-8")
    places = [running.home, f"{running.home}/case", f"{running.home}/case/log"]
    page = visitor.new_page()
    page.goto(running.home)
    places += [running.home + page.get_attribute(".held a", "href")] if page.locator(".held a").count() else []
    page.goto(f"{running.home}/case")
    links = (
        page.eval_on_selector_all("table a", "all => all.map(a => a.href)") if page.locator("table a").count() else []
    )
    page.close()
    # The page's policy forbids scripts of others; this context, for axe alone, does not keep to it.
    context = visitor.browser.new_context(storage_state=visitor.storage_state(), bypass_csp=True)
    page = context.new_page()
    for place in places + links[:1]:
        for width, scheme in ((1280, "light"), (390, "dark")):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 844})
            page.goto(place)
            page.evaluate(script)
            found = page.evaluate("axe.run().then(r => r.violations.map(v => [v.id, v.nodes[0].html.slice(0, 200)]))")
            assert not found, (place, scheme, found)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, place
    context.close()
