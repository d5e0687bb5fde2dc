"""Forms for other programs, each read back by that program's own reader, or by one written from its documents."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from ifdl.report import caseuco, coco, error_row, fiftyone, labelstudio, rows, table, to_line
from ifdl.serve.cli import app
from ifdl.signal.orientation import to_display
from tests.report.fixtures import HEIGHT, OWNER, SERIAL, WIDTH, cards, report  # noqa: F401

REFUSED = error_row("=cmd.jpg", "corrupt", "the file ends early.")
FORMS = {
    "coco": coco.to_coco,
    "labelstudio": labelstudio.to_labelstudio,
    "case": caseuco.to_case,
    "csv": table.to_csv,
    "fiftyone": lambda given: b"".join(fiftyone.contents(given, Path("pictures")).values()).decode(),
}


@pytest.fixture
def mark() -> rows.Mark:
    (only,) = rows.marks(rows.row(report()))
    return only


def test_marks_are_what_an_answer_rests_on(mark: rows.Mark) -> None:
    assert (mark.id, mark.box, mark.test, mark.words) == ("R1", (40, 20, 60, 45), "grid", "weak support")
    own = mark.mask()
    assert own.shape == (HEIGHT, WIDTH) and own[64, 99] and not own[20, 40]


@pytest.mark.parametrize("form", FORMS)
def test_nothing_private_and_no_word_for_real_or_fake(form: str) -> None:
    text = FORMS[form]([report(), REFUSED])
    assert SERIAL not in text and OWNER not in text
    assert not {"real", "fake", "authentic", "genuine", "forged"} & set(text.lower().replace('"', " ").split())
    assert text == FORMS[form]([rows.row(report()), REFUSED]), "a report and its stored row are the same"


def test_coco_as_pycocotools_reads_it(tmp_path: Path, mark: rows.Mark) -> None:
    tools = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    from pycocotools import mask as masks

    path = tmp_path / "findings.json"
    path.write_text(coco.to_coco([REFUSED, report(), report()]), encoding="utf-8")
    read = tools.COCO(str(path))
    assert sorted(read.imgs) == [1, 2] and read.imgs[2]["answers"]["local_edit"] == "weak support"
    assert [c["name"] for c in read.loadCats(read.getCatIds())] == ["grid"]
    assert read.dataset["info"]["not_examined"] == [
        {"file_name": "=cmd.jpg", "kind": "corrupt", "reason": "the file ends early."}
    ]
    for number in (1, 2):
        (annotation,) = read.loadAnns(read.getAnnIds(imgIds=number))
        assert np.array_equal(read.annToMask(annotation), mark.mask())
        runs = read.annToRLE(annotation)
        assert annotation["area"] == masks.area(runs) and annotation["bbox"] == masks.toBbox(runs).tolist()


def unpacked(data: list[int]) -> NDArray[np.uint8]:
    """The values of rle-pack's run lengths, read bit by bit as its README says."""
    bits, at = "".join(f"{byte:08b}" for byte in data), 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        return int(bits[at - count : at], 2)

    total, word = take(32), take(5) + 1
    sizes = [take(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < total:
        same = take(1)
        length = take(sizes[take(2)]) + 1
        values += [take(word)] * length if same else [take(word) for _ in range(length)]
    return np.array(values, np.uint8)


def test_the_brush_is_label_studios_own() -> None:
    small = np.zeros((6, 9), bool)
    small[1:4, 2:7] = small[5, 0] = True
    # What label_studio_sdk 2.1.2, converter.brush.mask2rle(small * 255), returns.
    theirs = [0, 0, 0, 216, 57, 27, 254, 43, 0, 194, 127, 247, 192, 48, 159, 253, 240, 12, 39, 255, 138, 192, 35, 255]
    assert labelstudio.brush(small) == [*theirs, 195, 224, 0]
    large = np.zeros((300, 90), bool)  # runs longer than the longest that one entry can hold
    large[:, 45:], large[250:] = True, True
    for mask in (small, large, np.ones((5, 5), bool), np.random.default_rng(1).random((40, 50)) > 0.5):
        assert np.array_equal(unpacked(labelstudio.brush(mask)).reshape(*mask.shape, 4)[..., 3] == 255, mask)


def test_label_studio_shows_masks_the_right_way_up(mark: rows.Mark) -> None:
    (task,) = json.loads(labelstudio.to_labelstudio([report(), REFUSED], "http://localhost:8080/"))
    assert task["data"]["image"] == "http://localhost:8080/claim%200412%20%3Cb%3E.jpg"
    (result,) = task["predictions"][0]["result"]
    assert (result["original_width"], result["original_height"]) == (HEIGHT, WIDTH), "orientation 6 lies on its side"
    drawn = unpacked(result["value"]["rle"]).reshape(WIDTH, HEIGHT, 4)[..., 0] == 255
    assert np.array_equal(drawn, to_display(mark.mask(), 6)) and result["value"]["brushlabels"] == ["grid"]
    assert '<Label value="grid"/>' in labelstudio.config(["grid"]) and "score" not in task["predictions"][0]


def test_fiftyone_finds_each_picture_and_its_boxes(mark: rows.Mark) -> None:
    made = fiftyone.contents([report(), REFUSED], Path("/pictures"))
    labels = json.loads(made["labels.json"])["labels"]
    # The importer takes the names of data.json without their suffix for the keys of labels.json.
    places = {Path(key).stem: place for key, place in json.loads(made["data.json"]).items()}
    ((key, (detection,)),) = labels.items()
    assert places == {key: "/pictures/claim 0412 <b>.jpg"}
    ys, xs = np.nonzero(to_display(mark.mask(), 6))
    box = [xs.min() / HEIGHT, ys.min() / WIDTH, (np.ptp(xs) + 1) / HEIGHT, (np.ptp(ys) + 1) / WIDTH]
    assert np.allclose(detection["bounding_box"], box, atol=1e-6) and "confidence" not in detection


@pytest.mark.filterwarnings("ignore::DeprecationWarning:case_utils", "ignore::DeprecationWarning:importlib")
def test_case_is_what_its_ontology_asks_for(tmp_path: Path) -> None:
    checker = pytest.importorskip("case_utils.case_validate", reason="case-utils is not installed")
    path = tmp_path / "case.jsonld"
    path.write_text(caseuco.to_case([report(), REFUSED]), encoding="utf-8")
    result = checker.validate(str(path))
    assert result.conforms and not result.undefined_concepts, result.text


def test_case_joins_picture_tool_and_findings() -> None:
    told = json.loads(caseuco.to_case([report()]))
    nodes = {node["@id"]: node for node in told["@graph"]}
    assert len(nodes) == len(told["@graph"])
    (action,) = [n for n in nodes.values() if n["@type"] == "case-investigation:InvestigativeAction"]
    picture = nodes[action["uco-action:object"]["@id"]]
    content = picture["uco-core:hasFacet"][1]
    assert content["uco-observable:hash"][0]["uco-types:hashValue"]["@value"] == report().item.sha256.upper()
    assert nodes[action["uco-action:instrument"]["@id"]]["uco-tool:version"] == "0.1.0"
    said = [nodes[r["@id"]] for r in action["uco-action:result"]]
    assert len(said) == 4 + 4, "four answers; four findings that tell"
    assert any("Answer: weak support." in s["uco-core:statement"] for s in said)
    experimental = [s for s in said if "experimental, never counted" in s["uco-core:tag"]]
    assert [s["uco-core:tag"][2] for s in experimental] == ["test:noise"]


def test_the_table_has_one_row_a_picture_and_no_formulas() -> None:
    pandas = pytest.importorskip("pandas", reason="the pandas extra is not installed")
    import ifdl

    frame = ifdl.to_frame(iter([report(), REFUSED]))
    assert list(frame.columns) == list(table.COLUMNS) and len(frame) == 2
    first, second = frame.iloc[0], frame.iloc[1]
    assert (first["local_edit_words"], first["claims_words"]) == ("weak support", "established as a fact")
    assert first["regions"] == 1 and first["marked_share"] == pytest.approx(2400 / (HEIGHT * WIDTH), abs=1e-6)
    assert first["tests_supported"] == "grid header" and pandas.isna(first["error"])
    assert second["error"] == "corrupt: the file ends early." and pandas.isna(second["local_edit_state"])
    assert table.to_csv([REFUSED]).splitlines()[1].startswith("'=cmd.jpg,")


def test_stored_reports_are_exported(tmp_path: Path) -> None:
    stored = tmp_path / "out"
    (stored / "one").mkdir(parents=True)
    (stored / "one" / "report.json").write_text(json.dumps(rows.row(report())), encoding="utf-8")
    assert [r["item"]["name"] for r in rows.read(stored)] == [report().item.name]
    line = to_line(report())
    (stored / "results.jsonl").write_text(f"{line}\n\n{json.dumps(REFUSED)}\n", encoding="utf-8")
    assert [("error" in r) for r in rows.read(stored)] == [False, True]
    for form in FORMS:
        done = CliRunner().invoke(app, ["export", str(stored), "--format", form, "--out", str(tmp_path / form)])
        assert done.exit_code == 0 and "2 reports" in done.stderr, done.output
    assert (tmp_path / "fiftyone" / "labels.json").is_file()
    assert json.loads((tmp_path / "coco").read_text(encoding="utf-8"))["annotations"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "it is no report of ifdl"),
        ('{"schema_version": "9.0"}', "its schema is 9.0"),
        ('{"schema_version": "1.0"}', "parts of the report are missing"),
    ],
)
def test_what_is_no_report_is_said(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(app, ["export", str(path), "--format", "coco"])
    assert done.exit_code == 2 and reason in done.stderr and str(path) in done.stderr
    with pytest.raises(ValueError, match="nothing is at"):
        list(rows.read(tmp_path / "none"))
