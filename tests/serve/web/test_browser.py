"""The page in headless Chromium, against `ifdl serve` as a user starts it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serve.test_cli import SPLICE

CHROMIUM = Path("/usr/bin/chromium")
api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("uvicorn", reason="the serve extra is not installed")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed")
PATIENCE = 180_000  # milliseconds: machines that do much else are slow


@pytest.fixture
def address() -> Iterator[str]:
    """Address and token of a running service, started by its command."""
    command = [sys.executable, "-m", "ifdl.serve.cli", "serve", "--no-open", "--port", "0"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
        watch = threading.Timer(PATIENCE / 1000, server.kill)
        watch.start()
        try:
            assert server.stderr is not None
            said = server.stderr.readline()
            found = re.search(r"http://\S+token=\S+", said)
            assert found, said + server.stderr.read()
            watch.cancel()
            yield found.group()
        finally:
            watch.cancel()
            server.kill()


def until(page: Any, condition: str) -> None:
    """Wait for a condition; Playwright's own way is an eval in the page, which the page's policy forbids."""
    end = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(50)


def test_an_analyst_hands_in_a_picture_and_asks_about_a_part(address: str) -> None:
    wrong: list[str] = []
    with api.sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("console", lambda told: wrong.append(told.text) if told.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: wrong.append(asked.url) if "://127.0.0.1" not in asked.url else None)

        page.goto(address)
        page.set_input_files("#file", str(SPLICE))
        page.wait_for_selector("main[data-done=yes]")
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

        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, "nothing runs off a phone"
        browser.close()
    assert not wrong, wrong
