"""The report in a real browser: its own policy lets its style and pictures through, and nothing else."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ifdl
from ifdl.report import html

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CHROMIUM = Path("/usr/bin/chromium")
PATIENCE = 120_000  # milliseconds: machines that do much else are slow
# A picture is decoded beside the page; one that is not ready yet would be missing from a screenshot.
DECODED = "() => Promise.all([...document.images].map(image => image.decode()))"

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with api.sync_playwright() as tools:
        running = tools.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield running
        running.close()


class Shown:
    """A page in a tab of its own, and what the browser complained about."""

    def __init__(self, browser: Any, page: str, folder: Path, size: tuple[int, int]) -> None:
        self.complaints: list[str] = []
        self.tab = browser.new_page(viewport={"width": size[0], "height": size[1]})
        self.tab.set_default_timeout(PATIENCE)
        self.tab.on("console", lambda told: self.complaints.append(told.text))
        (folder / "page.html").write_text(page, encoding="utf-8")
        self.tab.goto((folder / "page.html").as_uri())

    def shot(self) -> np.ndarray:
        """Screenshot uint8 H×W×3."""
        self.tab.evaluate(DECODED)
        return np.asarray(Image.open(io.BytesIO(self.tab.screenshot(animations="disabled"))).convert("RGB"))


@pytest.fixture(scope="module")
def page() -> str:
    return html.to_html(ifdl.examine(EXAMPLES / "splice.jpg"))


@pytest.mark.parametrize("size", [(1280, 1600), (500, 2400)], ids=["wide", "phone"])
def test_page_shows_the_picture_unmarked_and_breaks_no_policy(
    browser: Any, page: str, tmp_path: Path, size: tuple[int, int]
) -> None:
    whole = Shown(browser, page, tmp_path, size)
    shot = whole.shot()
    bare = Shown(browser, re.sub(r'<img class="layer [^>]*>', "", page), tmp_path, size).shot()
    assert np.array_equal(shot, bare), "a layer shows before anybody asked for it"
    whole.tab.locator('input[type="checkbox"]').first.check()
    assert np.mean(whole.shot() != shot) > 0.001, "the toggle shows nothing"
    assert not shot[:, -1].std(axis=0).any(), "something runs off the right edge"
    assert not whole.complaints


def test_a_foreign_style_would_be_refused(browser: Any, page: str, tmp_path: Path) -> None:
    """Control: the policy is really in force."""
    assert "<style>" in page
    refused = Shown(browser, page.replace("<style>", "<style>/**/"), tmp_path, (800, 600))
    assert any("Content Security Policy" in said and "style" in said for said in refused.complaints)
