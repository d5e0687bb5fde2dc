"""The same table from a Ray cluster, started here on this machine."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

if importlib.util.find_spec("ray") is None:  # not imported here: what it listens on is settled by then
    pytest.skip("the ray extra is not installed", allow_module_level=True)
pq = pytest.importorskip("pyarrow.parquet", reason="the batch extra is not installed")

from ifdl.serve.batching import on_ray, run  # noqa: E402
from ifdl.serve.batching.cascade import Plan, Policy  # noqa: E402
from ifdl.serve.batching.on_ray import Cluster  # noqa: E402
from ifdl.serve.batching.store import Store  # noqa: E402
from tests.serve.batching import pictures  # noqa: E402

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
LINUX = sys.platform.startswith("linux")
PLAN = Plan.of(("metadata", "jpeg_grid", "ifdl_small"), policy=Policy.SUSPICIOUS)


def rows(out: Path) -> dict[str, dict[str, Any]]:
    listed = pq.read_table(out).to_pylist()
    found = {Path(r["uri"]).name: {**r, "seconds": None} for r in listed}
    assert len(found) == len(listed)
    return found


def listening() -> dict[str, str]:
    """Addresses, as the kernel writes them, on which this machine listens, by the socket's number (Linux)."""
    lines = [line.split() for f in ("tcp", "tcp6") for line in Path(f"/proc/net/{f}").read_text().splitlines()[1:]]
    return {line[9]: line[1].partition(":")[0] for line in lines if line[3] == "0A"}


def test_a_cluster_writes_the_table_that_this_machine_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, opened, streamed = listening() if LINUX else {}, set(), on_ray._streamed

    def watched(*given: Any) -> Iterator[dict[str, Any]]:
        for row in streamed(*given):
            opened.update(address for n, address in listening().items() if n not in before) if LINUX else None
            yield row

    monkeypatch.setattr(on_ray, "_streamed", watched)
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
    if LINUX:
        assert opened, "or nothing was looked at"
        assert all(address.endswith("0100007F") for address in opened), "Ray listens on the loopback interface only"


def test_a_wrong_address_is_said_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ConnectionError, match="no Ray cluster answers"):
        next(on_ray.rows([], PLAN, Cluster(f"127.0.0.1:{port}"), 5.0, frozenset()))
