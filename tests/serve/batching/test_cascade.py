"""One picture in steps: the same answers as `ifdl.examine`, in one go or in two halves; and who sees the expert."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ifdl
from ifdl import evidence, experts, intake
from ifdl.serve.batching import cascade, worker
from ifdl.serve.batching.cascade import Plan, Policy
from ifdl.serve.batching.table import STAGES, Row
from ifdl.signal import rle
from ifdl.signal.regions import mask_of
from ifdl.types import Answer, Finding, Metadata, MetadataEntry, Picture, Question, Rle, State, Verdict
from ifdl.verdict import battery

SPLICE = Path(__file__).resolve().parents[3] / "examples" / "splice.jpg"
TESTS = ("jpeg_grid", "metadata", "structure", "ifdl_small")
PLAN = Plan.of(TESTS)


@pytest.fixture(scope="module")
def picture() -> Picture:
    return intake.load(SPLICE)


@pytest.fixture(scope="module")
def row(picture: Picture) -> Row:
    return cascade.second(picture, cascade.first(picture, PLAN, {"read": 0.1, "decode": 0.2}), PLAN, "a.jpg")


def test_answers_are_those_of_examine(row: Row) -> None:
    report = ifdl.examine(SPLICE, clues=TESTS)
    for answer in report.verdict.answers:
        assert row[str(answer.question)] == {
            "state": answer.state,
            "word": answer.word,
            "log10_ratio": answer.log10_ratio,
        }
    assert row["local_edit"]["state"] == "SUPPORTED", "or this test shows nothing"
    assert [r["id"] for r in row["regions"]] == [r.id for r in report.verdict.regions]
    assert row["sha256"] == report.item.sha256 and row["coverage"][0]["test"] == report.verdict.coverage[0].test


def test_a_half_that_travelled_keeps_what_joint_tests_rest_on() -> None:
    plan = Plan.of(("copymove", "ifdl_small", "marked_copy"))
    shown = intake.load(SPLICE.with_name("copymove.jpg"))
    half = cascade.first(shown, plan, {})
    there = cascade.unpacked(cascade.packed(half))
    assert [f.alike for f in there.findings] == [f.alike for f in half.findings]
    assert any(f.alike for f in there.findings), "or this test shows nothing"
    rows = [cascade.second(shown, one, plan, "a.jpg") for one in (half, there)]
    assert rows[0]["local_edit"] == rows[1]["local_edit"]
    assert rows[0]["coverage"] == rows[1]["coverage"]


def test_mask_is_the_union_of_the_regions_for_pycocotools_too(row: Row, picture: Picture) -> None:
    from pycocotools import mask as coco

    runs = Rle(tuple(row["mask"]["size"]), row["mask"]["counts"])
    expected = mask_of(ifdl.examine(SPLICE, clues=TESTS).verdict.regions, (picture.height, picture.width))
    assert np.array_equal(rle.decode(runs), expected)
    assert np.array_equal(coco.decode(row["mask"]).astype(bool), expected)


def test_two_halves_are_the_same_row(row: Row) -> None:
    data = SPLICE.read_bytes()
    with intake.Decoder() as decoder:
        half = worker.examine(decoder, worker.Task("a.jpg", row["sha256"], data, alone=True), PLAN)
        assert isinstance(half, str) and len(half) < 20_000, "no maps travel"
        apart = worker.examine(decoder, worker.Task("a.jpg", row["sha256"], data, half=half), PLAN)
    assert isinstance(apart, dict)
    assert {**apart, "seconds": 0} == {**row, "seconds": 0}
    assert set(apart["seconds"]) == set(STAGES)


def test_explained_only_where_a_person_will_read(row: Row, picture: Picture) -> None:
    assert row["stage"] == "explain" and any("JPEG blocks" in sentence for sentence in row["explanation"])
    history = Plan.of(("structure",))
    other = cascade.second(picture, cascade.first(picture, history, {}), history, "a.jpg")
    assert other["history"]["state"] == "SUPPORTED", "or this test shows nothing"
    assert other["stage"] == "clues" and other["explanation"] is None and other["mask"] is None


def test_private_values_stay_out_of_explanations() -> None:
    source = Path(__file__).resolve().parents[3] / "examples" / "splice.jpg"
    picture = intake.load(source)

    secret = "Serial-90210"
    item = replace(picture.item, metadata=Metadata((MetadataEntry("EXIF", "BodySerialNumber", secret, True),)))
    finding = Finding("metadata", Question.CLAIMS, State.SUPPORTED, f"It says {secret}.", established=True, id="x.1")
    marked = replace(picture, item=item)
    verdict = cascade._verdict(marked, [finding], PLAN, PLAN.clues)
    said = " ".join(cascade._explained(marked, verdict, PLAN))
    assert "It says" in said and secret not in said


def verdict(state: State, log10: float | None, claims: State = State.NO_TRACE_FOUND) -> Verdict:
    def one(question: Question) -> Answer:
        if question is Question.LOCAL_EDIT:
            return Answer(question, state, None, "", log10_ratio=log10)
        return Answer(question, claims if question is Question.CLAIMS else State.NOT_RUN, None, "")

    return Verdict(tuple(one(q) for q in Question), (), (), ())


def test_policies() -> None:
    silent, leaning = verdict(State.NO_TRACE_FOUND, -0.1), verdict(State.NO_TRACE_FOUND, 0.1)
    open_, sure = verdict(State.INCONCLUSIVE, 0.1), verdict(State.SUPPORTED, 0.7)
    lying = verdict(State.OUT_OF_DOMAIN, None, State.SUPPORTED)
    cases = (silent, leaning, open_, sure, lying)
    sees = {p: [cascade.wanted(replace(PLAN, policy=p), v)[0] for v in cases] for p in Policy}
    assert sees[Policy.ALL] == [True] * 5 and sees[Policy.NONE] == [False] * 5
    assert sees[Policy.OPEN] == [True, True, True, False, True]
    assert sees[Policy.SUSPICIOUS] == [False, True, True, True, True]
    strict = replace(PLAN, policy=Policy.SUSPICIOUS, least=2.0)
    assert cascade.wanted(strict, leaning) == (False, "skipped: not suspicious")
    assert not cascade.wanted(replace(PLAN, experts=()), sure)[0]


def test_a_skipped_expert_is_not_run_rather_than_silent(picture: Picture) -> None:
    plan = replace(PLAN, policy=Policy.NONE)
    row = cascade.second(picture, cascade.first(picture, plan, {}), plan, "a.jpg")
    assert {"test": "ifdl_small", "state": "NOT_RUN"} in row["coverage"]
    assert row["expert"] == "skipped: policy none" and "expert" not in row["seconds"]


def test_pipeline_follows_whatever_can_move_a_row() -> None:
    others = (
        replace(PLAN, policy=Policy.OPEN),
        replace(PLAN, least=2.0),
        Plan.of(("metadata", "ifdl_small")),
        replace(PLAN, limits=intake.Limits(pixels=10)),
    )
    assert len({plan.pipeline for plan in (PLAN, *others)}) == 5
    assert PLAN.pipeline == Plan.of(TESTS).pipeline


def test_by_default_everything_that_counts() -> None:
    plan = Plan.of()
    assert plan.experts == (*battery.EXPERTS, "marked_copy")
    assert set(plan.clues) == {t for t in battery.names() if not battery.card(t).experimental} - set(plan.experts)


def test_errors_are_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    with intake.Decoder() as decoder:
        row = worker.examine(decoder, worker.Task("a.jpg", "0" * 64, SPLICE.read_bytes()[:9000]), PLAN)
        assert isinstance(row, dict) and row["error"]["kind"] == "truncated" and row["stage"] == "decode"
        monkeypatch.setattr(cascade, "first", lambda *_: 1 / 0)
        row = worker.examine(decoder, worker.Task("a.jpg", "0" * 64, SPLICE.read_bytes()), PLAN)
        assert isinstance(row, dict) and row["error"]["kind"] == "failed" and row["stage"] == "clues"
        assert "ZeroDivisionError" in row["error"]["reason"] and row["pipeline"] == PLAN.pipeline


def test_installed_packages_are_not_read_again_for_every_picture(
    picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def again(**_: str) -> None:
        raise AssertionError("it takes longer than most tests")

    plan = Plan.of(("metadata",))
    before = cascade.second(picture, cascade.first(picture, plan, {}), plan, "a.jpg")
    for room in (evidence, experts):
        monkeypatch.setattr(room, "entry_points", again)
    after = cascade.second(picture, cascade.first(picture, plan, {}), plan, "a.jpg")
    assert {**after, "seconds": 0} == {**before, "seconds": 0}
