"""`ifdl explain` as a user types it, and the local model's explainer on a tiny model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ifdl.explain import _vlm, claims
from ifdl.serve.cli import app
from ifdl.types import Picture, Sentence, Verdict
from tests.report import fixtures

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
RETOUCH = EXAMPLES / "retouch.jpg"


def ifdl(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["explain", *map(str, arguments)])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fabricated picture and verdict in place of ten seconds of tests."""
    from ifdl import intake, spine

    monkeypatch.setattr(intake, "load", lambda path: fixtures.picture())
    monkeypatch.setattr(spine, "examine_picture", lambda picture: fixtures.report())


@pytest.mark.usefixtures("quick")
def test_without_a_model() -> None:
    done = ifdl(RETOUCH)
    assert done.exit_code == 0, done.output
    assert "[F1]" in done.stdout and "Not checked" in done.stdout
    told = json.loads(ifdl(RETOUCH, "--json").stdout)
    assert told["explainer"] == "grounded" and all(s["findings"] for s in told["sentences"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((RETOUCH, "--with", "gpt"), "--with takes grounded, llava:ID or http://…"),
        ((RETOUCH, "--with", "http://192.168.1.9/v1"), "--allow-remote"),
        ((RETOUCH, "--with", "llava:Qwen/Qwen3-VL-32B-Instruct"), "name its commit too"),
        ((RETOUCH, "--with", "grounded", "--set", "alpha=0.3"), "are for --with llava:ID"),
        ((RETOUCH, "--with", "llava:", "--set", "beta=1"), "a key of alpha"),
        ((RETOUCH, "--with", "llava:", "--set", "alpha=x"), "takes a number"),
        ((RETOUCH, "--with", "llava:", "--set", "alpha=7"), "alpha is a share"),
        (("nothing.jpg",), "nothing.jpg"),
    ],
)
def test_mistakes_are_one_sentence(arguments: tuple[object, ...], words: str) -> None:
    done = ifdl(*arguments)
    assert done.exit_code == 2 and words in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_missing_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "ifdl.nets" and "ravfe" in (rest[2] or ()):
            raise ImportError("No module named 'torch'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    done = ifdl(RETOUCH, "--with", "llava:")
    assert done.exit_code == 2 and 'pip install "ifdl[vlm]"' in done.stderr


@pytest.mark.usefixtures("quick")
def test_a_local_model_is_guided_checked_and_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs the train extra")
    from ifdl.nets import vlm, vlm_tiny

    place = tmp_path / "model"
    own = vlm_tiny.tiny("llava")
    own.model.save_pretrained(place)
    own.tokens.save_pretrained(place)
    asked: list[tuple[Any, Any, str, float]] = []
    words = vlm.Vlm.words

    def heard(self: Any, picture: Any, mask: Any, question: str, most: int) -> str:
        asked.append((picture, mask, question, self.how.alpha))
        words(self, picture, mask, question, 3)
        return "Areas: the lower left.\nTampered content: a dog put there by Bob."

    def checked(text: str, picture: Picture, verdict: Verdict, mark: bool = False) -> tuple[Sentence, ...]:
        lines = text.splitlines()
        kept = [Sentence(line, ("F1",), ("R1",)) for line in lines if "Bob" not in line]
        return (*kept, *(Sentence(line, (), kind="unsupported") for line in lines if mark and "Bob" in line))

    monkeypatch.setattr(vlm.Vlm, "words", heard)
    monkeypatch.setattr(claims, "checked", checked)
    raw = tmp_path / "raw.txt"
    done = ifdl(RETOUCH, "--with", f"llava:{place}", "--set", "alpha=0.25", "--raw", raw, "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["explainer"] == f"llava:{place}" and told["sentences"][0]["text"] == "Areas: the lower left."
    assert "Bob" not in done.stdout and "Bob" in raw.read_text()
    assert "1 of the model's 2 sentences" in done.stderr
    assert "needs about" in done.stderr and "loading" in done.stderr, "memory is said before loading"
    ((picture, mask, question, alpha),) = asked
    assert alpha == 0.25 and "compression grid" in question
    assert mask.shape == (fixtures.WIDTH, fixtures.HEIGHT), "the mask as displayed"
    assert picture.shape[2] == 3


def test_no_mask_where_nothing_is_supported() -> None:
    from dataclasses import replace

    from ifdl.types import State

    made = fixtures.report()
    assert made.picture is not None and _vlm.marked(made.picture, made.verdict) is not None
    answers = tuple(replace(a, state=State.INCONCLUSIVE) for a in made.verdict.answers)
    assert _vlm.marked(made.picture, replace(made.verdict, answers=answers)) is None
