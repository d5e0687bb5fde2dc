"""`ifdl serve` as a user starts it, in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 180.0  # seconds: machines that do much else are slow
KEY = "a-key-of-more-than-16-characters"


class Served:
    """A running service: `home` is its address; all it said is in `said` when it has ended."""

    def __init__(self, process: subprocess.Popen[str], home: str) -> None:
        self.process, self.home, self.said = process, home, ""

    def interrupt(self) -> int:
        """Press Ctrl-C, as a terminal does for all processes of the group; its exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.said += self.process.communicate(timeout=PATIENCE)[1]
        return self.process.returncode


@contextmanager
def served(*options: str, key: str = "", cwd: Path | None = None) -> Iterator[Served]:
    """A service on a free port of this machine."""
    command = [sys.executable, "-m", "ifdl.serve.cli", "serve", "--no-open", *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "IFDL_API_KEY": key}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True, cwd=cwd
    ) as process:
        watch = threading.Timer(PATIENCE, process.kill)
        watch.start()
        try:
            assert process.stderr is not None
            said = ""
            while not (found := re.search(r"programs: (http://\S+)/v1/openapi.json", said)):
                line = process.stderr.readline()
                assert line, said
                said += line
            watch.cancel()
            service = Served(process, found.group(1))
            service.said = said
            yield service
        finally:
            watch.cancel()
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
