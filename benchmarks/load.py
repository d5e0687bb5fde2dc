"""Load the service: many clients at once, mixed pictures and hostile files; does it answer, and does its memory stay?

    python benchmarks/load.py [--out results/load.json]

Passes if every picture is answered 200 or 503, every hostile file with the refusal it deserves or 503, no connection
breaks, and the memory of all the service's processes (resident sets added up, medians over five seconds) at the end is
at most 1.1 times what it was after 20 s. The service runs as it would beyond this machine: with a key, keeping nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import platform
import random
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.intake import hostile  # noqa: E402
from tests.serve.web.running import KEY, served  # noqa: E402

PAGE = ROOT / "docs" / "service.md"
SETTLED = 20.0  # seconds after which the memory is looked at first
WINDOW = 5.0
MOST = 1.1
LONGEST_WAIT = 5.0


@dataclass
class Tally:
    """What came back."""

    answers: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)


def material() -> list[tuple[str, bytes, str | None]]:
    """Name, bytes, and the refusal expected, None for a picture: as many of the one as of the other."""
    good: list[tuple[str, bytes, str | None]] = []
    for path in sorted((ROOT / "examples").glob("*.jpg")):
        good.append((path.name, path.read_bytes(), None))
        with Image.open(path) as image:
            for form, size in (("PNG", (320, 213)), ("JPEG", (1200, 800)), ("WEBP", (640, 427))):
                buffer = io.BytesIO()
                image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(buffer, form, quality=88)
                good.append((f"{path.stem}.{form.lower()}", buffer.getvalue(), None))
    bad = [(name, data, kind) for name, (data, kind) in hostile.files().items() if kind is not None]
    return good + [bad[n % len(bad)] for n in range(len(good))]


async def client(
    number: int, home: str, files: list[tuple[str, bytes, str | None]], until: float, tally: Tally
) -> None:
    """One client: the next file as soon as the last is answered; after a 503 it waits as it is told."""
    dice = random.Random(number)
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {KEY}"}, timeout=300) as web:
        sent = 0
        while time.monotonic() < until:
            name, data, kind = dice.choice(files)
            sent += 1
            # Each name is new: the same file under the same name would be answered from memory.
            place = f"{home}/v1/{'region' if kind is None and dice.random() < 0.1 else 'examine'}"
            query = {"name": f"{number}-{sent}-{name}"} | ({"box": "20,20,90,90"} if "region" in place else {})
            began = time.monotonic()
            try:
                answer = await web.post(place, params=query, content=data)
            except httpx.HTTPError as error:
                tally.wrong[f"{name}: {type(error).__name__}"] += 1
                continue
            if answer.status_code == 503:
                tally.answers["503"] += 1
                wait = min(LONGEST_WAIT, float(answer.headers["retry-after"]))
                await asyncio.sleep(wait * dice.uniform(0.5, 1))
                continue
            tally.seconds.append(time.monotonic() - began)
            said = str(answer.json()["error"]["kind"]) if answer.status_code >= 400 else None
            tally.answers[f"{answer.status_code}" + (f" {said}" if said else "")] += 1
            if said != kind or (kind is None) != (answer.status_code == 200):
                tally.wrong[f"{name}: {answer.status_code} {said}"] += 1


async def watch(process: psutil.Process, began: float, until: float, tally: Tally) -> None:
    """Add up the resident sets of the service's processes, twice a second."""
    while time.monotonic() < until:
        total = 0
        for each in (process, *process.children(recursive=True)):
            try:
                total += each.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        tally.memory.append((time.monotonic() - began, total))
        await asyncio.sleep(0.5)


async def load(home: str, pid: int, clients: int, seconds: float) -> Tally:
    """All clients for that long."""
    tally, files = Tally(), material()
    began = time.monotonic()
    until = began + seconds
    await asyncio.gather(
        watch(psutil.Process(pid), began, until, tally),
        *(client(number, home, files, until, tally) for number in range(clients)),
    )
    return tally


def told(tally: Tally, clients: int, seconds: float) -> dict[str, Any]:
    """The result, and whether it passes."""
    settled = min(SETTLED, seconds / 2)
    early = statistics.median(size for at, size in tally.memory if settled - WINDOW / 2 <= at < settled + WINDOW / 2)
    late = statistics.median(size for at, size in tally.memory if at >= seconds - WINDOW)
    done = sum(count for answer, count in tally.answers.items() if answer != "503")
    times = sorted(tally.seconds)
    return {
        "clients": clients,
        "seconds": seconds,
        "answers": dict(tally.answers.most_common()),
        "wrong": dict(tally.wrong),
        "answered_a_minute": round(done / seconds * 60, 1),
        "seconds_median": round(statistics.median(times), 2),
        "seconds_95": round(times[int(0.95 * (len(times) - 1))], 2),
        "rss_mb_settled": round(early / 1e6, 1),
        "rss_mb_end": round(late / 1e6, 1),
        "rss_mb_most": round(max(size for _, size in tally.memory) / 1e6, 1),
        "rss_ratio": round(late / early, 3),
        "passes": not tally.wrong and late <= MOST * early and done > 0,
    }


def words(result: dict[str, Any]) -> str:
    """The result as docs/service.md says it."""
    refused = sum(count for answer, count in result["answers"].items() if answer.startswith("422"))
    return (
        f"{result['clients']} clients for {result['seconds']:g} s against one worker and a queue of 8, half of the "
        f"files hostile (`{result['command']}`; {result['machine']}, {result['busy_with_other_work_before']} busy with "
        f"other work): {result['answers']['200']} pictures answered, {refused} hostile files refused for what they "
        f"are, {result['answers'].get('503', 0)} times 503, {sum(result['wrong'].values())} other answers or broken "
        f"connections. Memory of all processes {result['rss_mb_settled']:g} MB after 20 s, "
        f"{result['rss_mb_end']:g} MB at the end (ratio {result['rss_ratio']:g}), at most {result['rss_mb_most']:g} MB."
    )


def updated(page: str, result: dict[str, Any]) -> str:
    """The page with the result between its marks."""
    head, _, rest = page.partition("<!-- load:begin")
    mark, _, rest = rest.partition("-->\n")
    return f"{head}<!-- load:begin{mark}-->\n{words(result)}\n<!-- load:end -->{rest.partition('<!-- load:end -->')[2]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    busy = psutil.cpu_percent(1.0)
    with served("--host", "127.0.0.2", "--workers", str(options.workers), key=KEY) as service:
        tally = asyncio.run(load(service.home, service.process.pid, options.clients, options.seconds))
    result = {
        "command": "python benchmarks/load.py",
        "what": "32 clients against `ifdl serve` with one worker and a queue of 8; half of the files are hostile",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "busy_with_other_work_before": f"{busy:g} % of all cores",
        **told(tally, options.clients, options.seconds),
    }
    text = json.dumps(result, indent=1) + "\n"
    print(text, end="")
    if options.out:
        options.out.write_text(text)
        PAGE.write_text(updated(PAGE.read_text("utf-8"), result), "utf-8")
    raise SystemExit(0 if result["passes"] else 1)


if __name__ == "__main__":
    main()
