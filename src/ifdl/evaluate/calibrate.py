"""From examined pictures with known truth to a calibration file.

Authentic photographs give the false alarms; forgeries are made from the same photographs, or brought along.
`fit` turns the rows into tables (`ifdl.verdict.calibration` says how they are used) and measures them on sources
that were left out; numbers measured on what was fitted are never reported.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

import ifdl
from ifdl.data.manifest import Split, write_text
from ifdl.evaluate import _examined, likelihood
from ifdl.evaluate._examined import Row
from ifdl.evaluate.likelihood import Floats, Scored
from ifdl.forge import material, recipe
from ifdl.forge.material import Photograph
from ifdl.types import Question
from ifdl.verdict import battery
from ifdl.verdict.calibration import (
    BANDS,
    FEWEST_SOURCES,
    Alone,
    Calibration,
    ClueTable,
    Level,
    Provenance,
    Rule,
    Tables,
    fused,
)

FEWEST = 10  # authentic photographs without which nothing is calibrated
FOLDS = 5
RULES: tuple[Rule, ...] = ("max", "sum")
ALONE = (battery.ARCHIVE,)  # weighed by itself, since it looks at what the others never see
Told = Callable[[int, int], None]


@dataclass(frozen=True)
class Order:
    """What to calibrate on.

    `authentic` are folders or manifests of untouched photographs, `splits` which of them where their sources have
    splits; `forged` a folder or manifest of edited pictures, None to forge `pairs` from the authentic ones by a
    `recipe` on at most `longest` pixels. With `archive` every picture is also compared with an index of the authentic
    photographs. Rows are kept in `work`.
    """

    authentic: tuple[Path, ...]
    work: Path
    forged: Path | None = None
    pairs: int = 600
    seed: int = 0
    recipe: str = "forge"
    longest: int = 640
    splits: tuple[Split, ...] = (Split.CALIBRATE,)
    method: str = "isotonic"
    archive: bool = False


def calibrate(
    order: Order, command: str = "", told: Callable[[int, int], None] = lambda done, total: None
) -> Calibration:
    """Examine what is missing and fit; `told` hears of pictures done and in all. Raises ValueError with the cure."""
    return fit(collect(order, told), provenance=_provenance(order, command), method=order.method)


def collect(order: Order, told: Told = lambda done, total: None) -> list[Row]:
    """Rows of all pictures of an order, examined now or in an earlier run."""
    photographs = [p for place in order.authentic for p in material.find(place, order.splits)]
    sources = len({p.source for p in photographs})
    if sources < FEWEST:
        raise ValueError(f"calibration needs at least {FEWEST} authentic photographs, and there are {sources}")
    clues = battery.names()
    order.work.mkdir(parents=True, exist_ok=True)
    tests = (*clues, battery.ARCHIVE) if order.archive else clues
    about = asdict(replace(order, method="")) | {"clues": {c: battery.card(c).version for c in tests}}
    _same_order(order.work / "order.json", json.dumps(about, indent=1, sort_keys=True, default=str))
    rows = order.work / "rows.jsonl"
    done = {row.name for row in _examined.read(rows)}
    if order.forged is None:
        chosen = replace(recipe.load(order.recipe), longest=order.longest, objects=False)
        edited = _examined.pairs(photographs, chosen, order.pairs, order.seed, done)
        total = len(photographs) + 2 * order.pairs
    else:
        brought = _examined.listed(order.forged)
        edited, total = iter(brought), len(photographs) + len(brought)
    tasks = (t for t in chain(_examined.as_they_are(photographs), edited) if t.name not in done)
    index = _indexed(photographs, order.work / "archive.index") if order.archive else None
    for count, _ in enumerate(_examined.gather(tasks, rows, clues, index), len(done) + 1):
        told(count, total)
    return _examined.read(rows)


def _indexed(photographs: Sequence[Photograph], place: Path) -> Path:
    """An index of these photographs."""
    from ifdl.trace.index import Index

    with Index(place, write=True) as index:
        index.update([p.path for p in photographs])
    return place


def fit(
    rows: Sequence[Row],
    questions: Sequence[Question] = (Question.LOCAL_EDIT,),
    versions: dict[str, str] | None = None,
    method: str = "isotonic",
    provenance: Provenance | None = None,
    rule: Rule | None = None,
) -> Calibration:
    """Tables for each question that the rows can calibrate; without a `rule` the better one fuses.

    Raises ValueError if there is none.
    """
    good = [row for row in rows if not row.fault]
    tables = {q: t for q in questions if (t := _tables(good, q, versions, method, rule)) is not None}
    if not tables:
        raise ValueError("no test was in its domain on enough of both the authentic and the edited pictures")
    text = "\n".join(sorted(json.dumps(asdict(row), sort_keys=True) for row in rows))
    counts = Counter("edited" if row.edited else "authentic" for row in good)
    about = provenance or Provenance((), "", {}, "", ifdl.__version__, "")
    pictures = {**counts, "failed": len(rows) - len(good)}
    return Calibration(tables, replace(about, sha256=hashlib.sha256(text.encode()).hexdigest(), pictures=pictures))


def _tables(
    rows: Sequence[Row], question: Question, versions: dict[str, str] | None, method: str, rule: Rule | None
) -> Tables | None:
    kept = [row for row in rows if row.scores and question in row.scores]
    rule = rule or best_rule(kept, question, method)
    clues = _clue_tables(kept, question)
    weighed, scored = _fused(kept, question, clues, rule)
    if scored is None or len(np.unique(scored.sources[~scored.edited])) < FEWEST:
        return None
    strata = {}
    for stratum in sorted({row.stratum for row in weighed}):
        own = scored[np.array([row.stratum == stratum for row in weighed])]
        authentic, edited = (len(np.unique(own.sources[own.edited == e])) for e in (False, True))
        if authentic >= FEWEST_SOURCES and edited >= FEWEST:
            strata[stratum] = likelihood.fit(own, method)
    held, log10 = held_out(kept, question, method, rule)
    known = {c: (versions or {}).get(c) or battery.card(c).version for c in (*clues, *ALONE)}
    return Tables(
        clues={c: replace(table, version=known[c]) for c, table in clues.items()},
        alone={c: Alone(known[c], level) for c in ALONE if (level := _level_alone(rows, question, c, method))},
        pooled=likelihood.fit(scored, method),
        strata=strata,
        rule=rule,
        method=method,
        measured=measures(held, log10) | _control(kept, question, method, rule),
        reliability=likelihood.reliability(held, log10),
    )


def _level_alone(rows: Sequence[Row], question: Question, test: str, method: str) -> Level | None:
    """What one test's strength is worth by itself, None where it said too little to tell."""
    own = [(row, s) for row in rows if (s := (row.scores or {}).get(str(question), {}).get(test)) is not None]
    if len({row.edited for row, _ in own}) < 2:
        return None
    scored = _scored([row for row, _ in own], [s for _, s in own])
    return likelihood.fit(scored, method) if len(np.unique(scored.sources[~scored.edited])) >= FEWEST else None


def best_rule(rows: Sequence[Row], question: Question, method: str = "isotonic") -> Rule:
    """How to fuse: the rule whose held-out ratios cost least (Cllr), the greatest where there is too little to tell."""
    try:
        costs = {rule: likelihood.cllr(*held_out(rows, question, method, rule)) for rule in RULES}
    except ValueError:
        return "max"
    return min(RULES, key=lambda rule: costs[rule])


def held_out(
    rows: Sequence[Row], question: Question, method: str = "isotonic", rule: Rule = "max"
) -> tuple[Scored, Floats]:
    """Scores of all rows and log10 of their ratios, each from tables fitted without any picture of its source.

    A forgery counts to its host; its donors may have been among the sources fitted on.
    """
    names = np.array([row.source for row in rows])
    fold = likelihood.folds(names, FOLDS)
    held: list[tuple[float, bool, str, float]] = []
    for n in range(FOLDS):
        others = [r for r, f in zip(rows, fold, strict=True) if f != n]
        clues = _clue_tables(others, question)
        _, rest = _fused(others, question, clues, rule)
        if rest is None:
            continue
        table = likelihood.fit(rest, method).table
        for row in (r for r, f in zip(rows, fold, strict=True) if f == n):
            score = fused(clues, rule, _own(row, question))
            if score is not None:
                held.append((score, row.edited, row.source, table.at(score)))
    if not held:
        raise ValueError("there are too few photographs to leave any out of the fit")
    scores, edited, sources, log10 = zip(*held, strict=True)
    return Scored.of(scores, edited, sources), np.array(log10)


def measures(held: Scored, log10: Floats) -> dict[str, float]:
    """Quality of held-out ratios, and how often they would be worded at all (a ratio of 2 or more)."""
    worded = log10 >= BANDS[0][0]
    alarms = np.unique(held.sources[worded & ~held.edited])
    found = {
        "cllr": likelihood.cllr(held, log10),
        "min_cllr": likelihood.min_cllr(held, log10),
        "calibration_error": likelihood.calibration_error(held, log10),
        "edited_worded": float((held.weights * (worded & held.edited)).sum()),
        "authentic_sources_worded": len(alarms),
        "authentic_sources": len(np.unique(held.sources[~held.edited])),
        "authentic_pictures": int((~held.edited).sum()),
        "edited_pictures": int(held.edited.sum()),
    }
    return {name: round(float(value), 4) for name, value in found.items()}


def _control(rows: Sequence[Row], question: Question, method: str, rule: Rule) -> dict[str, float]:
    """The same with labels shuffled: Cllr must be about 1 and the mean size of log10 ratios about 0."""
    labels = np.random.default_rng(0).permutation([row.edited for row in rows])
    mixed = [replace(row, edited=bool(label)) for row, label in zip(rows, labels, strict=True)]
    held, log10 = held_out(mixed, question, method, rule)
    found = {"shuffled_cllr": likelihood.cllr(held, log10), "shuffled_log10": float(np.abs(log10).mean())}
    return {name: round(value, 4) for name, value in found.items()}


def summary(calibration: Calibration) -> dict[str, Any]:
    """The measures of a calibration, without its tables, as `results/` keeps them."""
    about: dict[str, Any] = {"provenance": asdict(calibration.provenance), "questions": {}}
    for question, tables in calibration.questions.items():
        levels = {"pooled": tables.pooled, **tables.strata, **{c: own.level for c, own in tables.alone.items()}}
        about["questions"][str(question)] = {
            "measured": tables.measured,
            "measured_on": f"sources left out of the fit, {FOLDS} folds",
            "reliability": [asdict(b) for b in tables.reliability],
            "method": tables.method,
            "rule": tables.rule,
            "clues": {c: {"version": t.version, "weight": t.weight} for c, t in tables.clues.items()},
            "levels": {n: {k: v for k, v in asdict(level).items() if k != "table"} for n, level in levels.items()},
        }
    return about


# ---------------------------------------------------------------- fitting


def _clue_tables(rows: Sequence[Row], question: Question) -> dict[str, ClueTable]:
    """A table and a weight for each clue that was in its domain on pictures of both classes; no versions yet."""
    found = {}
    for clue in sorted({c for row in rows for c in _own(row, question)}):
        kept = [row for row in rows if clue in _own(row, question)]
        if len({row.edited for row in kept}) == 2:
            scores = [_own(row, question)[clue] for row in kept]
            found[clue] = likelihood.order(_scored(kept, scores))
    kept = [row for row in rows if any(c in found for c in _own(row, question))]
    if not found or len({row.edited for row in kept}) < 2:
        return {}
    ratios = np.zeros((len(kept), len(found)))
    for n, row in enumerate(kept):
        for m, (clue, table) in enumerate(found.items()):
            if clue in _own(row, question):
                ratios[n, m] = table.at(_own(row, question)[clue])
    weights = likelihood.weights(ratios, _scored(kept, [0.0] * len(kept)))
    return {c: ClueTable("", t, float(w)) for (c, t), w in zip(found.items(), weights, strict=True)}


def _fused(
    rows: Sequence[Row], question: Question, clues: dict[str, ClueTable], rule: Rule
) -> tuple[list[Row], Scored | None]:
    """The rows that have a fused score, and these scores; None unless both classes are there."""
    scores = [fused(clues, rule, _own(row, question)) for row in rows]
    kept = [row for row, score in zip(rows, scores, strict=True) if score is not None]
    both = len({row.edited for row in kept}) == 2
    return kept, _scored(kept, [s for s in scores if s is not None]) if both else None


def _own(row: Row, question: Question) -> dict[str, float]:
    """What the tests that are fused said of the question."""
    return {c: s for c, s in (row.scores or {}).get(str(question), {}).items() if c not in ALONE}


def _scored(rows: Sequence[Row], scores: Sequence[float]) -> Scored:
    return Scored.of(scores, [row.edited for row in rows], [row.source for row in rows])


def _provenance(order: Order, command: str) -> Provenance:
    forged = f"{order.pairs} pairs forged from them ({order.recipe}, seed {order.seed}, {order.longest} pixels)"
    data = [f"{place.name} ({', '.join(order.splits)})" for place in order.authentic]
    data.append(forged if order.forged is None else order.forged.name)
    if order.archive:
        data.append("each compared with an archive of the authentic photographs")
    return Provenance(tuple(data), "", {}, datetime.now(UTC).date().isoformat(), ifdl.__version__, command)


def _same_order(path: Path, text: str) -> None:
    """Refuse to mix the rows of two orders, or of two versions of a clue."""
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise ValueError(f"{path.parent} holds rows of other pictures or of other tests; name an empty folder")
    write_text(path, text)
