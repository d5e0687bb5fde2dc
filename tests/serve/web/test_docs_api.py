"""docs/service.md: its commands work as they stand there, and its tables name what the service has."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ifdl.serve import web_cli
from ifdl.serve.web.app import create
from ifdl.serve.web.settings import Settings
from tests.serve.web.running import KEY, served

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/service.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE, re.S)


@pytest.fixture(scope="module")
def home() -> Iterator[str]:
    with served(key=KEY) as running:
        yield running.home


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_commands_work(home: str) -> None:
    told = []
    for command in COMMANDS:
        environment = os.environ | {"HOME_URL": home, "KEY": KEY}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        told.append(done.stdout)
    examined, region, deep, again = told
    assert json.loads(examined)["item"]["name"] == "splice.jpg"
    assert any(test["say"] == "supports" for test in json.loads(region)["tests"])
    assert "event: done" in deep
    job = json.loads(deep[deep.rindex('{"id"') :])
    assert "stability" in {row["test"] for row in job["report"]["verdict"]["coverage"]}
    assert json.loads(again)["item"]["sha256"] == job["sha256"]


def test_every_call_and_option_is_named() -> None:
    for path in create(Settings()).openapi()["paths"]:
        assert path.replace("{job_id}", "{id}") in PAGE, path
    options = {"--" + name.replace("_", "-") for name in inspect.signature(web_cli.serve).parameters}
    assert set(re.findall(r"`(--[a-z-]+)`", PAGE)) <= options
