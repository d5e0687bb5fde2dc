"""The shareable edition of a report: places, serial numbers and owners' names taken out."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

from ifdl.types import Map, Metadata, MetadataEntry, Report, Rle

PLACEHOLDER = "[redacted]"
# Shorter private values ("1", "N") occur everywhere by chance and give nobody away.
SHORTEST = 4
# Only words are searched: a private value must not be able to break an id, a hash or a mask.
PROSE = {"sentence", "cap", "reason", "text", "cause", "check", "note", "warnings", "value", "numbers"}


def redacted(report: Report) -> Report:
    """A copy without private values: neither in the metadata nor quoted in any sentence or number.

    The file's own name and the custody log stay as they are; the log's hashes cover its words.
    """
    metadata = report.item.metadata
    private = {e.value for e in metadata.entries if e.private and len(e.value) >= SHORTEST} - {PLACEHOLDER}
    entries = tuple(replace(e, value=PLACEHOLDER) if e.private else e for e in metadata.entries)
    item = replace(report.item, metadata=Metadata(entries, metadata.warnings))
    report = replace(report, item=item, redacted=True)
    if not private:
        return report
    # Longest first, in one pass: a value that contains another goes as a whole.
    pattern = re.compile("|".join(re.escape(value) for value in sorted(private, key=lambda v: (-len(v), v))))
    return replace(
        report,
        item=_scrubbed(item, pattern),
        verdict=_scrubbed(report.verdict, pattern),
        explanation=_scrubbed(report.explanation, pattern),
    )


def _scrubbed(value: Any, pattern: re.Pattern[str], prose: bool = False) -> Any:
    if isinstance(value, str) and not isinstance(value, Enum):
        return pattern.sub(PLACEHOLDER, value) if prose else value
    if isinstance(value, tuple):
        return tuple(_scrubbed(entry, pattern, prose) for entry in value)
    if isinstance(value, dict):
        if not prose:
            return value
        return {
            key: PLACEHOLDER
            if not isinstance(entry, str) and pattern.fullmatch(str(entry))
            else _scrubbed(entry, pattern, prose)
            for key, entry in value.items()
        }
    if isinstance(value, MetadataEntry) and value.private:
        return value
    if is_dataclass(value) and not isinstance(value, (type, Map, Rle)):
        changes = {f.name: _scrubbed(getattr(value, f.name), pattern, f.name in PROSE) for f in fields(value)}
        return replace(value, **{k: v for k, v in changes.items() if v is not getattr(value, k)})
    return value
