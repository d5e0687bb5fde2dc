"""Reports as plain rows, as report.json and results.jsonl hold them: what the formats for other programs are made of.

A row is a report's dict, or the row of a picture that could not be examined. A fresh `Report` becomes one, without
its private values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ifdl.report.json import SCHEMA_VERSION, to_dict
from ifdl.report.redact import redacted
from ifdl.report.words import state_words
from ifdl.signal import rle
from ifdl.types import Answer, Question, Report, Rle, State, Word

Row = dict[str, Any]
Rows = Iterable[Report | Row]

DISCLAIMER = (
    "Machine findings, not labels made by a person. A region says where a test points; nothing here says that a "
    "picture, or what lies outside a region, is unaltered."
)


@dataclass(frozen=True)
class Mark:
    """One region that an answer rests on. `box` is (x, y, width, height) in stored pixels.

    `words` are the answer's ("weak support"), `test` the clue or expert that found the region.
    """

    id: str
    box: tuple[int, int, int, int]
    runs: Rle
    position: str
    test: str
    finding: str
    question: str
    state: str
    words: str
    sentence: str

    def mask(self) -> NDArray[np.bool_]:
        """bool H×W in stored pixels."""
        return rle.decode(self.runs)


def row(report: Report | Row) -> Row:
    """One report as a row. What was read from a file is taken as it is."""
    return to_dict(redacted(report)) if isinstance(report, Report) else report


def read(place: Path) -> Iterator[Row]:
    """Rows of a report.json, a results.jsonl, or a folder with one of either, or with a folder for each picture.

    Raises ValueError that names the file and what is wrong with it.
    """
    for path in _files(place):
        lines = path.suffix in (".jsonl", ".ndjson")
        try:
            with path.open(encoding="utf-8") as file:
                for text in filter(str.strip, file) if lines else [file.read()]:
                    yield _checked(json.loads(text), path)
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path} cannot be read as JSON: {error}") from error


def examined(rows: Rows) -> Iterator[Row]:
    """Rows of pictures that were examined."""
    return (found for found in map(row, rows) if "error" not in found)


def answer_words(answer: Row) -> str:
    """The answer's state with its graded word: "weak support", "no trace found"."""
    graded = Word(answer["word"]) if answer["word"] else None
    return state_words(Answer(Question(answer["question"]), State(answer["state"]), graded, ""))


def answers(found: Row) -> dict[str, str]:
    """The four answers in words, by question."""
    return {answer["question"]: answer_words(answer) for answer in found["verdict"]["answers"]}


def marks(found: Row) -> list[Mark]:
    """The regions that answers rest on, in the report's order. What is experimental is never among them."""
    regions = {region["id"]: region for region in found["verdict"]["regions"]}
    owners = {region["id"]: f for f in found["verdict"]["findings"] for region in f["regions"]}
    made = []
    for answer in found["verdict"]["answers"]:
        for name in answer["regions"]:
            region, finding = regions.get(name), owners.get(name)
            if region is None or finding is None or region["mask"] is None:
                continue
            height, width = region["mask"]["size"]
            made.append(
                Mark(
                    id=name,
                    box=tuple(region["box"]),
                    runs=Rle((height, width), region["mask"]["counts"]),
                    position=region["position"],
                    test=finding["clue"],
                    finding=finding["id"],
                    question=answer["question"],
                    state=answer["state"],
                    words=answer_words(answer),
                    sentence=finding["sentence"],
                )
            )
    return made


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    for pattern in ("results.jsonl", "report.json", "*/report.json"):
        if found := sorted(place.glob(pattern)):
            return found
    what = f"{place} holds no results.jsonl and no report.json" if place.is_dir() else f"nothing is at {place}"
    raise ValueError(f"{what}; make one with: ifdl examine PICTURES --out {place}")


def _checked(found: Any, path: Path) -> Row:
    version = str(found.get("schema_version", "")) if isinstance(found, dict) else ""
    if version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        told = f"its schema is {version}" if version else "it is no report of ifdl"
        raise ValueError(f"{path}: {told}, and this version reads {SCHEMA_VERSION}")
    if "error" not in found and not {"item", "verdict", "environment", "run"} <= found.keys():
        raise ValueError(f"{path}: parts of the report are missing; write it anew with: ifdl examine")
    return dict(found)
