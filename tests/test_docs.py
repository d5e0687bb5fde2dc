"""What the documents say is what was measured, and what they name exists."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks import tables

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_tables_are_generated_from_the_results() -> None:
    assert tables.updated(README) == README, "run: python benchmarks/tables.py"


def test_links_and_pictures_exist() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert ((ROOT / name).parent / target).exists(), f"{name} links to {target}"


def test_make_targets_named_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`?make (\w+)", README):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_commands_named_in_the_readme_exist() -> None:
    from ifdl.serve.cli import app

    known = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback}
    known |= {group.name or "" for group in app.registered_groups}
    assert set(re.findall(r"^ifdl (\w+)", README, re.M)) <= known


def test_tracked_files_stay_small() -> None:
    assert sum(p.stat().st_size for p in (ROOT / "examples").iterdir()) < 1_000_000
