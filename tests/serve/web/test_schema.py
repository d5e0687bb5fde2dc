"""The OpenAPI description against the running service, by schemathesis: a short run of what results/schemathesis.json
holds the long one of; and how the service ends."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.serve.web.running import KEY, PATIENCE, Served, served

ROOT = Path(__file__).resolve().parents[3]
CONFIG = "tests/serve/web/schemathesis.toml"
pytest.importorskip("uvicorn", reason="the serve extra is not installed")


@pytest.fixture(scope="module")
def service() -> Iterator[Served]:
    with served("--allow-urls", "--queue", "16", key=KEY) as running:
        yield running


@pytest.mark.skipif(importlib.util.find_spec("schemathesis") is None, reason="schemathesis is not installed")
def test_schemathesis_finds_nothing(service: Served) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIG, "run", "--no-color"]
    command += [f"{service.home}/v1/openapi.json", "-H", f"Authorization: Bearer {KEY}", "--checks", "all"]
    command += ["--phases", "fuzzing", "--max-examples", "8", "--seed", "1"]
    command += [
        "--max-response-time",
        str(PATIENCE),
        "--request-timeout",
        str(PATIENCE),
        "--generation-database",
        "none",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    assert "Tested: 11" in done.stdout


def test_a_description_that_is_wrong_is_noticed(service: Served) -> None:
    """The control: the description's promise holds, and a service that broke it would be seen."""
    answer = httpx.get(f"{service.home}/metrics")
    assert answer.status_code == 401 and answer.headers["content-type"] == "application/json"
    described = httpx.get(f"{service.home}/v1/openapi.json", headers={"x-api-key": KEY}).json()
    assert set(described["paths"]["/metrics"]["get"]["responses"]["401"]["content"]) == {"application/json"}
    assert described["paths"]["/metrics"]["get"]["security"] and "security" not in described["paths"]["/healthz"]["get"]


def test_ctrl_c_ends_all_quietly_while_it_warms_up_and_after(service: Served) -> None:
    with served() as starting:
        assert starting.interrupt() in (0, -2, 130)
    assert service.interrupt() in (0, -2, 130)
    for said in (starting.said, service.said):
        assert "Traceback" not in said and "Error" not in said, said
