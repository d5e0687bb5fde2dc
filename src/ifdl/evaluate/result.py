"""One run's result: numbers with intervals, and everything needed to know what they are of and to repeat them."""

from __future__ import annotations

import json
import math
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import ifdl
from ifdl.data import Record, shortcuts
from ifdl.evaluate import summary
from ifdl.evaluate.protocol import Protocol
from ifdl.evaluate.run import Row, data_hash
from ifdl.evaluate.systems import Named
from ifdl.forge.change import MILD, Change
from ifdl.intake import Limits, read_source

SCHEMA = "ifdl-result-1"
LIBRARIES = ("numpy", "scipy", "opencv-python-headless", "pillow", "simplejpeg", "onnxruntime", "torch")
FAILURES = 20  # named in the result; the rows have them all


def result(
    system: Named,
    protocol: Protocol,
    name: str,
    records: Sequence[Record],
    rows: Sequence[Row],
    *,
    change: Change | None = None,
    command: str = "",
    draws: int = 1000,
) -> dict[str, Any]:
    """The result of a finished run as JSON: see `SCHEMA`; every number states its own protocol in words."""
    failed = [r for r in rows if r.error is not None]
    fresh = [r.seconds for r in rows if r.seconds and r.error is None]
    return {
        "schema": SCHEMA,
        "system": {
            "name": system.name,
            "kind": system.kind,
            "version": system.version,
            "weights_sha256": system.weights_sha256,
            "identity": system.identity,
            "threshold": system.threshold if system.threshold is not None else "regions the system marks itself",
        },
        "protocol": {
            "name": protocol.name,
            "version": protocol.version,
            "digest": protocol.digest,
            "words": " ".join(protocol.words.split()),
            "headline": list(protocol.headline),
        },
        "data": {
            "name": name if change is None else f"{name}, every picture altered: {change.words}",
            "sha256": data_hash(records),
            "terms": "; ".join(sorted({r.licence for r in records if r.licence})) or "see the set's own page",
            "pictures": dict(sorted(Counter(r.label for r in records).items())),
            "kinds": dict(sorted(Counter(r.kind or r.label for r in records).items())),
            "sources": len({r.source for r in records}),
            "change": None if change is None else change.words,
        },
        "numbers": summary.numbers(protocol, rows, draws),
        "in_domain": summary.in_domain(protocol, rows, draws),
        "by_kind": summary.by_kind(protocol, rows, draws),
        "curves": summary.curves(rows),
        # After a change, files say nothing of how they came: the audit is of the files as they lie there.
        "shortcuts": None if change is not None else audit(records),
        "worst": summary.worst(protocol, rows),
        "counts": {
            "pictures": len(rows),
            "scored": len(rows) - len(failed),
            "failed": len(failed),
            "failures": [{"image": r.image, "error": r.error} for r in failed[:FAILURES]],
        },
        "run": environment(command)
        | {"seconds_per_picture": round(sum(fresh) / len(fresh), 4) if fresh else None, "peak_memory_mb": memory()},
    }


def robust(
    protocol: Protocol, clean: Sequence[Row], altered: dict[Change, Sequence[Row]], draws: int = 200
) -> list[dict[str, Any]]:
    """One entry for each change, the unchanged pictures first: the protocol's numbers, and how many states survive."""
    rows = [{"chain": "none", "level": 0, "numbers": summary.numbers(protocol, clean, draws), "stable": 1.0}]
    states = {r.image: r.state for r in clean}
    for change, found in altered.items():
        own = [r for r in found if r.image in states]
        kept = sum(states[r.image] == r.state for r in own) / len(own) if own else math.nan
        numbers = summary.numbers(protocol, found, draws)
        rows.append({"chain": change.name, "level": change.level, "numbers": numbers, "stable": round(kept, 4)})
    return rows


def worst_case(protocol: Protocol, entries: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """For each headline number of edited pictures, the change under which it is lowest."""
    found = {}
    for name in protocol.headline:
        if not protocol.numbers[name].pixel or protocol.numbers[name].pictures != "edited":
            continue
        known = [e for e in entries if e["numbers"][name]["value"] is not None]
        if known:
            low = min(known, key=lambda e: float(e["numbers"][name]["value"]))
            found[name] = {"value": low["numbers"][name]["value"], "chain": low["chain"], "level": low["level"]}
    return found


def stability(clean: Sequence[Row], altered: dict[Change, Sequence[Row]]) -> dict[str, Any]:
    """Share of pictures whose state survives every one of the mild changes: of all, and by label."""
    mild = {c: {r.image: r.state for r in rows} for c, rows in altered.items() if (c.name, c.level) in MILD}
    if not mild:
        return {}
    kept = [(r, all(states.get(r.image) == r.state for states in mild.values())) for r in clean]
    shares: dict[str, Any] = {"changes": [c.words for c in mild], "n": len(kept)}
    for label in ("all", *sorted({r.label for r in clean})):
        own = [same for r, same in kept if label in ("all", r.label)]
        shares[label] = round(sum(own) / len(own), 4) if own else None
    return shares


def audit(records: Sequence[Record]) -> dict[str, float]:
    """How well each feature of the files' outside alone tells edited from authentic (AUC)."""
    headers, edited, sources = [], [], []
    for record in records:
        try:
            headers.append(shortcuts.read(read_source(record.image, Limits())[0]))
        except (OSError, ValueError):
            continue
        edited.append(record.label != "authentic")
        sources.append(record.source)
    return shortcuts.audit(headers, edited, sources) if headers else {}


def environment(command: str) -> dict[str, Any]:
    """What made the numbers."""
    libraries = {}
    for name in LIBRARIES:
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "command": command,
        "commit": commit(),
        "ifdl": ifdl.__version__,
        "python": platform.python_version(),
        "libraries": libraries,
        "machine": f"{platform.system()} {platform.machine()}, {processor()}",
        "date": datetime.now(UTC).date().isoformat(),
    }


def commit() -> str:
    """The commit of the source tree that runs, "+" where it was altered since; empty outside one."""
    place = Path(ifdl.__file__).parent
    try:
        head = subprocess.run(
            ["git", "-C", str(place), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True
        )
        changed = subprocess.run(["git", "-C", str(place), "status", "--porcelain", str(place)], capture_output=True)
    except OSError:
        return ""
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "") if head.returncode == 0 else ""


def processor() -> str:
    """The processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"


def memory() -> int | None:
    """Peak memory in MB of this process or the largest of its children; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1024**2 if sys.platform == "darwin" else 1024
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(most / unit)


def write(path: Path, found: dict[str, Any]) -> None:
    """The result as indented JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False)
    part = path.with_suffix(".part")
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(path)
