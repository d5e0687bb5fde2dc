"""The Gradio demonstration: what its one function answers, and, where Gradio is installed, its page."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from tests.serve.test_cli import EXAMPLES, SPLICE

DEMO = runpy.run_path(str(EXAMPLES / "gradio_demo.py"))


def test_answers(tmp_path: Path) -> None:
    marked, said = DEMO["answers"](str(SPLICE))
    assert marked.shape[2] == 3 and said.count("\n\n") == 3 and "Local edit" in said
    broken = tmp_path / "a.jpg"
    broken.write_bytes(SPLICE.read_bytes()[:2000])
    assert DEMO["answers"](str(broken))[0] is None and "cannot be examined" in DEMO["answers"](str(broken))[1]
    assert DEMO["answers"](None) == (None, "Choose a picture.")


def test_page() -> None:
    pytest.importorskip("gradio", reason="gradio is not installed: pip install 'ifdl[demo]'")
    page = DEMO["build"]()
    assert {block.label for block in page.blocks.values() if getattr(block, "label", None)} >= {"Picture", "Answers"}
