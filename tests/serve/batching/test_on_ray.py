"""The same table from a Ray cluster, started here on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

pytest.importorskip("ray", reason="the ray extra is not installed")
pq = pytest.importorskip("pyarrow.parquet", reason="the batch extra is not installed")

from ifdl.serve.batching import run  # noqa: E402
from ifdl.serve.batching.cascade import Plan, Policy  # noqa: E402
from ifdl.serve.batching.on_ray import Cluster  # noqa: E402
from ifdl.serve.batching.store import Store  # noqa: E402
from tests.serve.batching import pictures  # noqa: E402

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
PLAN = Plan.of(("metadata", "jpeg_grid", "ifdl_small"), policy=Policy.SUSPICIOUS)


def rows(out: Path) -> dict[str, dict[str, Any]]:
    listed = pq.read_table(out).to_pylist()
    found = {Path(r["uri"]).name: {**r, "seconds": None} for r in listed}
    assert len(found) == len(listed)
    return found


def test_a_cluster_writes_the_table_that_this_machine_writes(tmp_path: Path) -> None:
    folder = tmp_path / "case"
    pictures.write(folder, 2)
    shutil.copy(EXAMPLES / "splice.jpg", folder / "splice.jpg")
    shutil.copy(folder / "000.jpg", folder / "twin.jpg")
    (folder / "broken.jpg").write_bytes((EXAMPLES / "retouch.jpg").read_bytes()[:9000])
    wanted = [str(folder), str(tmp_path / "list.txt")]
    (tmp_path / "list.txt").write_text("gone.jpg\n")
    console, here, there = Console(stderr=True), tmp_path / "here.parquet", tmp_path / "there.parquet"
    local = run.run(wanted, run.Order(PLAN, here), console)
    kept = pq.read_table(here).slice(0, 1).to_pylist()[0]
    with Store(there, PLAN.pipeline) as store:  # an earlier run, to go on from
        store.add(kept)
    cluster = run.run(wanted, run.Order(PLAN, there, cluster=Cluster(workers=1)), console)
    assert rows(there) == rows(here)
    assert rows(here)["splice.jpg"]["expert"].startswith("ran"), "or the second pool had nothing to do"
    assert cluster.kept >= 1 and cluster.failed == local.failed == 2 and cluster.rows == local.rows == 5
