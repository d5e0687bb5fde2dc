"""The engine for a cluster: Ray Data, with one pool for decoding and cheap tests, and one for the expert.

What Ray hands out are pieces of the source, lists of addresses or archives: each is read where it is worked on. Between
the pools only pictures that the expert wants to see travel, encoded, with what the cheap tests said; blocks are small
and few are in flight. Every pool member holds a worker process of its own (`worker`), so that here, too, a picture
that kills or hangs costs its row and no more.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ifdl.serve.batching import sources
from ifdl.serve.batching.cascade import Plan
from ifdl.serve.batching.sources import Address, Piece
from ifdl.serve.batching.table import SEEN, Row, error_row
from ifdl.serve.batching.worker import Task, Worker

EXTRA = 'the engine ray needs the ray extra: pip install "ifdl[ray]"'
LOOPBACK_ONLY = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # despite its name it works everywhere; 0 means loopback
IN_FLIGHT = 2  # pieces that a pool member works on or has waiting


@dataclass(frozen=True)
class Cluster:
    """`address` None starts one on this machine. `workers` decode and run cheap tests, `experts` run the expert.

    `memory` bounds the bytes between the pools.
    """

    address: str | None = None
    workers: int = 2
    experts: int = 1
    memory: int = 512 * 1024**2


def rows(
    pieces: Iterable[Piece], plan: Plan, cluster: Cluster, seconds: float, done: frozenset[bytes]
) -> Iterator[Row]:
    """A row for each picture of the pieces but those whose sha256 is `done`, which come as SEEN, as they finish.

    Pool members do not know of each other's: the same bytes met twice in one run give two rows, for the store to merge.
    Raises ImportError where Ray is missing, ConnectionError where the cluster is.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    if cluster.address:
        _reachable(cluster.address)
    else:  # read when Ray is first imported: without it, it listens on every interface, whatever address it is given
        os.environ[LOOPBACK_ONLY] = "0"
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ImportError(f"{EXTRA} ({error})") from error
    started = not ray.is_initialized()
    if started:
        if cluster.address:
            ray.init(address=cluster.address, log_to_driver=False)
        else:
            ray.init(
                "local",  # and not what RAY_ADDRESS may name
                num_cpus=cluster.workers + cluster.experts,
                object_store_memory=2 * cluster.memory,
                include_dashboard=False,
                configure_logging=False,
                log_to_driver=False,
            )
    try:
        yield from _streamed(ray, pieces, plan, cluster, seconds, done)
    finally:
        if started:
            ray.shutdown()


def _reachable(address: str) -> None:
    """Raises ConnectionError at once where nobody answers; Ray itself tries for minutes."""
    host, _, port = address.rpartition(":")
    if not host or "/" in address or not port.isdigit():  # auto, or a scheme of Ray's own
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except OSError as error:
        raise ConnectionError(f"no Ray cluster answers at {address} ({error}); check --ray-address") from error


def _streamed(
    ray: Any, pieces: Iterable[Piece], plan: Plan, cluster: Cluster, seconds: float, done: frozenset[bytes]
) -> Iterator[Row]:
    if not cluster.address and ray.nodes()[0]["NodeManagerAddress"] != "127.0.0.1":
        raise RuntimeError(f"Ray would listen beyond this machine; set {LOOPBACK_ONLY}=0 before it is imported")
    context = ray.data.DataContext.get_current()
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context.enable_progress_bars = False
    context.execution_options.resource_limits = ray.data.ExecutionResources.for_limits(
        object_store_memory=cluster.memory
    )
    context.target_max_block_size = 16 * 1024**2
    listed = [json.dumps([[a.uri, a.wrong] for a in piece]) for piece in pieces]
    if not listed:
        return
    pool = {"batch_size": 1, "batch_format": "pyarrow"}
    data = ray.data.from_items(listed, override_num_blocks=len(listed)).map_batches(
        Cheap,
        fn_constructor_args=(plan, seconds, done),
        compute=ray.data.ActorPoolStrategy(size=cluster.workers, max_tasks_in_flight_per_actor=IN_FLIGHT),
        num_cpus=1,
        **pool,
    )
    if plan.experts:
        data = data.map_batches(
            Expert,
            fn_constructor_args=(plan, seconds),
            compute=ray.data.ActorPoolStrategy(size=cluster.experts, max_tasks_in_flight_per_actor=IN_FLIGHT),
            num_cpus=1,
            **pool,
        )
    for batch in data.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1):
        for text in batch.column("row").to_pylist():
            if text:
                yield json.loads(text)


class Cheap:
    """A pool member: reads a piece, decodes its pictures, runs the cheap tests."""

    def __init__(self, plan: Plan, seconds: float, done: frozenset[bytes]) -> None:
        self.plan, self.done = plan, done
        self.worker = Worker(plan, seconds)

    def __call__(self, batch: Any) -> Iterator[Any]:
        for text in batch.column("item").to_pylist():
            piece = tuple(Address(uri, wrong) for uri, wrong in json.loads(text))
            for item in sources.items(piece, self.plan.limits):
                yield self._examined(item)

    def _examined(self, item: sources.Item) -> Any:
        if item.error is not None:
            return _block(error_row(item.uri, item.error.kind, item.error.reason, "read"))
        digest = item.sha256
        if bytes.fromhex(digest) in self.done:
            return _block({"sha256": digest, "uri": item.uri, "status": SEEN})
        answer = self.worker.ask(Task(item.uri, digest, item.data, item.seconds, alone=True))
        return _block(answer) if isinstance(answer, dict) else _block(None, item, answer)


class Expert:
    """A pool member: the expert on what the cheap tests left to it; finished rows pass through."""

    def __init__(self, plan: Plan, seconds: float) -> None:
        self.worker = Worker(plan, seconds)

    def __call__(self, batch: Any) -> Iterator[Any]:
        for row in batch.to_pylist():
            if row["row"]:
                yield _block(json.loads(row["row"]))
                continue
            answer = self.worker.ask(Task(row["uri"], row["sha256"], row["data"], half=row["half"]))
            assert isinstance(answer, dict)
            yield _block(answer)


def _block(row: Row | None, item: sources.Item | None = None, half: str = "") -> Any:
    """One line of what travels: a finished row as JSON, or an encoded picture with its half."""
    import pyarrow as pa

    columns = {"uri": pa.string(), "sha256": pa.string(), "data": pa.large_binary(), "half": pa.large_string()}
    values = [item.uri, item.sha256, item.data, half] if item else [None] * 4
    line = {name: pa.array([value], kind) for (name, kind), value in zip(columns.items(), values, strict=True)}
    return pa.table({"row": pa.array([json.dumps(row) if row else None], pa.large_string()), **line})
