"""A report as JSON: one object a file, or one line a picture for JSON Lines; and the schema it obeys.

The schema (JSON Schema 2020-12) is derived from `ifdl.types.Report`; arrays and file bytes never reach
the JSON. Nothing is redacted here: pass what `ifdl.report.redact.redacted` returns unless the private
values are wanted.
"""

from __future__ import annotations

import json
import math
import re
from functools import cache
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from ifdl.types import Report

# Additive changes of the schema raise the second number; a reader refuses an unknown first one.
SCHEMA_VERSION = "1.2"

# Legal inside a JSON string, but they would end a line for some readers or turn text around in a terminal.
UNRULY = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def to_json(report: Report, indent: int | None = 2) -> str:
    """The report as JSON text. Raises ValueError for a number that is not finite.

    Floats keep 6 significant digits, so that everything but `run` is byte-identical on a re-run.
    """
    return _text(to_dict(report), indent)


def to_line(report: Report) -> str:
    """The report as a single line without its line break, for JSON Lines."""
    return _text(to_dict(report), None)


def to_dict(report: Report) -> dict[str, Any]:
    """The report as plain dicts, lists, strings and finite rounded numbers."""
    # Not pydantic's JSON mode: it writes null where a number is not finite.
    plain: dict[str, Any] = _plain(_adapter().dump_python(report, warnings=False), "report")
    return plain


def error_row(name: str, kind: str, reason: str) -> dict[str, Any]:
    """The row of a picture that could not be analysed, so that none is dropped in silence."""
    row = {"schema_version": SCHEMA_VERSION, "item": {"name": name}, "error": {"kind": kind, "reason": reason}}
    plain: dict[str, Any] = _plain(row, "row")
    return plain


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of what `to_json` writes."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:ifdl:schema:report:{SCHEMA_VERSION}",
        **_adapter().json_schema(mode="serialization"),
        "title": f"ifdl report {SCHEMA_VERSION}",
    }


def rounded(number: float) -> float:
    """To 6 significant digits; minus zero becomes zero."""
    return float(f"{number:.6g}") + 0.0


@cache
def _adapter() -> TypeAdapter[Report]:
    return TypeAdapter(Report)


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {_plain(str(key), where): _plain(entry, f"{where}.{key}") for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry, f"{where}[{n}]") for n, entry in enumerate(value)]
    if isinstance(value, str):
        # A member of an enumeration becomes its text. File names can carry lone surrogates, which no
        # UTF-8 file can hold.
        return str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where} is {value}; a report holds finite numbers only")
        return rounded(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    raise TypeError(f"{where} is a {type(value).__name__}, which JSON cannot hold")


def _text(value: dict[str, Any], indent: int | None) -> str:
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    return UNRULY.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
