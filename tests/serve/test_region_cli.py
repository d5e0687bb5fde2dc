"""`ifdl region` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import typer
from typer.testing import CliRunner

from ifdl.serve import region_cli
from tests.serve.test_cli import EXAMPLES, SPLICE


def run(*arguments: object) -> tuple[int, str, str]:
    app = typer.Typer()
    app.callback()(lambda: None)
    region_cli.register(app)
    done = CliRunner().invoke(app, ["region", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_box_as_words_and_mask_as_json() -> None:
    code, words, _ = run(SPLICE, "--box", "465,49,113,115")
    assert code == 0 and "SUPPORTS     JPEG block grid" in words and "upper right" in words
    code, text, _ = run(SPLICE, "--mask", EXAMPLES / "splice_mask.png", "--json")
    told = json.loads(text)
    assert code == 0 and {t["say"] for t in told["tests"]} == {"supports", "against", "cannot tell"}


def test_wrong_input_gets_one_sentence(tmp_path: Path) -> None:
    for wrong in (
        (),
        ("--box", "1,2,3"),
        ("--box", "a,b,c,d"),
        ("--box", "9999,0,5,5"),
        ("--polygon", "1,1 2,2"),
        ("--mask", EXAMPLES / "copymove_mask.png"),
        ("--mask", tmp_path / "none.png"),
    ):
        code, out, err = run(SPLICE, *wrong)
        assert code == 2 and out == "" and err.startswith("ifdl: ") and err.count("\n") == 1, (wrong, err)
