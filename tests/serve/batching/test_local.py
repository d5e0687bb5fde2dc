"""The local engine with workers that fail: each failure costs one row, never the run."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ifdl.serve.batching import local
from ifdl.serve.batching.cascade import Plan
from ifdl.serve.batching.worker import Task
from tests.serve.batching import faulty

PLAN = Plan(clues=("metadata",), experts=())


def tasks(*names: str) -> Iterator[Task]:
    for n, name in enumerate(names):
        yield Task(name, f"{n:064x}", b"x" * 300_000)  # more than a pipe holds


def test_a_death_and_a_hang_cost_one_row_each() -> None:
    began = time.monotonic()
    found = {
        r["uri"]: r
        for r in local.rows(tasks("a", "dies", "b", "hangs", "c", "d"), PLAN, workers=2, seconds=2.0, serve=faulty.main)
    }
    assert time.monotonic() - began < 60
    assert set(found) == {"a", "dies", "b", "hangs", "c", "d"}
    assert found["dies"]["error"]["kind"] == "died" and "exit code 7" in found["dies"]["error"]["reason"]
    assert found["hangs"]["error"]["kind"] == "hung" and "2 s" in found["hangs"]["error"]["reason"]
    assert [found[n]["status"] for n in "abcd"] == ["examined"] * 4
    assert found["dies"]["bytes"] == 300_000 and found["dies"]["pipeline"] == PLAN.pipeline


def test_workers_that_cannot_start_end_the_run() -> None:
    with pytest.raises(RuntimeError, match="does not start"):
        list(local.rows(tasks("a"), PLAN, workers=1, seconds=5.0, serve=faulty.stillborn))


def test_one_picture_is_read_ahead_and_no_more() -> None:
    given: list[str] = []

    def counted() -> Iterator[Task]:
        for task in tasks(*"abcdefgh"):
            given.append(task.uri)
            yield task

    for _ in local.rows(counted(), PLAN, workers=1, seconds=60.0, serve=faulty.main):
        assert len(given) <= 3, "one examined, one given, one read ahead"
        break


def test_nothing_to_do() -> None:
    assert list(local.rows(iter(()), PLAN, workers=1, seconds=5.0, serve=faulty.main)) == []
