"""Pages, frames and PDF documents on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.intake import hostile
from tests.intake.test_pdf import TEXT, WHOLE, as_jpeg, jpeg, written
from tests.serve.test_cli import ifdl

ONE = ("--clue", "metadata", "--json")


def test_page_and_frame_name_the_same_number(tmp_path: Path) -> None:
    small = [Image.fromarray(hostile.scene(size)) for size in ((96, 64), (64, 96), (80, 80))]
    path = tmp_path / "photo.tif"
    path.write_bytes(hostile.saved("TIFF", small[0], save_all=True, append_images=small[1:]))
    for option in ("--page", "--frame"):
        item = json.loads(ifdl("examine", path, option, 3, *ONE).stdout)["item"]
        assert (item["name"], item["width"]) == ("photo.tif, page 3 of 3", 80)
    none = ifdl("examine", path, "--page", 4)
    assert none.returncode == 2 and none.stderr.strip() == "photo.tif: there is no page 4; the file has 3 pages."
    assert ifdl("examine", path, "--page", 0).returncode == 2


def test_every_picture_of_a_pdf_gets_its_report_and_is_kept(tmp_path: Path) -> None:
    path, out = tmp_path / "scan.pdf", tmp_path / "out"
    path.write_bytes(written([(WHOLE, [as_jpeg(0)]), (f"{WHOLE} {TEXT}", [as_jpeg(1)])]))
    first = ifdl("examine", path, "--out", out, *ONE)
    rows = [json.loads(line)["item"] for line in first.stdout.splitlines()]
    assert [r["name"] for r in rows] == ["scan.pdf, page 1 of 2", "scan.pdf, page 2 of 2, picture 1 of 1"]
    assert all(r["format"] == "JPEG" for r in rows) and len({r["sha256"] for r in rows}) == 1
    stem = rows[0]["sha256"][:16]
    assert {p.parent.name for p in out.glob("*/report.json")} == {f"{stem}-p1", f"{stem}-p2-i1"}
    again = ifdl("examine", path, "--out", out, *ONE)
    assert "2 of them from an earlier run" in again.stderr and again.stdout == first.stdout


def test_one_page_of_a_pdf_and_one_from_stdin() -> None:
    data = written([(WHOLE, [as_jpeg(0)]), (TEXT, [])])
    only = json.loads(ifdl("examine", "-", "--page", 2, *ONE, data=data).stdout)["item"]
    assert (only["name"], only["format"]) == ("stdin, page 2 of 2", "PDF")
    whole = json.loads(ifdl("examine", "-", *ONE, data=data).stdout)["item"]
    assert whole["name"] == "stdin, page 1 of 2" and f"{len(jpeg(0)):,} bytes" in whole["conversion"][0]


@pytest.mark.parametrize("data", [b"%PDF-1.7\n%%EOF", b"%PDF-1.4\n" + bytes(999)])
def test_a_broken_pdf_is_one_row(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "scan.pdf"
    path.write_bytes(data)
    done = ifdl("examine", path, "--json")
    assert done.returncode == 2 and json.loads(done.stdout)["error"]["kind"] == "corrupt"


def test_a_report_and_one_test_take_the_page_that_is_named(tmp_path: Path) -> None:
    path, out = tmp_path / "scan.pdf", tmp_path / "page.json"
    path.write_bytes(written([(WHOLE, [as_jpeg(0)]), (f"{WHOLE} {TEXT}", [as_jpeg(1)])]))
    done = ifdl("report", path, "--format", "json", "--out", out, "--page", 2)
    assert done.returncode == 0 and "page 2 of 2" in done.stderr
    assert json.loads(out.read_text())["item"]["name"].startswith("scan.pdf, page 2 of 2")
    assert ifdl("evidence", path, "--clue", "metadata", "--page", 2).returncode == 0
    assert "no page 3" in ifdl("evidence", path, "--clue", "metadata", "--page", 3).stderr


def test_a_folder_gives_its_pdf_files_too(tmp_path: Path) -> None:
    (tmp_path / "scan.pdf").write_bytes(written([(WHOLE, [as_jpeg(0)]), (WHOLE, [as_jpeg(1)])]))
    rows = [json.loads(line)["item"]["name"] for line in ifdl("examine", tmp_path, *ONE).stdout.splitlines()]
    assert rows == ["scan.pdf, page 1 of 2", "scan.pdf, page 2 of 2"]
