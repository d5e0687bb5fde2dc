"""The spine on real files: four answers, honest states, full coverage, the same JSON twice."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import ifdl
from ifdl import evidence, intake, spine
from ifdl.report.json import to_json
from ifdl.types import PROPOSITIONS, Answer, Coverage, Finding, Innocent, Question, Report, State, Word
from ifdl.verdict import battery, calibration
from tests.photographs import SHARED

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def splice() -> Report:
    return ifdl.examine(EXAMPLES / "splice.jpg")


def found(question: Question, state: State, clue: str = "a", **more: object) -> Finding:
    return Finding(clue, question, state, "It was measured.", id=f"{clue}.1", **more)  # type: ignore[arg-type]


def test_four_questions_each_with_a_proposition(splice: Report) -> None:
    assert [a.question for a in splice.verdict.answers] == list(Question) == list(PROPOSITIONS)


def test_splice_is_found_where_it_is(splice: Report) -> None:
    import numpy as np
    from PIL import Image

    from ifdl.signal.regions import mask_of

    answer = splice.verdict.answer("local_edit")
    assert (answer.state, answer.word) == (State.SUPPORTED, Word.WEAK)
    truth = np.asarray(Image.open(EXAMPLES / "splice_mask.png").convert("L")) > 0
    marked = mask_of(splice.verdict.regions, truth.shape)
    inside = np.count_nonzero(marked & truth) / np.count_nonzero(marked)
    assert inside > 0.5, "most of what is marked must be the pasted patch"


def test_copymove_is_found_at_both_ends() -> None:
    report = ifdl.examine(EXAMPLES / "copymove.jpg")
    assert report.verdict.answer("local_edit").state == State.SUPPORTED
    assert len(report.verdict.regions) >= 2


def test_untouched_is_never_called_authentic() -> None:
    report = ifdl.examine(EXAMPLES / "untouched.jpg")
    assert report.verdict.answer("local_edit").state in (State.NO_TRACE_FOUND, State.OUT_OF_DOMAIN, State.INCONCLUSIVE)
    text = to_json(replace(report, not_claimed=())).lower()
    for word in ('"authentic', "genuine", "is real", "original camera picture"):
        assert word not in text


def test_json_is_the_same_twice_but_for_the_run_block(splice: Report) -> None:
    first, second = (json.loads(to_json(r)) for r in (splice, ifdl.examine(EXAMPLES / "splice.jpg")))
    assert first.pop("run") and second.pop("run")
    assert json.dumps(first) == json.dumps(second)


def test_every_test_has_a_coverage_row_and_a_reason(splice: Report) -> None:
    rows = {c.test: c for c in splice.verdict.coverage}
    assert set(battery.names()) | set(spine.PLANNED) | {"calibration", battery.ARCHIVE} == set(rows)
    for name in set(spine.PLANNED) - set(battery.names()):
        assert (rows[name].state, rows[name].reason) == (State.NOT_RUN, "not part of this version")
    assert all(row.reason for row in rows.values())


def test_calibration_is_named_with_its_file_and_photographs(splice: Report, tmp_path: Path) -> None:
    row = next(c for c in splice.verdict.coverage if c.test == "calibration")
    assert row.state == State.NO_TRACE_FOUND and row.questions == (Question.LOCAL_EDIT,)
    assert "the shipped calibration (sha256 " in row.reason and "authentic photographs" in row.reason
    assert len(splice.environment.weights["calibration"]) == 64
    assert "ratio of about" in splice.verdict.answer("local_edit").cap
    (tmp_path / "own.json").write_text("{}")
    with pytest.raises(ValueError, match=r"own\.json: questions"):
        ifdl.examine(EXAMPLES / "splice.jpg", calibration=tmp_path / "own.json")


def test_a_calibration_of_ones_own_moves_the_word_and_the_pipeline(splice: Report, tmp_path: Path) -> None:
    shipped = calibration.load()
    assert shipped is not None
    tables = shipped.calibration.questions[Question.LOCAL_EDIT]
    level = replace(tables.pooled, table=calibration.Table((0.0,), (1.5,)), most=1.5, sources=300)
    own = replace(shipped.calibration, questions={Question.LOCAL_EDIT: replace(tables, pooled=level, strata={})})
    (tmp_path / "own.json").write_text(calibration.writing(own))
    report = ifdl.examine(EXAMPLES / "splice.jpg", calibration=tmp_path / "own.json")
    answer = report.verdict.answer("local_edit")
    assert answer.word == Word.MODERATE and "300 authentic photographs" in answer.cap
    assert report.environment.pipeline != splice.environment.pipeline
    assert answer.log10_ratio == 1.5
    assert any("support is moderate" in s.text for s in report.explanation.sentences)


def test_leaving_a_test_out_is_said() -> None:
    report = ifdl.examine(EXAMPLES / "splice.jpg", clues=["metadata"])
    rows = {c.test: c for c in report.verdict.coverage}
    assert (rows["jpeg_grid"].state, rows["jpeg_grid"].reason) == (State.NOT_RUN, "left out on request")
    assert report.verdict.answer("local_edit").state == State.NOT_RUN


def test_synthetic_origin_is_not_run_while_no_detector_exists(splice: Report) -> None:
    answer = splice.verdict.answer("synthetic_origin")
    assert (answer.state, answer.word) == (State.NOT_RUN, None)


def test_experimental_flag_comes_from_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    module = evidence.load("jpeg_grid")
    monkeypatch.setattr(module, "CARD", replace(module.CARD, experimental=True))
    report = ifdl.examine(EXAMPLES / "splice.jpg", clues=["jpeg_grid"])
    assert report.verdict.answer("local_edit").state == State.NOT_RUN
    row = next(c for c in report.verdict.coverage if c.test == "jpeg_grid")
    assert row.reason.startswith("experimental")


def test_custody_log_is_chained(splice: Report) -> None:
    import hashlib

    previous = ""
    for event in splice.run.custody:
        assert event.previous == previous
        digest = hashlib.sha256(f"{previous}\n{event.at}\n{event.what}".encode()).hexdigest()
        assert event.sha256 == digest
        previous = digest
    assert splice.item.sha256 in splice.run.custody[0].what


def test_pipeline_hash_moves_with_a_clue_version() -> None:
    assert spine.environment({"a": "1"}).pipeline != spine.environment({"a": "2"}).pipeline
    assert spine.environment({"a": "1"}) == spine.environment({"a": "1"})


def test_coverage_prefers_the_strongest_state_of_a_clue() -> None:
    card = evidence.load("jpeg_grid").CARD
    findings = [
        found(Question.HISTORY, State.NO_TRACE_FOUND, clue="jpeg_grid"),
        found(Question.LOCAL_EDIT, State.SUPPORTED, clue="jpeg_grid", innocent=(Innocent("a", "b"),)),
    ]
    rows: tuple[Coverage, ...] = spine.coverage(findings, {"jpeg_grid": card}, ["jpeg_grid"])
    assert rows[0].state == State.SUPPORTED


def test_examining_never_imports_torch() -> None:
    code = (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.split('.')[0] in ('torch', 'transformers', 'torchvision'): raise ImportError(name)\n"
        "sys.meta_path.insert(0, Block()); import ifdl\n"
        f"print(ifdl.examine(r'{EXAMPLES / 'untouched.jpg'}').schema_version)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("folder", ["camera", "casia1_dev", "lalonde_dev", "inpaint_dev", "c2pa", "camera_whole"])
def test_a_picture_of_every_shared_set(folder: str) -> None:
    manifest = SHARED / "data" / folder / "manifest.jsonl"
    if not manifest.exists():
        pytest.skip(f"../shared/data/{folder} is absent")
    row = json.loads(manifest.read_text().splitlines()[-1])
    path = SHARED / "data" / row["file"] if "file" in row else manifest.parent / row["image"]
    report = ifdl.examine(path)
    assert len(report.verdict.answers) == 4
    assert all(c.state != State.FAILED for c in report.verdict.coverage), report.verdict.coverage


def test_answers_are_heard_once_no_test_can_change_them() -> None:
    tests = ("noise", "metadata", "thumbnail", "jpeg_grid", "structure")
    rows, answers = [], {}
    loaded = intake.load(EXAMPLES / "splice.jpg")

    def heard(row: Coverage, settled: tuple[Answer, ...]) -> None:
        rows.append(row)
        for answer in settled:
            assert answers.setdefault(answer.question, (len(rows), answer))[1] == answer, "settled"

    report = ifdl.examine_picture(loaded, clues=tests, heard=heard)
    assert {row.test: row for row in rows} == {r.test: r for r in report.verdict.coverage if r.test in tests}
    assert {question: answer for question, (_, answer) in answers.items()} == {
        a.question: a for a in report.verdict.answers
    }
    assert answers[Question.HISTORY][0] < answers[Question.LOCAL_EDIT][0] == len(tests)
    assert list(dict.fromkeys(f.clue for f in report.verdict.findings)) == list(tests), "the report keeps its order"
