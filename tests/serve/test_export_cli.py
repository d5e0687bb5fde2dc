"""`ifdl report --format` for one picture in a form of other programs."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image
from typer.testing import CliRunner

from ifdl.serve.cli import app


def test_one_picture_becomes_one_file(tmp_path: Path) -> None:
    path, out = tmp_path / "plain.png", tmp_path / "plain.json"
    Image.new("RGB", (80, 64), "grey").save(path)
    done = CliRunner().invoke(app, ["report", str(path), "--format", "coco", "--out", str(out)])
    told = json.loads(out.read_text(encoding="utf-8"))
    assert done.exit_code == 0 and [i["file_name"] for i in told["images"]] == ["plain.png"]
    assert told["annotations"] == [] and told["info"]["contributor"].startswith("ifdl ")
