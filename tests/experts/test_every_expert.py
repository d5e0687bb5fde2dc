"""The contract sweep: every file in `experts/` keeps the promises that the rest of the house builds on.

New files are found; each is tried as `tiny()`, which has random weights. What a system cannot do at a size is said by
its card's domain and is none of this.
"""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ifdl import experts
from ifdl.intake import decode
from ifdl.types import Card, Picture, Question
from tests.photographs import bundled

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "src" / "ifdl" / "experts"
OWN = tuple(sorted(path.stem for path in FOLDER.glob("[!_]*.py")))
# (height, width): one pixel, a row, a column, narrow, odd, and two whole steps of every system.
SIZES = ((1, 1), (1, 40), (75, 1), (33, 131), (64, 96))
BANNED = re.compile(r"\b(authentic|genuine|fake|proves?|100 %|definitely|certainly|state of the art)\b", re.I)


@pytest.fixture(params=OWN)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def photograph() -> Picture:
    return decode(bundled()[0].data)


@pytest.fixture(scope="module")
def tiny() -> dict[str, Any]:
    """Each expert once: what is random about it stays the same for the module."""
    torch = pytest.importorskip("torch", reason="the train extra is not installed")
    pytest.importorskip("transformers", reason="the train extra is not installed")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    made = {name: experts.module(name).tiny() for name in OWN}
    for expert in made.values():
        expert.net()
    return made


def part(photograph: Picture, size: tuple[int, int]) -> Picture:
    return replace(photograph, pixels=np.ascontiguousarray(photograph.pixels[60 : 60 + size[0], 90 : 90 + size[1]]))


# ---------------------------------------------------------------- what needs no torch


def test_the_folder_is_the_list() -> None:
    assert set(OWN) <= set(experts.names()) and len(OWN) >= 6


def test_the_card_is_complete(name: str) -> None:
    card = experts.module(name).CARD
    assert isinstance(card, Card) and card.id == name
    assert Question.LOCAL_EDIT in card.questions
    for part_of_it in ("title", "citation", "url", "domain", "threshold", "licence"):
        assert getattr(card, part_of_it), f"{name}'s card says nothing of {part_of_it}"
    assert card.url.startswith("https://") and len(card.limits) >= 3
    assert card.experimental or (card.look_for and card.ignore)
    words = " ".join((card.title, card.domain, card.threshold, card.look_for, card.ignore))
    assert not BANNED.search(words), BANNED.search(words)


def test_weights_are_pinned_by_hash_or_there_are_none(name: str) -> None:
    assert re.fullmatch(r"([0-9a-f]{64})?", experts.module(name).WEIGHTS_SHA256)
    # A hash of what is trained later is set together with the file that has it.
    shipped = [
        ROOT / "src" / "ifdl" / "weights" / f"{name}.safetensors",
        ROOT / "weights" / f"{name}_small.safetensors",
    ]
    assert bool(experts.module(name).WEIGHTS_SHA256) == any(path.is_file() for path in shipped)
    assert all(path.stat().st_size <= (16e6 if "src" in path.parts else 1.5e6) for path in shipped if path.is_file())


def test_build_takes_weights_and_says_what_else(name: str) -> None:
    about = inspect.signature(experts.module(name).build)
    assert next(iter(about.parameters)) == "weights" and about.parameters["weights"].default is None
    assert (experts.module(name).build.__doc__ or "").strip() and (experts.module(name).__doc__ or "").strip()


def test_all_import_and_show_their_cards_without_torch() -> None:
    line = (
        "import sys\nfor m in ('torch', 'transformers'): sys.modules[m] = None\n"
        "from ifdl import experts\n"
        f"for name in {OWN!r}: assert experts.module(name).CARD.id == name\n"
        "from ifdl.verdict import battery; print(battery.card('ifdl_small').title)"
    )
    done = subprocess.run([sys.executable, "-c", line], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------- what a tiny one does


def test_a_prediction_is_in_stored_pixels_whatever_the_size(
    name: str, tiny: dict[str, Any], photograph: Picture
) -> None:
    for size in SIZES:
        picture = part(photograph, size)
        before = picture.pixels.copy()
        found = tiny[name].predict(picture)
        assert found.expert == name and found.heat.size == size
        assert found.heat.at_full_size().shape == size and found.heat.values.dtype == np.uint16
        assert found.score is None or 0 <= found.score <= 1
        assert found.reliability is None or found.reliability.size == size
        if found.probabilities:
            assert sum(found.probabilities.values()) == pytest.approx(1)
        assert np.array_equal(picture.pixels, before), "the picture was changed"


def test_the_same_picture_gives_the_same_answer(name: str, tiny: dict[str, Any], photograph: Picture) -> None:
    picture = part(photograph, (64, 96))
    one, two = (tiny[name].predict(picture) for _ in range(2))
    assert np.array_equal(one.heat.values, two.heat.values) and one.score == two.score


def test_another_picture_gives_another_answer(name: str, tiny: dict[str, Any], photograph: Picture) -> None:
    """The control of the test above: an answer that does not depend on the picture is the same too."""
    net = tiny[name].net().eval()
    import torch

    with torch.no_grad():
        maps = []
        for top in (60, 200):
            pixels = np.ascontiguousarray(photograph.pixels[top : top + 64, 90 : 90 + 96])
            inputs = {n: torch.from_numpy(a)[None] for n, a in tiny[name].prepare(pixels).items()}
            maps.append(net(**inputs)["map"])
    assert not torch.equal(*maps)


def test_training_has_finite_terms_and_a_gradient(name: str, tiny: dict[str, Any], photograph: Picture) -> None:
    torch = pytest.importorskip("torch")
    expert = tiny[name]
    net = expert.net().train()
    pictures = [np.ascontiguousarray(photograph.pixels[n : n + 64, n : n + 64]) for n in (0, 40, 80, 120)]
    prepared = [expert.prepare(picture) for picture in pictures]
    inputs = {n: torch.from_numpy(np.stack([one[n] for one in prepared])) for n in prepared[0]}
    truth = {"label": torch.tensor([1, 0, 1, 0])}
    if expert.SUPERVISION != "label":
        mask = torch.zeros(4, 1, 64, 64)
        mask[::2, :, 16:40, 8:48] = 1
        truth |= {"mask": mask, "known": torch.ones(4, dtype=torch.bool)}
    if expert.SUPERVISION == "grade":
        truth["grade"] = truth["mask"] * 0.3
    net.zero_grad()
    terms = expert.loss({n: t.float() for n, t in net(**inputs).items() if t is not None}, truth)
    assert terms and all(bool(torch.isfinite(term)) and term.ndim == 0 for term in terms.values()), terms
    sum(terms.values()).backward()
    given = [p.grad for p in net.parameters() if p.requires_grad and p.grad is not None]
    assert any(float(g.abs().sum()) > 0 for g in given) and all(bool(torch.isfinite(g).all()) for g in given)
    net.zero_grad()
    net.eval()


def test_findings_answer_the_card_s_questions(name: str, tiny: dict[str, Any], photograph: Picture) -> None:
    picture = part(photograph, (64, 96))
    found = tiny[name].findings(tiny[name].predict(picture), picture)
    assert found and {f.clue for f in found} == {name}
    for finding in found:
        assert not BANNED.search(finding.sentence)
        quoted = set(re.findall(r"(?<![\w.])\d+(?:\.\d+)?", finding.sentence))
        known = {f"{value:g}" for value in finding.numbers.values() if isinstance(value, int | float)}
        assert {f"{float(q):g}" for q in quoted} <= known | {"1"}, finding.sentence


def test_an_untrained_system_says_how_to_train_it(
    name: str, photograph: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (experts.PACKAGE / f"{name}.safetensors").is_file():
        pytest.skip("its weights are part of the package")
    pytest.importorskip("torch", reason="the train extra is not installed")
    monkeypatch.setattr(experts.module(name), "WEIGHTS_SHA256", "")
    with pytest.raises(ValueError, match=r"weights") as refused:
        experts.load(name).predict(part(photograph, (64, 96)))
    assert "train it" in str(refused.value) and str(refused.value).count(".") <= 2
