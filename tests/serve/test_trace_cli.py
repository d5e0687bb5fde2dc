"""`ifdl index` and `ifdl trace` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from ifdl.serve import trace_cli
from tests.trace.pictures import archive, composite, jpeg, photographs, save

app = typer.Typer()
trace_cli.register(app)


def ifdl(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An indexed archive with a broken file, a suspect and its mask."""
    made = tmp_path_factory.mktemp("trace")
    archive(made / "a")
    (made / "a" / "broken.jpg").write_bytes((made / "a" / "coffee.jpg").read_bytes()[:2000])
    pixels, mask = composite()
    (made / "suspect.jpg").write_bytes(jpeg(pixels, 80))
    Image.fromarray(mask.astype(np.uint8) * 255).save(made / "mask.png")
    done = ifdl("index", made / "a", "--out", made / "i", "--workers", 1)
    assert done.exit_code == 0, done.output
    assert "4 pictures (4 new or changed, 0 unchanged, 0 removed, 1 cannot be read)" in done.stderr
    assert "not indexed: " in done.stderr and "broken.jpg" in done.stderr
    return made


def test_a_suspect_is_traced(place: Path, tmp_path: Path) -> None:
    done = ifdl("trace", place / "suspect.jpg", "--index", place / "i", "--json", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["hosts"][0]["path"].endswith("coffee.jpg") and told["donors"][0]["path"].endswith("chelsea.jpg")
    assert told["searched"] == 4 and told["picture"]["name"] == "suspect.jpg"
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"trace.html", "trace.json", "mask.png"}
    assert json.loads((tmp_path / "out" / "trace.json").read_text()) == told


def test_lines_without_json(place: Path) -> None:
    done = ifdl("trace", place / "suspect.jpg", "--index", place / "i")
    assert "the whole: " in done.stdout and "a part: " in done.stdout and "{" not in done.stdout


@pytest.mark.parametrize("region", ["mask.png", "20,30,140,110"])
def test_a_region_is_a_box_or_a_mask(place: Path, region: str) -> None:
    given = place / region if region.endswith("png") else region
    done = ifdl("trace", place / "suspect.jpg", "--index", place / "i", "--region", given, "--json")
    assert json.loads(done.stdout)["donors"][0]["path"].endswith("chelsea.jpg")


@pytest.mark.parametrize(
    ("region", "why"),
    [
        ("900,900,10,10", "outside the picture of 320×213"),
        ("1,2,3", "neither a box"),
        ("small.png", "the picture 320×213"),
        ("empty.png", "marks nothing"),
    ],
)
def test_a_bad_region_is_refused_in_one_sentence(place: Path, region: str, why: str) -> None:
    Image.new("L", (10, 10), 255).save(place / "small.png")
    Image.new("L", (320, 213), 0).save(place / "empty.png")
    given = place / region if "," not in region else region
    done = ifdl("trace", place / "suspect.jpg", "--index", place / "i", "--region", given)
    assert done.exit_code == 2 and why in done.stderr and "Traceback" not in done.output


def test_no_index_no_picture(place: Path, tmp_path: Path) -> None:
    done = ifdl("trace", place / "suspect.jpg", "--index", tmp_path / "none")
    assert done.exit_code == 2 and "make one with: ifdl index" in done.stderr
    done = ifdl("trace", tmp_path / "none.jpg", "--index", place / "i")
    assert done.exit_code == 2 and "there is no file" in done.stderr
    done = ifdl("index", tmp_path / "none", "--out", tmp_path / "i")
    assert done.exit_code == 2 and "neither a file nor a folder" in done.stderr
    done = ifdl("index", place / "a", "--out", place / "a")
    assert done.exit_code == 2 and "folder of something else" in done.stderr


def test_an_index_is_brought_up_to_date(tmp_path: Path) -> None:
    kept = save(tmp_path / "a" / "kept.jpg", photographs()["coffee"][:, :120])
    gone = save(tmp_path / "a" / "gone.jpg", photographs()["rocket"][:, :120])
    ifdl("index", tmp_path / "a", "--out", tmp_path / "i")
    gone.unlink()
    save(tmp_path / "a" / "new.jpg", photographs()["chelsea"][:, :120])
    done = ifdl("index", tmp_path / "a", "--out", tmp_path / "i")
    assert "3 pictures (1 new or changed, 1 unchanged, 0 removed" in done.stderr
    done = ifdl("index", tmp_path / "a", "--out", tmp_path / "i", "--prune")
    assert "2 pictures (0 new or changed, 2 unchanged, 1 removed" in done.stderr
    assert kept.exists()


def test_files_that_failed_are_tried_again_when_asked(place: Path, tmp_path: Path) -> None:
    broken = tmp_path / "a" / "broken.jpg"
    whole = save(tmp_path / "whole.jpg", photographs()["coffee"][:, :120]).read_bytes()
    broken.parent.mkdir()
    broken.write_bytes(whole[:400])
    for arguments, unchanged in (((), 0), ((), 1), (("--retry",), 0)):
        done = ifdl("index", tmp_path / "a", "--out", tmp_path / "i", *arguments)
        assert done.exit_code == 0 and "1 cannot be read" in done.stderr
        assert f"{unchanged} unchanged" in done.stderr
