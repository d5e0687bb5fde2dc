"""The loop from files to result: strangers' maps and commands, workers, caches, failures, changes, controls."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ifdl import data
from ifdl.data import Record, manifest
from ifdl.evaluate import maps, protocol, result, summary, systems
from ifdl.evaluate.run import Job, Row, data_hash, rows
from ifdl.evaluate.systems import Spec
from ifdl.forge.change import MILD, SWEEPS, Change, all_changes, parse
from ifdl.types import State

NATIVE = protocol.load()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    manifest.fabricate(tmp_path / "set")
    return tmp_path / "set"


def records(root: Path) -> list[Record]:
    return [r for r in manifest.records(root) if isinstance(r, Record)]


def save_maps(root: Path, folder: Path, make: Callable[[Record, np.ndarray], np.ndarray]) -> Path:
    folder.mkdir()
    for record in records(root):
        with Image.open(record.image) as picture:
            mask = data.mask_of(record)
            truth = np.zeros(picture.size[::-1], bool) if mask is None else mask
        path = folder / Path(record.shown).with_suffix(".npy")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, make(record, truth))
    return folder


def perfect(record: Record, truth: np.ndarray) -> np.ndarray:
    return truth.astype(float)


def test_perfect_maps_score_one_and_wrong_ones_nothing(root: Path, tmp_path: Path) -> None:
    good = save_maps(root, tmp_path / "good", perfect)
    bad = save_maps(root, tmp_path / "bad", lambda r, t: 1.0 - t)
    found = records(root)
    for folder, value in ((good, 1.0), (bad, 0.0)):
        made = list(rows(Job(Spec("maps", str(folder)), NATIVE), found))
        assert all(r.error is None for r in made)
        numbers = summary.numbers(NATIVE, made, 50)
        assert numbers["f1"]["value"] == value and numbers["auc"]["value"] == value
        assert numbers["f1"]["n"] == 3 and numbers["f1"]["sources"] == 3
    assert numbers["false_alarms"]["k"] == 3  # the inverted maps mark all of every authentic picture
    assert numbers["false_area"]["value"] == 1.0


def test_swapped_maps_are_the_control(root: Path, tmp_path: Path) -> None:
    """A map of another picture must score worse than its own, or the pairing is broken."""
    for n, record in enumerate(r for r in records(root) if r.mask is not None):
        assert record.mask is not None
        mask = np.asarray(Image.open(record.mask))
        Image.fromarray(np.roll(mask, 25 * n, axis=1)).save(record.mask)
    folder = save_maps(root, tmp_path / "maps", perfect)
    names = sorted((folder / "images" / "forged").glob("*.npy"))
    kept = [np.load(n) for n in names]
    for name, other in zip(names, kept[1:] + kept[:1], strict=True):
        np.save(name, other)
    made = list(rows(Job(Spec("maps", str(folder)), NATIVE), records(root)))
    assert (summary.numbers(NATIVE, made, 20)["f1"]["value"] or 0) < 0.9


def test_missing_and_misfitting_maps_are_rows(root: Path, tmp_path: Path) -> None:
    folder = save_maps(root, tmp_path / "maps", perfect)
    (folder / "images" / "forged" / "0.npy").unlink()
    (folder / "images" / "authentic" / "0.npy").unlink()
    np.save(folder / "images" / "forged" / "1.npy", np.zeros((3, 3)))
    made = list(rows(Job(Spec("maps", str(folder)), NATIVE), records(root)))
    errors = {r.image: r.error for r in made if r.error}
    assert len(made) == 6 and len(errors) == 3
    assert any("no map called" in e for e in errors.values()) and any("3×3" in e for e in errors.values())
    assert summary.numbers(NATIVE, made, 20)["f1"]["value"] == pytest.approx(1 / 3)  # failures score nothing


def test_a_picture_that_cannot_be_read_costs_no_other_its_row(root: Path, tmp_path: Path) -> None:
    folder = save_maps(root, tmp_path / "maps", perfect)
    found = records(root)
    found[0].image.write_bytes(b"not a picture")
    found[0] = replace(found[0], sha256=None)
    made = list(rows(Job(Spec("maps", str(folder)), NATIVE), found))
    assert [bool(r.error) for r in made] == [True] + [False] * 5


COMMAND = """
import json, sys, numpy as np
from pathlib import Path
from PIL import Image
picture = np.asarray(Image.open(sys.argv[1]).convert("L"), float)
if picture.mean() < float(sys.argv[3]): sys.exit("too dark for me")
np.save(Path(sys.argv[2]) / "map.npy", picture / 255)
(Path(sys.argv[2]) / "score.json").write_text(json.dumps({"score": 0.9, "class": "edited"}))
"""


def test_a_strangers_command(root: Path, tmp_path: Path) -> None:
    script = tmp_path / "infer.py"
    script.write_text(COMMAND)
    line = f"{sys.executable} {script} {{image}} {{out}} 0"
    made = list(rows(Job(Spec("command", line), NATIVE), records(root)))
    assert all(r.error is None and r.score == 0.9 and r.said == "edited" and r.edited for r in made)
    refused = list(rows(Job(Spec("command", line[:-1] + "300"), NATIVE), records(root)[:1]))
    assert "too dark for me" in (refused[0].error or "") and refused[0].state == State.FAILED
    with pytest.raises(ValueError, match="both places"):
        Spec("command", "python infer.py {image}").build()


@pytest.mark.parametrize(("told", "said"), [("NaN", "finite"), ('"high"', "no number"), ("[1]", "no number")])
def test_a_score_that_is_none_costs_its_row_and_not_the_run(root: Path, tmp_path: Path, told: str, said: str) -> None:
    folder = save_maps(root, tmp_path / "maps", perfect)
    scores = tmp_path / "scores.json"
    scores.write_text(f'{{"images/forged/0.jpg": {told}}}')
    made = list(rows(Job(Spec("maps", str(folder), scores=str(scores)), NATIVE), records(root)))
    errors = [r.error for r in made if r.error]
    assert len(errors) == 1 and said in errors[0]
    assert summary.numbers(NATIVE, made, 20)["image_auc"]["value"] is not None


def test_an_unknown_class_is_refused(root: Path, tmp_path: Path) -> None:
    script = tmp_path / "infer.py"
    script.write_text(COMMAND.replace('"edited"', '"fake"'))
    line = f"{sys.executable} {script} {{image}} {{out}} 0"
    made = next(rows(Job(Spec("command", line), NATIVE), records(root)[:1]))
    assert "'fake'" in (made.error or "") and made.state == State.FAILED


def test_predictions_are_kept_and_workers_change_nothing(root: Path, tmp_path: Path) -> None:
    job = Job(Spec("clue", "copymove"), NATIVE, tmp_path / "kept")
    first = list(rows(job, records(root)))
    again = list(rows(job, records(root), workers=2))
    assert not any(r.cached for r in first) and all(r.cached for r in again)
    told = [[replace(r, cached=False, seconds=0, curve=None) for r in made] for made in (first, again)]
    assert told[0] == told[1]


def test_the_verdict_is_a_system(root: Path) -> None:
    made = list(rows(Job(Spec("verdict"), NATIVE), records(root)[:2]))
    assert all(r.error is None and r.state != State.FAILED for r in made)


def test_clues_without_a_say_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing to score"):
        systems.clue("metadata")


def test_changes_move_the_mask_and_touch_every_picture(root: Path, tmp_path: Path) -> None:
    found = records(root)[:1]
    for change in (Change("resize", 0.5), Change("crop", 0.8), Change("noise", 7), Change("jpeg", 50)):
        plain = next(rows(Job(Spec("clue", "copymove"), NATIVE), found))
        made = next(rows(Job(Spec("clue", "copymove"), NATIVE, change=change), found))
        assert made.error is None and made.sha256 != plain.sha256
    twice = [next(rows(Job(Spec("clue", "copymove"), NATIVE, change=Change("noise", 7)), found)) for _ in range(2)]
    assert twice[0].sha256 == twice[1].sha256  # the same noise for the same picture


def test_changes_are_named() -> None:
    assert parse("jpeg:90") == Change("jpeg", 90)
    assert {c.name for c in all_changes()} == set(SWEEPS) and len(all_changes(("blur",))) == len(SWEEPS["blur"])
    for wrong in ("jpg:90", "jpeg", "jpeg:high"):
        with pytest.raises(ValueError, match="NAME:LEVEL"):
            parse(wrong)
    for name, level in MILD:
        assert level in SWEEPS[name]


def test_stability_is_of_pictures_that_survive_every_mild_change() -> None:
    clean = [row("edited", 0.5, n) for n in range(4)]
    moved = [replace(r, state=State.SUPPORTED) if n == 0 else r for n, r in enumerate(clean)]
    again = [replace(r, state=State.INCONCLUSIVE) if n == 1 else r for n, r in enumerate(clean)]
    hard = [replace(r, state=State.INCONCLUSIVE) for r in clean]
    altered = {Change("jpeg", 95): moved, Change("webp", 95): again, Change("jpeg", 50): hard}
    told = result.stability(clean, altered)
    assert told["all"] == told["edited"] == 0.5 and told["changes"] == ["jpeg 95", "webp 95"]
    assert result.stability(clean, {Change("jpeg", 50): hard}) == {}
    entries = result.robust(NATIVE, clean, altered, 10)
    scored = [[replace(r, values={"f1": v, "iou": v, "auc": v}) for r in clean] for v in (0.8, 0.5, 0.1)]
    worse = {Change("jpeg", 95): scored[1], Change("blur", 3): scored[2]}
    low = result.worst_case(NATIVE, result.robust(NATIVE, scored[0], worse, 10))["f1"]
    assert (low["value"], low["chain"], low["level"]) == (0.1, "blur", 3)
    assert [(e["chain"], e["stable"]) for e in entries] == [
        ("none", 1.0),
        ("jpeg", 0.75),
        ("webp", 0.75),
        ("jpeg", 0.0),
    ]


def test_result_is_whole_and_plain_json(root: Path, tmp_path: Path) -> None:
    folder = save_maps(root, tmp_path / "maps", perfect)
    found = records(root)
    spec = Spec("maps", str(folder))
    made = list(rows(Job(spec, NATIVE), found))
    told = result.result(spec.build(), NATIVE, "fake", found, made, command="ifdl evaluate …", draws=20)
    result.write(tmp_path / "result.json", told)
    again = json.loads((tmp_path / "result.json").read_text())
    assert again["schema"] == "ifdl-result-1" and set(again["numbers"]) == set(NATIVE.numbers)
    assert again["data"]["pictures"] == {"authentic": 3, "edited": 3} and again["counts"]["failed"] == 0
    assert all(n["what"] for n in again["numbers"].values())
    assert again["data"]["sha256"] == data_hash(found) != data_hash(found[1:])
    assert again["curves"]["pixel_roc"][0] != again["curves"]["pixel_roc"][-1]
    for row in made:
        json.dumps(row.to_json(), allow_nan=False)


def row(label: str, score: float, n: int, **more: object) -> Row:
    return Row(f"{label}{n}", label, more.pop("source", f"{label}{n}"), score=score, state=State.NO_TRACE_FOUND, **more)  # type: ignore[arg-type]


def test_whole_picture_numbers_by_hand() -> None:
    made = [row("authentic", s, n) for n, s in enumerate((0.1, 0.2, 0.6))]
    made += [row("edited", s, n) for n, s in enumerate((0.15, 0.7, 0.8))]
    image = protocol.load("forensichub-iff")
    numbers = summary.numbers(image, made, 20)
    assert numbers["image_auc"]["value"] == pytest.approx(7 / 9)
    assert numbers["image_f1"]["value"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert numbers["image_accuracy"]["value"] == pytest.approx(4 / 6)
    # Descending: e e a a e a; precision at each edited one: 1, 1, 3/5.
    assert numbers["image_average_precision"]["value"] == pytest.approx((1 + 1 + 3 / 5) / 3)


def test_false_alarms_count_photographs_not_crops() -> None:
    made = [row("authentic", 1, n, source="one", edited=True) for n in range(5)] + [
        row("authentic", 0, 9, source="two")
    ]
    found = summary.numbers(NATIVE, made, 20)["false_alarms"]
    assert (found["k"], found["n"], found["alarmed_pictures"], found["pictures"]) == (1, 2, 5, 6)


def test_legacy_numbers_are_what_the_released_code_prints() -> None:
    """Three of four classes right; pooled IoU one half: F1 = 2·½·¾/(½+¾); "AUC" = macro precision × macro recall."""
    legacy = protocol.load("sida-legacy")
    counts = {"ciou": (5, 5, 0, 90), "f1_pooled": (5, 5, 0, 90)}
    made = [
        row("authentic", 0, 0, said="authentic"),
        row("synthetic", 0, 1, said="synthetic"),
        row("edited", 0, 2, said="edited", counts=counts, values={"giou": 0.5, "f1": 2 / 3, "auc": 0.9}),
        row("edited", 0, 3, said="authentic", values={"giou": 0.0, "f1": 0.0, "auc": 0.5}),
    ]
    numbers = summary.numbers(legacy, made, 20)
    assert numbers["sida_f1"]["value"] == pytest.approx(2 * 0.5 * 0.75 / 1.25)
    precision, recall = (0.5 + 1 + 1) / 3, (1 + 1 + 0.5) / 3
    assert numbers["sida_auc"]["value"] == pytest.approx(precision * recall)
    assert numbers["f1"]["value"] == pytest.approx(1 / 3) and numbers["class_accuracy"]["value"] == 0.75


def test_in_domain_share_and_by_kind() -> None:
    values = {"f1": 0.4, "iou": 0.3}
    made = [row("edited", 0.5, n, kind="splice" if n else "copymove", values=values) for n in range(3)]
    made[0] = replace(made[0], state=State.OUT_OF_DOMAIN)
    told = summary.in_domain(NATIVE, made, 20)
    assert told["share"] == pytest.approx(2 / 3, abs=1e-5) and told["numbers"]["f1"]["n"] == 2
    assert {k: t["f1"]["n"] for k, t in summary.by_kind(NATIVE, made, 20).items()} == {"copymove": 1, "splice": 2}


def test_maps_written_are_read_back(tmp_path: Path) -> None:
    levels = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    maps.write(tmp_path / "x.png", levels)
    assert (maps.read(tmp_path / "x.png") == levels).all()
