"""The documentation site builds without a warning and asks no other machine for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FETCHED = {"img": ("src", "srcset"), "script": ("src",), "link": ("href",), "iframe": ("src",), "source": ("src",)}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ("material", "mkdocstrings"):
        pytest.importorskip(name, reason="the docs extra is not installed")
    out = tmp_path_factory.mktemp("site")
    line = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


class Fetched(HTMLParser):
    """Addresses that a browser would fetch by itself, without a click."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag != "link" or given.get("rel") not in ("canonical", "next", "prev"):
            self.found += [given[name] or "" for name in FETCHED.get(tag, ()) if name in given]


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        parser = Fetched()
        parser.feed(page.read_text(encoding="utf-8"))
        assert parser.found, f"{page} loads no style"
        foreign = [address for address in parser.found if re.match(r"(https?:)?//", address)]
        assert not foreign, (page, foreign)
    for style in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import )[\"']?(https?:)?//", style.read_text(encoding="utf-8")), style


def test_cards_commands_and_docstrings_are_in_it(site: Path) -> None:
    from ifdl import experts, forge
    from ifdl.verdict import battery

    cards = (site / "cards" / "index.html").read_text(encoding="utf-8")
    assert all(battery.card(name).title in cards for name in battery.names())
    assert all((site / "cards" / f"{name}.html").is_file() for name in experts.names())
    engines = (site / "cards" / "engines.html").read_text(encoding="utf-8")
    assert all(f"<code>{name}</code>" in engines for name in forge.names())
    commands = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    assert "Usage: ifdl export [OPTIONS]" in commands and "Usage: ifdl models card" in commands
    python = (site / "reference" / "python.html").read_text(encoding="utf-8")
    assert "Examine one picture file, or its bytes" in python and "from_pretrained" in python


def test_every_page_written_by_hand_is_in_the_menu() -> None:
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    missing = [p.name for p in (ROOT / "docs").glob("*.md") if f": {p.name}" not in menu]
    assert not missing, f"add to the menu in mkdocs.yml: {', '.join(missing)}"
