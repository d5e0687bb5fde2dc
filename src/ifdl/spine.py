"""The spine: picture → findings and predictions → verdict → explanation → report. Readable in five minutes.

The house calls this file `examine.py`; it is named `spine` so that `ifdl.examine` can be the function
that everybody calls.
"""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import ifdl
from ifdl import intake, joint
from ifdl.explain import grounded
from ifdl.report.json import SCHEMA_VERSION
from ifdl.types import (
    Answer,
    Card,
    Coverage,
    Environment,
    Event,
    Finding,
    Picture,
    Prediction,
    Question,
    Report,
    Run,
    State,
)
from ifdl.verdict import battery, marks, names
from ifdl.verdict import calibration as calibrations
from ifdl.verdict.deep import QUESTIONS, repeats, steadied
from ifdl.verdict.fuse import PRECEDENCE, Scale, coverage_of, fuse
from ifdl.verdict.strata import stratum_of

# Tests the house has a room for and this version has not built: they are listed, never passed over.
PLANNED: dict[str, tuple[str, tuple[Question, ...]]] = {
    "generated": ("Detector of generated pictures", (Question.SYNTHETIC_ORIGIN,)),
}
CALIBRATION = "Calibrated likelihood ratios"
NOT_CLAIMED = (
    "who changed the picture, when, why, or with which program",
    "whether the scene happened as shown, or where and when it was taken",
    "that anything outside a marked region is untouched",
    "that a file without traces was never changed",
    "any probability that the picture is real or false",
)
LEFT_OUT = "left out on request"
LIBRARIES = (
    "numpy", "scipy", "opencv-python-headless", "pillow", "simplejpeg", "pydantic", "c2pa-python", "onnxruntime",
)  # fmt: skip


def examine(
    source: str | Path | bytes,
    *,
    limits: intake.Limits = intake.Limits(),  # noqa: B008
    clues: Iterable[str] | None = None,
    name: str | None = None,
    progress: Callable[[str], None] = lambda step: None,
    calibration: Path | None = None,
    deep: bool = False,
    index: Path | None = None,
    page: int | None = None,
    picture: int | None = None,
) -> Report:
    """Examine one picture file, or its bytes, and answer the four questions.

    `clues` restricts the tests, clues and experts alike, by name; `progress` is told each step as it begins;
    `calibration` is a file of one's own, by default the shipped one; `deep` repeats the answers on local edits and
    synthetic origin after mild changes; `index` is an archive's, made by `ifdl index`, to compare the picture with;
    `page` (from 1) is a page, frame or further picture of the file, `picture` one of those on a PDF's page.
    The picture is decoded in a child process under `limits`.
    Raises `ifdl.intake.IntakeError` if it cannot be, ValueError for a calibration file or an index that is not one.
    """
    calibrations.load(calibration)  # a wrong one is said before any work
    progress("intake")
    began = time.perf_counter()
    chosen = battery.names() if clues is None else tuple(dict.fromkeys(clues))
    with ThreadPoolExecutor(1) as beside:  # weights are read while the child process decodes
        beside.submit(battery.load, chosen)
        loaded = intake.load(source, limits, name=name, page=page, picture=picture)
    seconds = {"intake": time.perf_counter() - began}
    return examine_picture(
        loaded, clues=chosen, progress=progress, seconds=seconds, calibration=calibration, deep=deep, index=index
    )


def examine_picture(
    picture: Picture,
    *,
    clues: Iterable[str] | None = None,
    progress: Callable[[str], None] = lambda step: None,
    seconds: dict[str, float] | None = None,
    calibration: Path | None = None,
    deep: bool = False,
    index: Path | None = None,
    heard: Callable[[Coverage, tuple[Answer, ...]], None] | None = None,
) -> Report:
    """The same for a picture that is decoded already.

    `heard` is told after each test: its row of the coverage, and the answers that no test to come can change.
    """
    loaded = calibrations.load(calibration)
    started = datetime.now(UTC)
    spent = dict(seconds or {})
    chosen = battery.names() if clues is None else tuple(dict.fromkeys(clues))
    cards = cards_of(chosen)
    scale = scale_of(picture, cards, loaded)

    def told(test: str, findings: list[Finding], rest: Sequence[str]) -> None:
        if heard is None:
            return
        later = (*rest, battery.ARCHIVE) if index is not None else rest
        waiting = {q for other in later for q in cards[other].questions} | set(QUESTIONS if deep else ())
        covered = coverage(findings, cards, [t for t in chosen if t not in rest], scale)
        answers = fuse(findings, covered, scale).answers
        row = next(row for row in covered if row.test == test)
        heard(row, tuple(a for a in answers if a.question not in waiting))

    findings, predictions = tested(picture, chosen, spent, progress, told)
    if index is not None:
        progress("comparing with the archive")
        began = time.perf_counter()
        findings += _numbered(battery.compared(picture, index).findings, cards[battery.ARCHIVE])
        spent[battery.ARCHIVE] = time.perf_counter() - began
    ran = (*chosen, battery.ARCHIVE) if index is not None else chosen
    verdict = fuse(findings, coverage(findings, cards, ran, scale), scale)
    verdict = replace(verdict, predictions=tuple(predictions), map=marks.together(findings, predictions))
    if deep:
        began = time.perf_counter()
        verdict = steadied(verdict, repeats(picture, chosen, scale, progress, index))
        spent["deep"] = time.perf_counter() - began
    if verdict.regions:
        progress("names of marked parts")
        began = time.perf_counter()
        verdict = names.named(picture, verdict)
        spent["names"] = time.perf_counter() - began
    progress("report")
    explanation = grounded.explain(picture, verdict)
    spent["total"] = sum(spent.values())
    return Report(
        schema_version=SCHEMA_VERSION,
        item=picture.item,
        verdict=verdict,
        explanation=explanation,
        environment=environment({test: cards[test].version for test in ran}, calibration, index),
        not_claimed=NOT_CLAIMED,
        redacted=False,
        run=Run(started.isoformat(timespec="seconds"), spent, custody(picture, findings, started)),
        picture=picture,
    )


def tested(
    picture: Picture,
    tests: Iterable[str],
    spent: dict[str, float],
    progress: Callable[[str], None] = lambda step: None,
    heard: Callable[[str, list[Finding], Sequence[str]], None] = lambda test, findings, rest: None,
    known: Sequence[Finding] = (),
) -> tuple[list[Finding], list[Prediction]]:
    """What these tests say of a picture, findings with their ids; the seconds of each are put into `spent`.

    `heard` is told each test as it ends, all findings so far, and the tests to come. `known` is what tests said that
    ran before, for those that rest on them.
    """
    tests = list(tests)
    # What only the answer on local edits waits for is slow and runs last, so that the other answers need not wait.
    order = sorted(tests, key=lambda t: (battery.card(t).questions == (Question.LOCAL_EDIT,), t in joint.names()))
    found: dict[str, list[Finding]] = {}
    predicted: dict[str, Prediction] = {}
    said = {clue: battery.Outcome([f for f in known if f.clue == clue]) for clue in {f.clue for f in known}}
    for number, test in enumerate(order, 1):
        progress(test)
        began = time.perf_counter()
        outcome = said[test] = battery.run(test, picture, said)
        found[test] = _numbered(outcome.findings, battery.card(test))
        if outcome.prediction:
            predicted[test] = outcome.prediction
        spent[test] = time.perf_counter() - began
        heard(test, [f for t in tests for f in found.get(t, ())], order[number:])
    return [f for test in tests for f in found[test]], [predicted[test] for test in tests if test in predicted]


def cards_of(chosen: Iterable[str] = ()) -> dict[str, Card]:
    """The card of every test there is, in the order of the coverage table."""
    return {test: battery.card(test) for test in dict.fromkeys((*battery.names(), *chosen, battery.ARCHIVE))}


def scale_of(picture: Picture, cards: dict[str, Card], loaded: calibrations.Loaded | None) -> Scale | None:
    """The calibration as it applies to this picture, None without one."""
    versions = {test: card.version for test, card in cards.items()}
    return Scale(loaded, str(stratum_of(picture)), versions) if loaded else None


def coverage(
    findings: Sequence[Finding], cards: dict[str, Card], chosen: Sequence[str], scale: Scale | None = None
) -> tuple[Coverage, ...]:
    """One row for every test, run or not, so that silence is never taken for a result."""
    rows = []
    for clue, card in cards.items():
        own = [f for f in findings if f.clue == clue]
        state = next((s for s in PRECEDENCE if any(f.state == s for f in own)), State.NOT_RUN)
        reason = " ".join(dict.fromkeys(f.sentence for f in own if f.state == state))
        if clue not in chosen:
            reason = "no archive to compare with was named (--index)" if clue == battery.ARCHIVE else LEFT_OUT
        elif not own:
            state, reason = State.OUT_OF_DOMAIN, "had nothing to say about this file"
        if card.experimental:
            reason = f"experimental, shown but never counted: {reason}"
        rows.append(Coverage(clue, card.title, card.questions, state, reason))
    for test, (title, questions) in PLANNED.items():
        if test not in cards:
            rows.append(Coverage(test, title, questions, State.NOT_RUN, "not part of this version"))
    return (*rows, coverage_of(scale, findings, CALIBRATION))


def environment(clues: dict[str, str], calibration: Path | None = None, index: Path | None = None) -> Environment:
    """Versions of everything that can move a number or a word, and one hash over them."""
    loaded = calibrations.load(calibration)
    weights = {"calibration": loaded.sha256} if loaded else {}
    weights |= {"archive": battery.archive(index)} if index is not None else {}
    weights |= battery.weights(clues) | names.weights()
    libraries = {name: version(name) for name in LIBRARIES}
    parts = {
        "ifdl": ifdl.__version__,
        "clues": clues,
        "libraries": libraries,
        "schema": SCHEMA_VERSION,
        "weights": weights,
    }
    pipeline = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    python = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Environment(ifdl.__version__, python, libraries, clues, weights, pipeline)


def custody(picture: Picture, findings: Sequence[Finding], started: datetime) -> tuple[Event, ...]:
    """The log of this run, each entry chained to the one before by its hash."""
    said = json.dumps([[f.id, f.state, f.sentence, f.numbers] for f in findings], sort_keys=True, default=str)
    steps = (
        f"received {picture.item.bytes} bytes, sha256 {picture.item.sha256}",
        f"decoded by {picture.item.decoder}, pixels sha256 {hashlib.sha256(picture.pixels.data).hexdigest()}",
        f"examined: {len(findings)} findings, sha256 {hashlib.sha256(said.encode()).hexdigest()}",
    )
    events, previous = [], ""
    for what in steps:
        at = started.isoformat(timespec="seconds")
        digest = hashlib.sha256(f"{previous}\n{at}\n{what}".encode()).hexdigest()
        events.append(Event(at, what, digest, previous))
        previous = digest
    return tuple(events)


def _numbered(findings: list[Finding], card: Card) -> list[Finding]:
    """Findings with ids of their own and of their regions ("copymove.1", "copymove.1.r2")."""
    numbered = []
    for n, finding in enumerate(findings, 1):
        own = f"{card.id}.{n}"
        regions = tuple(replace(r, id=f"{own}.r{m}") for m, r in enumerate(finding.regions, 1))
        numbered.append(replace(finding, id=own, regions=regions, experimental=card.experimental))
    return numbered
