"""Reports as a table, one row a picture: for pandas, spreadsheets, and whatever reads either."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from ifdl.report.rows import Row, Rows, answer_words, marks, row
from ifdl.types import Question

if TYPE_CHECKING:
    import pandas as pd

# A spreadsheet would run a cell that begins so; file names are strangers' text.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
FACTS = ("name", "sha256", "format", "media_type", "width", "height", "bytes", "orientation")
ANSWERED = ("state", "words", "log10_ratio")
COLUMNS = (
    *FACTS,
    *(f"{question}_{part}" for question in Question for part in ANSWERED),
    "regions",
    "marked_share",
    "tests_supported",
    "pipeline",
    "error",
)


def to_records(reports: Rows) -> list[Row]:
    """One flat dict a picture with the keys COLUMNS; a picture that could not be examined says why in `error`.

    `regions` counts those that answers rest on, `marked_share` (0-1) is the share of the picture inside any of them;
    `tests_supported` names the tests that found something and count, with spaces between them.
    """
    return [_record(row(report)) for report in reports]


def to_frame(reports: Rows) -> pd.DataFrame:
    """The same as a pandas DataFrame; an answer's ratio is NaN where nothing was calibrated.

    `reports` may be what `ifdl.examine_many` yields. Raises ImportError that names the extra if pandas is missing.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("a data frame needs pandas: pip install 'ifdl[pandas]'") from error
    return pd.DataFrame(to_records(reports), columns=list(COLUMNS))


def to_csv(reports: Rows) -> str:
    """The same as comma-separated text; cells that a spreadsheet would take for a formula begin with an apostrophe."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for record in to_records(reports):
        writer.writerow({key: _harmless(value) for key, value in record.items()})
    return file.getvalue()


def _record(found: Row) -> Row:
    made: Row = dict.fromkeys(COLUMNS)
    if "error" in found:
        return made | {"name": found["item"]["name"], "error": f"{found['error']['kind']}: {found['error']['reason']}"}
    made |= {name: found["item"][name] for name in FACTS}
    for answer in found["verdict"]["answers"]:
        question = answer["question"]
        made[f"{question}_state"] = answer["state"]
        made[f"{question}_words"] = answer_words(answer)
        made[f"{question}_log10_ratio"] = answer.get("log10_ratio")
    own = marks(found)
    marked = np.any([mark.mask() for mark in own], axis=0) if own else np.zeros(1)
    supported = (f["clue"] for f in found["verdict"]["findings"] if f["state"] == "SUPPORTED" and not f["experimental"])
    return made | {
        "regions": len(own),
        "marked_share": round(float(marked.mean()), 6),
        "tests_supported": " ".join(dict.fromkeys(supported)),
        "pipeline": found["environment"]["pipeline"],
    }


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
