"""Can a report be repeated? Every difference between it and the examination run again, one line each.

Hashes, versions and numbers are compared to the last digit that a report holds. Times may differ; the custody log's
own chain of hashes may not be broken. Python's and the platform's versions are told apart from those that move numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from ifdl.report.json import SCHEMA_VERSION

FREE = ("run", "redacted")  # what two honest runs may differ in
LONGEST = 120


def differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Lines "place: what the report says → what is found now"; none if the report can be repeated.

    `then` is a report as it was read, `now` the one made anew, both plain (`to_dict`).
    """
    found = list(_custody(then))
    for key in sorted(then.keys() | now.keys()):
        if key not in FREE:
            found += _apart(key, then.get(key), now.get(key))
    return found


def readable(report: Any) -> str:
    """Why this is no report that can be verified; empty if it is one."""
    if not isinstance(report, dict) or "schema_version" not in report:
        return "it is no report of ifdl"
    if "error" in report:
        return "it says that the picture could not be examined"
    if str(report["schema_version"]).split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        return f"its schema is {report['schema_version']}, and this version reads {SCHEMA_VERSION}"
    try:
        report["environment"]["clues"], report["run"]["custody"], report["verdict"]["coverage"]
    except (KeyError, TypeError):
        return "parts of it are missing"
    return ""


def _apart(place: str, then: Any, now: Any) -> Iterator[str]:
    if isinstance(then, dict) and isinstance(now, dict):
        for key in sorted(then.keys() | now.keys()):
            yield from _apart(f"{place}.{key}", then.get(key), now.get(key))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from _apart(f"{place}[{_name(one, number)}]", one, other)
    elif then != now or type(then) is not type(now):
        yield f"{place}: {_shown(then)} → {_shown(now)}"


def _name(entry: Any, number: int) -> str:
    """What a reader knows an entry of a list by."""
    known = ("id", "test", "question", "name")
    return next((str(entry[k]) for k in known if isinstance(entry, dict) and entry.get(k)), str(number))


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} entries"
    text = "nothing" if value is None else str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _custody(report: dict[str, Any]) -> Iterator[str]:
    """Entries of the report's log whose hash is not that of the entry and of the one before."""
    previous = ""
    for number, event in enumerate(report["run"]["custody"]):
        own = hashlib.sha256(f"{previous}\n{event['at']}\n{event['what']}".encode()).hexdigest()
        if event["previous"] != previous or event["sha256"] != own:
            yield f"run.custody[{number}]: the chain of hashes is broken here"
            return
        previous = event["sha256"]
