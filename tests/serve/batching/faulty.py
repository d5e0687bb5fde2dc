"""A worker for tests that dies, hangs or never starts, as the name of the picture says."""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Connection

from ifdl.serve.batching.cascade import Plan
from ifdl.serve.batching.worker import READY


def main(connection: Connection, plan: Plan) -> None:
    connection.send(READY)
    while True:
        task = connection.recv()
        if "dies" in task.uri:
            os._exit(7)
        if "hangs" in task.uri:
            time.sleep(600)
        row = {"uri": task.uri, "sha256": task.sha256, "status": "examined", "pipeline": "p", "seconds": {}}
        connection.send(row | {q: {"state": "NOT_RUN"} for q in QUESTIONS})


def stillborn(connection: Connection, plan: Plan) -> None:
    raise SystemExit(3)


QUESTIONS = ("history", "local_edit", "synthetic_origin", "claims")
