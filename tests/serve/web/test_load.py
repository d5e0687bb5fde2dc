"""The load test: its arithmetic, a few seconds of it against a running service, and the page on the long one."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

pytest.importorskip("psutil", reason="psutil is not installed")
pytest.importorskip("uvicorn", reason="the serve extra is not installed")

from benchmarks import load

from tests.serve.web.running import KEY, served


def tally(late: int, **wrong: int) -> load.Tally:
    memory = [(n / 2, 100 if n < 200 else late) for n in range(241)]
    return load.Tally(Counter({"200": 5, "503": 90}), Counter(wrong), [1.0] * 5, memory)


def test_growth_and_wrong_answers_fail() -> None:
    assert load.told(tally(110), 32, 120)["passes"]
    assert load.told(tally(110), 32, 120)["rss_ratio"] == 1.1
    assert not load.told(tally(111), 32, 120)["passes"]
    assert not load.told(tally(100, **{"a.jpg: 500 None": 1}), 32, 120)["passes"]


def test_a_few_clients_get_what_they_deserve() -> None:
    with served("--queue", "0", key=KEY) as service:
        made = asyncio.run(load.load(service.home, service.process.pid, 4, 3.0))
    assert not made.wrong and made.answers["503"] > 0, made.answers
    assert any(answer.startswith("422") for answer in made.answers) or made.answers["200"]
    assert min(size for _, size in made.memory) > 50e6, "the workers are counted too"


def test_the_page_says_what_was_measured() -> None:
    result = json.loads((load.ROOT / "results/load.json").read_text())
    page = load.PAGE.read_text("utf-8")
    assert load.updated(page, result) == page, "run: python benchmarks/load.py --out results/load.json"
    assert result["passes"] and result["clients"] == 32 and result["seconds"] == 120
    described = json.loads((load.ROOT / "results/schemathesis.json").read_text())
    assert described["passes"] and not described["failures"] and described["operations"] == 11
