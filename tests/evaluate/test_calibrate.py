"""From rows to a file: capped, held out by source, silent on shuffled labels; and a tiny run from photographs."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from ifdl import evidence
from ifdl.data import _fabric, manifest
from ifdl.data._record import Record
from ifdl.evaluate import calibrate
from ifdl.evaluate._examined import Row
from ifdl.evaluate.calibrate import Order
from ifdl.serve import calibrate_cli
from ifdl.types import Question
from ifdl.verdict import calibration

EDIT = Question.LOCAL_EDIT
VERSIONS = {"copymove": "1", "jpeg_grid": "1"}


def rows(sources: int = 40, each: int = 6, seed: int = 0, shuffled: bool = False) -> list[Row]:
    """Two clues: the first finds 60 % of the edited pictures, the second a few, and neither alarms."""
    rng = np.random.default_rng(seed)
    edited = np.tile([False, True], sources * each // 2)
    labels = rng.permutation(edited) if shuffled else edited
    made = []
    for n, (was, label) in enumerate(zip(edited, labels, strict=True)):
        first = float(rng.uniform(0.5, 1)) if was and rng.random() < 0.6 else float(rng.uniform(0, 0.2))
        scores = {"copymove": round(first, 3)}
        if rng.random() < 0.7:
            scores["jpeg_grid"] = float(was and rng.random() < 0.2)
        # Six pictures a source, three of each class.
        made.append(Row(f"p{n}", f"{n // each:010x}", bool(label), "reduced", {"local_edit": scores}))
    return made


def test_fitted_and_capped_by_photographs() -> None:
    made = calibrate.fit(rows(), versions=VERSIONS).questions[EDIT]
    assert set(made.clues) == {"copymove", "jpeg_grid"} and made.clues["copymove"].version == "1"
    assert made.pooled.sources == 40 and made.pooled.alarms == 0
    allowed = made.pooled.detected / (1 - 0.05 ** (1 / 40))
    assert 10**made.pooled.most == pytest.approx(allowed, rel=1e-2) and 6 < allowed < 10.8
    assert made.measured["authentic_sources_worded"] <= 4 and made.measured["edited_worded"] > 0.5
    assert made.measured["cllr"] < 0.75 and made.measured["min_cllr"] <= made.measured["cllr"]
    assert made.measured["shuffled_cllr"] == pytest.approx(1.0, abs=0.05)
    assert sum(b.n for b in made.reliability) == 240


def test_shuffled_labels_give_ratios_of_one() -> None:
    mixed = rows(shuffled=True)
    held, log10 = calibrate.held_out(mixed, EDIT)
    assert np.abs(log10).max() < 0.3 and abs(float(log10.mean())) < 0.05
    measured = calibrate.measures(held, log10)
    assert measured["cllr"] == pytest.approx(1.0, abs=0.03)
    assert measured["edited_worded"] < 0.02


def test_a_source_never_measures_itself() -> None:
    marked = rows()
    alien = [replace(r, scores={"local_edit": {"alien": 1.0}}) if r.source == f"{3:010x}" else r for r in marked]
    held, _ = calibrate.held_out(alien, EDIT)
    assert f"{3:010x}" not in set(held.sources.tolist()), "its only clue is unknown to all other sources"


def test_the_greatest_of_several_clues_is_calibrated_again() -> None:
    """Ten clues that alarm by chance, each on other photographs: together they are worth less than each."""
    rng = np.random.default_rng(1)
    made = []
    for n in range(800):
        edited = n % 2 == 1
        scores = {f"c{k}": float(rng.random() < (0.3 if edited else 0.03)) for k in range(10)}
        made.append(Row(f"p{n}", f"s{n // 2}", edited, "reduced", {"local_edit": scores}))
    tables = calibrate.fit(made, versions={f"c{k}": "1" for k in range(10)}, rule="max").questions[EDIT]
    alone = [t.table.log10_ratios[-1] for t in tables.clues.values()]
    assert np.mean([tables.pooled.table.at(value) for value in alone]) < np.mean(alone) - 0.2


def test_clues_that_add_to_each_other_are_summed_and_echoes_are_not() -> None:
    """Two clues that err apart beat the greatest of them; a copy of one shares its weight and adds nothing."""
    rng = np.random.default_rng(2)
    made = []
    for n in range(800):
        one, other = rng.normal(n % 2, 1.0, 2)
        scores = {"one": float(one), "echo": float(one), "other": float(other)}
        made.append(Row(f"p{n}", f"s{n // 2}", n % 2 == 1, "reduced", {"local_edit": scores}))
    versions = dict.fromkeys(("one", "echo", "other"), "1")
    chosen, greatest = (calibrate.fit(made, versions=versions, rule=rule).questions[EDIT] for rule in (None, "max"))
    assert chosen.rule == "sum" and chosen.measured["cllr"] < greatest.measured["cllr"] - 0.02
    weight = {name: table.weight for name, table in chosen.clues.items()}
    assert weight["one"] + weight["echo"] == pytest.approx(weight["other"], rel=0.25)


def test_strata_need_enough_photographs_and_failures_are_counted() -> None:
    mixed = [replace(r, stratum="screenshot" if int(r.source, 16) < 15 else "reduced") for r in rows()]
    made = calibrate.fit([*mixed, Row("bad", "x", True, fault="broken")], versions=VERSIONS)
    assert set(made.questions[EDIT].strata) == {"reduced"} and made.questions[EDIT].strata["reduced"].sources == 25
    assert made.provenance.pictures == {"authentic": 120, "edited": 120, "failed": 1}


def test_nothing_to_fit_is_said() -> None:
    with pytest.raises(ValueError, match="in its domain"):
        calibrate.fit([replace(r, edited=False) for r in rows()])


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten photographs that a manifest vouches for, so that no child process decodes them."""
    folder = tmp_path_factory.mktemp("own")
    made = []
    for n in range(10):
        noise = np.random.default_rng(n).integers(0, 60, (160, 160, 3))
        path = folder / f"{n}.jpg"
        _fabric.save(np.clip(noise + 25 * (n % 7), 0, 255).astype(np.uint8), path, quality=92)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        made.append(Record(path, "authentic", sources=(f"own {n}",), sha256=digest))
    manifest.write(made, folder / manifest.FILE)
    return folder


def test_a_folder_of_ones_own_resumes_and_is_written(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "names", lambda: ("jpeg_grid",))  # the quickest
    order = Order((photographs,), tmp_path / "work", pairs=4, seed=3)
    console = Console(file=io.StringIO(), width=200)
    calibrate_cli.run(order, tmp_path / "c.json", console, "ifdl calibrate own", tmp_path / "m.json")
    kept = (tmp_path / "work" / "rows.jsonl").read_text().splitlines()
    assert 14 <= len(kept) <= 18
    (tmp_path / "work" / "rows.jsonl").write_text("\n".join(kept[:-1]) + "\n" + kept[-1][:20])
    again = calibrate_cli.run(order, tmp_path / "d.json", console)
    loaded = calibration.load(tmp_path / "c.json")
    assert loaded is not None and loaded.calibration.questions == again.questions
    assert "Cllr" in console.file.getvalue() and "10 authentic photographs" in console.file.getvalue()  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="other pictures"):
        calibrate.collect(replace(order, seed=4))


def test_too_few_photographs_are_refused(photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "1.jpg").write_bytes((photographs / "1.jpg").read_bytes())
    with pytest.raises(ValueError, match="at least 10 authentic photographs, and there are 1"):
        calibrate.collect(Order((tmp_path / "few",), tmp_path / "work"))


def test_edited_pictures_can_be_brought_along(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "names", lambda: ("jpeg_grid",))
    lines = [json.loads(line) for line in (photographs / manifest.FILE).read_text().splitlines()]
    edited = [line | {"label": "edited" if n < 4 else "authentic", "mask": None} for n, line in enumerate(lines)]
    brought = photographs / "brought.jsonl"
    brought.write_text("".join(json.dumps(line) + "\n" for line in edited))
    kept = calibrate.collect(Order((photographs,), tmp_path / "work", forged=brought))
    assert [row.edited for row in kept] == [False] * 10 + [True] * 4
    assert {row.source for row in kept if row.edited} < {row.source for row in kept if not row.edited}
