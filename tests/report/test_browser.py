"""The report in a real browser: its own policy lets its style and pictures through, and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ifdl
from ifdl.report import html

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is absent")


def shown(page: str, folder: Path, size: tuple[int, int]) -> tuple[np.ndarray, str]:
    """(screenshot uint8 H×W×3, what the browser complained about) of a page."""
    folder = Path(tempfile.mkdtemp(dir=folder))
    (folder / "page.html").write_text(page, encoding="utf-8")
    picture = folder / "shot.png"
    command = [str(CHROMIUM), *QUIET, f"--user-data-dir={folder / 'profile'}", f"--window-size={size[0]},{size[1]}"]
    command += [f"--screenshot={picture}", (folder / "page.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert picture.exists(), done.stderr[-800:]
    complaints = [line for line in done.stderr.splitlines() if "Content Security Policy" in line]
    return np.asarray(Image.open(picture).convert("RGB")), "\n".join(complaints)


@pytest.fixture(scope="module")
def page() -> str:
    return html.to_html(ifdl.examine(EXAMPLES / "splice.jpg"))


@pytest.mark.parametrize("size", [(1280, 1600), (500, 2400)], ids=["wide", "phone"])
def test_page_shows_the_picture_unmarked_and_breaks_no_policy(page: str, tmp_path: Path, size: tuple[int, int]) -> None:
    shot, complaints = shown(page, tmp_path, size)
    assert complaints == ""
    bare, _ = shown(re.sub(r'<img class="layer [^>]*>', "", page), tmp_path, size)
    assert np.array_equal(shot, bare), "a layer shows before anybody asked for it"
    marked, _ = shown(page.replace('<input type="checkbox"', '<input type="checkbox" checked', 1), tmp_path, size)
    assert np.mean(marked != shot) > 0.001, "the toggle shows nothing"
    assert not shot[:, -1].std(axis=0).any(), "something runs off the right edge"


def test_a_foreign_style_would_be_refused(page: str, tmp_path: Path) -> None:
    """Control: the policy is really in force."""
    assert "<style>" in page
    _, complaints = shown(page.replace("<style>", "<style>/**/"), tmp_path, (800, 600))
    assert "style" in complaints
