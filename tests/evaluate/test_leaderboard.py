"""The leaderboard: measured apart from published, escaped, self-contained; comparisons that can tell runs apart."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from ifdl.evaluate import leaderboard, plots, published
from ifdl.serve import standings

NASTY = "<script>alert(1)</script>"


def fabricated(name: str, f1: float, data: str = "casia1_dev", protocol: str = "native-1") -> dict[str, Any]:
    """A result that nobody measured."""

    def number(value: float | None, **more: Any) -> dict[str, Any]:
        ends = {"low": None, "high": None} if value is None else {"low": value - 0.05, "high": value + 0.05}
        return {"value": value, **ends, "n": 10, "sources": 9, "what": f"a number of {NASTY}", **more}

    return {
        "schema": "ifdl-result-1",
        "system": {"name": name, "kind": "clue", "version": "1", "weights_sha256": "", "threshold": 0.5},
        "protocol": {"name": protocol, "version": 1, "words": "fabricated", "headline": ["f1", "iou", "false_alarms"]},
        "data": {"name": data, "sha256": "0", "terms": "none", "pictures": {"edited": 10}, "sources": 9},
        "numbers": {"f1": number(f1), "iou": number(None), "false_alarms": number(0.0, k=0, n=9), "auc": number(0.7)},
        "in_domain": {"share": 0.5, "n": 5, "numbers": {}},
        "by_kind": {"splice": {"f1": number(f1)}},
        "curves": {"roc": [[0, 0], [0.2, 0.8], [1, 1]], "reliability": [{"said": 0.4, "found": 0.5, "n": 3}]},
        "robustness": [{"chain": "none", "level": 0, "numbers": {"f1": number(f1)}, "stable": 1.0}]
        + [{"chain": "jpeg", "level": q, "numbers": {"f1": number(f1 / 2)}, "stable": 0.8} for q in (90, 50)],
        "shortcuts": {"tables": 1.0},
        "worst": [{"image": f"a/{NASTY}.png", "kind": "splice", "state": "NO_TRACE_FOUND", "error": None, "f1": 0.0}],
        "counts": {"pictures": 10, "scored": 10, "failed": 0},
        "run": {"command": "none", "commit": "none", "date": "none", "seconds_per_picture": 0.1},
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = [fabricated("weak", 0.2), fabricated("strong", 0.6), fabricated(NASTY, 0.4, "mine")]
    place = tmp_path / "results"
    place.mkdir()
    for n, one in enumerate(made):
        (place / f"{n}.json").write_text(json.dumps(one))
    (place / "other.json").write_text('{"what": "something else"}')
    return place


def test_the_page_is_whole_escaped_and_links_nowhere(folder: Path, tmp_path: Path) -> None:
    out = leaderboard.page(leaderboard.load(folder), published.load(), tmp_path / "page.html")
    text = out.read_text()
    assert NASTY not in text and "&lt;script&gt;" in text
    assert not re.search(r'(?:src|href)="(?!#|data:)', text) and "<script" not in text
    # ROC and reliability for each set, and a sweep for each of the three systems.
    assert text.count("<svg") == 2 * 2 + 3
    measured, apart = text.split("Published: not measured here", 1)
    assert "MVSS-Net" in apart and "MVSS-Net" not in measured
    assert "0.600" in measured and "[0.550–0.650]" in measured


def test_rows_are_ranked_within_one_protocol_and_set(folder: Path) -> None:
    found = leaderboard.table(leaderboard.load(folder), "native-1", "casia1_dev")
    assert [r["system"]["name"] for r in found["rows"]] == ["strong", "weak"]
    assert found["headline"] == ["f1", "false_alarms"]  # nobody has an IoU here
    text = leaderboard.markdown(leaderboard.load(folder), "native-1", "casia1_dev")
    assert "| strong | 0.600 [0.550–0.650] | 0.000 [-0.050–0.050] 0 of 9 | 50% |" in text


def test_thumbnails_come_from_the_gallery_and_never_from_outside(tmp_path: Path) -> None:
    gallery = tmp_path / "gallery"
    gallery.mkdir()
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(gallery / "here.png")
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "outside.png")
    one = fabricated("x", 0.3)
    one["worst"] = [
        {"image": n, "kind": None, "state": "", "error": None} for n in ("here.png", "../outside.png", "no.png")
    ]
    text = leaderboard.page([one], [], tmp_path / "page.html", gallery).read_text()
    assert text.count("data:image/jpeg;base64,") == 1


def test_a_broken_result_is_named(folder: Path) -> None:
    (folder / "cut.json").write_text('{"schema": "ifdl-result-1"')
    with pytest.raises(ValueError, match=r"cut\.json"):
        leaderboard.load(folder)
    (folder / "cut.json").write_text('{"schema": "ifdl-result-1", "system": {}, "data": {}, "numbers": {}}')
    with pytest.raises(ValueError, match="protocol"):
        leaderboard.load(folder)


def test_compare_says_whether_intervals_are_apart() -> None:
    far = {r["name"]: r for r in leaderboard.compare(fabricated("a", 0.6), fabricated("b", 0.2))}
    near = {r["name"]: r for r in leaderboard.compare(fabricated("a", 0.6), fabricated("b", 0.55))}
    assert far["f1"]["apart"] and not near["f1"]["apart"] and far["f1"]["difference"] == pytest.approx(0.4)
    assert "iou" not in far


def write_run(place: Path, values: list[float]) -> Path:
    place.mkdir()
    rows = [{"image": f"{n}.png", "source": f"s{n}", "values": {"f1": v}} for n, v in enumerate(values)]
    (place / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (place / "result.json").write_text(json.dumps(fabricated(place.name, float(np.mean(values)))))
    return place / "result.json"


def test_two_runs_are_tested_picture_by_picture(folder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    base = rng.random(40)
    a, b = write_run(tmp_path / "a", list(base + 0.1)), write_run(tmp_path / "b", list(base))
    console = Console(record=True, width=140, file=(tmp_path / "out.txt").open("w"))
    standings.show(folder, None, None, (a, b), console)
    said = console.export_text()
    assert "+0.100" in said and "0.0001" in said and "a minus b, on 40 pictures" in said
    for wrong, message in (((a,), "two result files"), ((a, folder / "0.json"), "rows.jsonl")):
        with pytest.raises(ValueError, match=message):
            standings.show(folder, None, None, wrong, console)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no result"):
        standings.show(tmp_path / "empty", None, None, (), console)


def test_published_numbers_have_sources_and_doubts() -> None:
    numbers = published.load()
    assert len(numbers) > 100
    assert all(n.source and n.where and n.protocol and 0 <= n.value <= 1 for n in numbers)
    assert all(n.doubts for n in numbers if n.data == "sidset")
    casia = {(n.system, n.metric): n.value for n in published.on("casia1_dev", numbers)}
    assert casia[("FakeShield", "iou")] == 0.54 and casia[("TruFor", "f1")] == 0.74
    assert not published.on("casia", numbers) and not published.on("mine", numbers)


@pytest.mark.parametrize(
    ("row", "said"), [("{casia1: [0.1]}", "1 values for 2"), ("{casia1: [0.1, 54]}", "outside 0-1")]
)
def test_a_wrong_published_table_is_named(tmp_path: Path, row: str, said: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(f"tables: [{{source: s, where: w, protocol: p, metrics: [iou, f1], rows: {{X: {row}}}}}]")
    with pytest.raises(ValueError, match=said):
        published.load(path)


def test_plots_put_points_where_they_belong() -> None:
    svg = plots.lines(NASTY, {"one": [[0, 0], [1, 1]], "two & more": [[0, 1]]}, "x", "y")
    assert NASTY not in svg and "two &amp; more" in svg
    assert f'points="{plots.LEFT}.0,{plots.HEIGHT - plots.BOTTOM}.0 {plots.WIDTH - plots.RIGHT}.0,{plots.TOP}.0"' in svg


def plots_of(results: list[dict[str, Any]], place: Path) -> dict[str, str]:
    """Each plot of the page by its label."""
    text = leaderboard.page(results, [], place / "page.html").read_text()
    return {m[1]: m[0] for m in re.finditer(r'<svg[^>]*aria-label="([^"]*)".*?</svg>', text)}


def test_two_runs_of_one_system_are_two_lines(tmp_path: Path) -> None:
    a, b = fabricated("same", 0.2) | {"file": "a.json"}, fabricated("same", 0.6) | {"file": "b.json"}
    roc = next(svg for label, svg in plots_of([a, b], tmp_path).items() if "ROC" in label)
    assert roc.count("<polyline") == 2 and "same (a.json)" in roc and "same (b.json)" in roc


def test_what_nothing_defines_is_not_drawn_as_nought(tmp_path: Path) -> None:
    one = fabricated("x", 0.3)
    for entry in one["robustness"]:
        entry["numbers"]["f1"]["value"] = None
    sweep = plots_of([one], tmp_path)["x after jpeg: share against level"]
    assert sweep.count("<polyline") == 1 and "same answer" in sweep and ">f1<" not in sweep
    for entry in one["robustness"]:
        del entry["stable"]
    assert not [label for label in plots_of([one], tmp_path) if "after" in label]
    missing, nought = fabricated("missing", 0.3), fabricated("nought", 0.0)
    missing["numbers"]["f1"]["value"] = None
    ranked = leaderboard.table([missing, nought], "native-1", "casia1_dev")["rows"]
    assert [r["system"]["name"] for r in ranked] == ["nought", "missing"]


def test_published_numbers_keep_their_digits() -> None:
    assert [leaderboard.printed(v) for v in (0.4, 0.54, 0.998, 0.8033, 1.0)] == [
        "0.40",
        "0.54",
        "0.998",
        "0.8033",
        "1.00",
    ]


def test_published_numbers_are_of_unaltered_pictures(tmp_path: Path) -> None:
    name = "casia1_dev, every picture altered: jpeg 90"
    altered = fabricated("x", 0.3, name)
    altered["data"]["change"] = "jpeg 90"
    assert "FakeShield" not in leaderboard.page([altered], published.load(), tmp_path / "p.html").read_text()


def test_rows_known_from_memory_only_are_not_published() -> None:
    """facts/ifdl_vlm.md 3.2 marks these baselines of SID-Set as unverified."""
    found = {n.system for n in published.load() if n.data == "sidset" and n.metric == "iou"}
    assert found == {"SIDA-7B", "IFDL-VLM"}
    assert all("third-party notes" in n.doubts for n in published.load() if n.system == "IFDL-VLM")


def test_a_result_without_names_is_named(tmp_path: Path) -> None:
    (tmp_path / "anon.json").write_text(
        json.dumps({"schema": "ifdl-result-1", "system": {}, "protocol": None, "data": {"name": "x"}, "numbers": {}})
    )
    with pytest.raises(ValueError, match=r"anon\.json lacks the name of its system, protocol$"):
        leaderboard.load(tmp_path)


def test_a_picture_that_cannot_be_read_has_no_thumbnail(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    one = fabricated("x", 0.3)
    one["worst"] = [{"image": "bad.png", "kind": None, "state": "", "error": "not read", "note": "kept as text"}]
    text = leaderboard.page([one], [], tmp_path / "page.html", tmp_path).read_text()
    assert "data:image" not in text and "not read" in text and "kept as text" in text


def test_every_line_shows_on_dark_paper_and_nothing_undefined_is_drawn() -> None:
    svg = plots.lines("t", {str(n): [[0, 0], [0.5, float("nan")], [1, 1]] for n in range(9)}, "x", "y")
    assert "nan" not in svg and "#000000" not in svg and svg.count("<polyline") == 9
