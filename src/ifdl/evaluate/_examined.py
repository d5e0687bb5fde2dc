"""Pictures with known truth, examined once and kept as rows: what a calibration is fitted on.

Authentic photographs are examined as they are. From the same photographs the forge makes pairs, an edited
picture and its untouched sibling through the same laundering chain, so that nothing but the edit tells the
two apart; both are examined. Rows are appended to a JSON Lines file as they come, so that an interrupted run
goes on where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from ifdl import intake
from ifdl.data import manifest
from ifdl.data._record import Bad
from ifdl.data.manifest import write_text
from ifdl.forge import produce
from ifdl.forge.material import Photograph, Sources
from ifdl.forge.recipe import Recipe
from ifdl.intake import IntakeError
from ifdl.types import Picture, Question
from ifdl.verdict import battery
from ifdl.verdict.fuse import strength_of
from ifdl.verdict.strata import stratum_of


@dataclass(frozen=True)
class Row:
    """One examined picture. `scores` by question and clue, where the clue was in its domain.

    `source` is the photograph it comes from; `name` tells it from every other; `fault` says why it could
    not be examined.
    """

    name: str
    source: str
    edited: bool
    stratum: str = ""
    scores: dict[str, dict[str, float]] | None = None
    fault: str = ""


class Task(NamedTuple):
    """A picture to examine: how to get it is known only when it is asked for."""

    name: str
    source: str
    edited: bool
    picture: Callable[[], Picture]


def examine(picture: Picture, clues: Sequence[str], index: Path | None = None) -> dict[str, dict[str, float]]:
    """Strengths by question and clue, of the clues that are in their domain and not experimental.

    `index` is that of an archive to compare the picture with, as one more test.
    """
    said: dict[str, battery.Outcome] = {}
    for clue in clues:
        if not battery.card(clue).experimental:
            said[clue] = battery.run(clue, picture, said)
    found = [f for outcome in said.values() for f in outcome.findings]
    if index is not None:
        found += battery.compared(picture, index).findings
    scores: dict[str, dict[str, float]] = {}
    for question in Question:
        own = {
            c: strength_of([f for f in found if f.clue == c and f.question == question])
            for c in (*clues, battery.ARCHIVE)
        }
        if any(score is not None for score in own.values()):
            scores[str(question)] = {c: score for c, score in own.items() if score is not None}
    return scores


def row_of(task: Task, clues: Sequence[str], index: Path | None = None) -> Row:
    """A failure is a row that says so; a run never dies of one picture."""
    try:
        picture = task.picture()
    except (IntakeError, OSError) as error:
        return Row(task.name, task.source, task.edited, fault=str(error))
    return Row(task.name, task.source, task.edited, str(stratum_of(picture)), examine(picture, clues, index))


def as_they_are(photographs: Sequence[Photograph]) -> Iterator[Task]:
    """The authentic photographs' own files."""
    for photograph in photographs:
        yield Task(f"as it is: {photograph.path}", photograph.source, False, lambda p=photograph: _load(p))  # type: ignore[misc]


def pairs(photographs: Sequence[Photograph], recipe: Recipe, count: int, seed: int, done: set[str]) -> Iterator[Task]:
    """Edited picture and untouched sibling of each pair that is not `done`; a pair nobody can make is left out."""
    sources = Sources(list(photographs))
    for n in range(count):
        names = {edited: f"pair {n} of seed {seed}: {'edited' if edited else 'untouched'}" for edited in (True, False)}
        if done.issuperset(names.values()):
            continue
        try:
            made = produce.pair(sources, recipe, seed, n)
        except produce.Unforgeable:
            continue
        for edited, data in ((True, made.edited), (False, made.sibling)):
            name = names[edited]
            yield Task(name, made.sources[0], edited, lambda d=data, s=made.suffix: intake.decode(d, name=f"made.{s}"))  # type: ignore[misc]


def listed(place: Path) -> list[Task]:
    """Edited pictures of a folder or manifest of one's own; of a plain folder each counts as its own source."""
    if (place / manifest.FILE).is_file() or place.is_file():
        records = [r for r in manifest.records(place) if not isinstance(r, Bad) and r.label == "edited"]
        found = [Photograph(r.image, (r.sources or (r.name or str(r.image),))[0]) for r in records]
    else:
        from ifdl.forge import material

        found = material.find(place)
    return [Task(f"edited: {p.path}", p.source, True, lambda p=p: _load(p)) for p in found]  # type: ignore[misc]


def gather(tasks: Iterable[Task], rows: Path, clues: Sequence[str], index: Path | None = None) -> Iterator[Row]:
    """Examine each task and append its row to `rows` (JSON Lines)."""
    # A line that an interruption cut short would swallow the next one.
    write_text(rows, "".join(_line(row) for row in read(rows)))
    with rows.open("a", encoding="utf-8") as file:
        for task in tasks:
            row = row_of(task, clues, index)
            file.write(_line(row))
            file.flush()
            yield row


def _line(row: Row) -> str:
    return json.dumps(asdict(row), ensure_ascii=False) + "\n"


def read(rows: Path) -> list[Row]:
    """The rows of an earlier run; a line that an interruption cut short is left out."""
    found = []
    for line in rows.read_text(encoding="utf-8").splitlines() if rows.is_file() else ():
        try:
            found.append(Row(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def _load(photograph: Photograph) -> Picture:
    trusted = photograph.sha256 is not None
    return intake.load(photograph.path, isolated=not trusted, sha256=photograph.sha256)
