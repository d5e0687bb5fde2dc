"""A text may repeat findings in other words; whatever it adds is dropped. The planted claims were written first."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import ifdl
from ifdl.explain import claims
from ifdl.types import Report, Word

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples"
MEASURED = json.loads((HERE.parents[1] / "results" / "claims.json").read_text(encoding="utf-8"))
HELD = "planted_held.jsonl"  # measured, never looked at by whoever writes the parser
NAMES = ("splice", "copymove", "retouch", "untouched")


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    return {name: ifdl.examine(EXAMPLES / f"{name}.jpg") for name in NAMES}


Checker = Callable[[str, str], list[claims.Claim]]


@pytest.fixture(scope="module")
def check(reports: dict[str, Report]) -> Checker:
    def run(name: str, text: str) -> list[claims.Claim]:
        report = reports[name]
        assert report.picture is not None
        return claims.check(text, report.picture, report.verdict)

    return run


@pytest.mark.parametrize("file", sorted(path.name for path in HERE.glob("planted*.jsonl")))
def test_planted_claims(file: str, check: Checker) -> None:
    rows = [json.loads(line) for line in (HERE / file).read_text(encoding="utf-8").splitlines()]
    stands = [all(c.supported for c in check(row["picture"], row["text"])) for row in rows]
    false = [stood for stood, row in zip(stands, rows, strict=True) if not row["true"]]
    true = [stood for stood, row in zip(stands, rows, strict=True) if row["true"]]
    told = MEASURED["files"][file]
    assert (len(false) - sum(false), len(true) - sum(true)) == (told["caught"], told["dropped"]), "measure them again"
    if file != HELD:
        assert sum(false) <= 0.05 * len(false)
        assert sum(true) >= 0.9 * len(true)


@pytest.mark.parametrize("name", NAMES)
def test_what_the_grounded_explainer_says_stands(name: str, reports: dict[str, Report]) -> None:
    report = reports[name]
    assert report.picture is not None
    for sentence in report.explanation.sentences:
        kept = claims.checked(sentence.text, report.picture, report.verdict)
        assert " ".join(s.text for s in kept) == sentence.text
        assert all(s.findings for s in kept)


@pytest.mark.parametrize("name", NAMES)
def test_the_explanation_of_another_picture_does_not_all_stand(name: str, reports: dict[str, Report]) -> None:
    other = reports["copymove" if name == "splice" else "splice"]
    text = " ".join(s.text for s in other.explanation.sentences if s.kind in ("finding", "where"))
    report = reports[name]
    assert report.picture is not None
    kept = claims.checked(text, report.picture, report.verdict)
    assert not any("line up" in s.text or "repeated" in s.text for s in kept)


def test_kept_sentences_name_what_they_rest_on(reports: dict[str, Report]) -> None:
    report = reports["splice"]
    assert report.picture is not None
    text = (
        "## Findings\n- **Grid:** the JPEG blocks at the *upper right* do not line up.\n"
        "- The shadow is wrong.\n- Photoshop was used."
    )
    kept = claims.checked(text, report.picture, report.verdict)
    assert [(s.text, s.findings, s.regions) for s in kept] == [
        ("Grid: the JPEG blocks at the upper right do not line up.", ("jpeg_grid.2",), ("jpeg_grid.2.r1",))
    ]
    marked = claims.checked(text, report.picture, report.verdict, mark=True)
    assert [s.kind for s in marked] == ["rephrased", "unsupported", "unsupported"]
    assert all(s.text.startswith(claims.MARK) and not s.findings for s in marked[1:])


def test_the_two_halves_of_a_sentence_are_held_apart(check: Checker) -> None:
    right = "The JPEG blocks do not line up at the upper right, while the noise differs at the lower right."
    swapped = "The JPEG blocks do not line up at the lower right, while the noise differs at the upper right."
    assert all(c.supported for c in check("splice", right))
    assert {c.kind for c in check("splice", swapped) if not c.supported} == {"position"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("The part lies at the lower left.", "position"),
        ("The part lies at x 10-60, y 10-60.", "position"),
        ("It covers 40 % of the picture.", "size"),
        ("A teapot at the upper right has another origin.", "object"),
        ("The shadow of the part is wrong.", "cue"),
        ("The file was saved five times.", "number"),
        ("There is strong support for a local edit.", "certainty"),
        ("The JPEG grid differs because Photoshop was used.", "cause"),
        ("Four regions have another origin.", "count"),
        ("The JPEG grid shows nothing.", "cue"),
        ("Good morning.", "object"),
        ("The picture shows everything there was.", "ground"),
    ],
)
def test_each_kind_is_named(check: Checker, text: str, kind: str) -> None:
    assert kind in {c.kind for c in check("splice", text) if not c.supported}


def test_precision_stated_is_precision_checked(check: Checker) -> None:
    def stands(share: str) -> bool:
        return all(c.supported for c in check("splice", f"The part covers {share} of the picture."))

    assert [stands(s) for s in ("3.6 %", "4 %", "about 4 %", "under 5 %", "3.58 %")] == [True] * 5
    assert [stands(s) for s in ("3.7 %", "3 %", "about 6 %", "under 3 %", "3.50 %")] == [False] * 5


def test_a_stronger_verdict_allows_a_stronger_word(reports: dict[str, Report]) -> None:
    report = reports["splice"]
    assert report.picture is not None
    text = "There is moderate support for a local edit."
    assert not claims.checked(text, report.picture, report.verdict)
    answers = tuple(replace(a, word=Word.MODERATE) if a.question == "local_edit" else a for a in report.verdict.answers)
    assert claims.checked(text, report.picture, replace(report.verdict, answers=answers))


def test_a_named_region_may_be_called_by_its_name(reports: dict[str, Report]) -> None:
    report = reports["splice"]
    assert report.picture is not None
    text = "The bottle at the upper right has another origin."
    assert not claims.checked(text, report.picture, report.verdict)
    regions = tuple(replace(r, name="bottle") for r in report.verdict.regions)
    assert claims.checked(text, report.picture, replace(report.verdict, regions=regions))


def test_nothing_and_nonsense(check: Checker) -> None:
    assert check("splice", "") == check("splice", " \n* \n") == []
    for text in ("))) 9,9 [[", "x" * 20_000, "not " * 3_000, "1,2,3," * 2_000, "Areas:", "% % %"):
        assert not any(c.findings and not c.supported for c in check("splice", text))
