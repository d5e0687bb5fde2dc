"""The table that `ifdl batch` writes: its columns, in one place. One row a picture file, errors included.

A row is a plain dictionary with the columns' names; what is left out is null. `docs/scale.md` says what each means.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from ifdl.types import PROPOSITIONS, Question

if TYPE_CHECKING:
    import pyarrow as pa

Row: TypeAlias = dict[str, Any]
VERSION = "1.0"  # a new column raises the second number, any other change the first
STAGES = ("read", "decode", "clues", "expert", "explain")
EXAMINED, ERROR = "examined", "error"
SEEN = "seen"  # only in parts: the same bytes under another name
EXTRA = 'the table needs the batch extra: pip install "ifdl[batch]"'


@cache
def schema() -> pa.Schema:
    """The columns. Raises ImportError that names the extra where pyarrow is missing."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise ImportError(f"{EXTRA} ({error})") from error

    def several(kind: pa.DataType, *size: int) -> pa.DataType:
        return pa.list_(pa.field("element", kind), *size)  # as Parquet calls it

    text, whole, real = pa.string(), pa.int32(), pa.float64()
    answer = pa.struct([("state", text), ("word", text), ("log10_ratio", real)])
    box = [(side, whole) for side in ("x", "y", "width", "height")]
    region = pa.struct([("id", text), *box, ("area", real), ("position", text)])
    return pa.schema(
        [
            ("sha256", text),
            ("uri", text),
            ("also", several(text)),
            ("pipeline", text),
            ("status", text),
            ("error", pa.struct([("kind", text), ("reason", text)])),
            ("stage", text),
            ("bytes", pa.int64()),
            ("format", text),
            ("width", whole),
            ("height", whole),
            ("orientation", whole),
            *((str(question), answer) for question in Question),
            ("regions", several(region)),
            ("mask", pa.struct([("size", several(whole, 2)), ("counts", text)])),
            ("coverage", several(pa.struct([("test", text), ("state", text)]))),
            ("clues_alone", pa.struct([("state", text), ("log10_ratio", real)])),
            ("expert", text),
            ("explanation", several(text)),
            ("seconds", pa.struct([(stage, real) for stage in STAGES])),
        ],
        metadata={"ifdl.table": VERSION, **{f"ifdl.{q}": PROPOSITIONS[q][0] for q in Question}},
    )


def error_row(uri: str, kind: str, reason: str, stage: str, sha256: str | None = None, size: int | None = None) -> Row:
    """The row of a picture that could not be examined; `stage` is the one that failed."""
    return {
        "sha256": sha256,
        "uri": plain(uri),
        "status": ERROR,
        "error": {"kind": kind, "reason": plain(reason)},
        "stage": stage,
        "bytes": size,
    }


def plain(text: str) -> str:
    """Text that UTF-8 can hold: file names can carry lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
