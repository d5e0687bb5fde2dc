"""One picture in steps: decode, cheap tests, the expert where the policy wants it, words where a person will read.

`first` and `second` are the two halves; the local engine does both on one decoded picture, Ray's pools do them apart,
and then a `Half` travels as JSON beside the encoded picture, which is decoded again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from ifdl import experts, intake, joint, spine
from ifdl.explain import grounded
from ifdl.report.json import SCHEMA_VERSION, rounded
from ifdl.report.redact import redacted
from ifdl.serve.batching.table import EXAMINED, Row, plain
from ifdl.signal import rle
from ifdl.signal.regions import mask_of
from ifdl.types import Answer, Environment, Finding, Likeness, Picture, Question, Report, Run, State, Verdict
from ifdl.verdict import battery, calibration
from ifdl.verdict.fuse import fuse

# History alone sends nobody to a picture: most files on the web were saved again.
READ = (Question.LOCAL_EDIT, Question.SYNTHETIC_ORIGIN, Question.CLAIMS)


class Policy(StrEnum):
    """Which pictures the expert sees, after the cheap tests saw all."""

    ALL = "all"
    OPEN = "open"
    SUSPICIOUS = "suspicious"
    NONE = "none"


@dataclass(frozen=True)
class Plan:
    """What is done with every picture: the cheap tests, the experts with what rests on them, and when those run.

    `least` is the likelihood ratio for a local edit, by the cheap tests alone, from which a picture is suspicious.
    """

    clues: tuple[str, ...]
    experts: tuple[str, ...] = (*battery.EXPERTS, *joint.names())
    policy: Policy = Policy.ALL
    least: float = 1.0
    calibration: Path | None = None
    limits: intake.Limits = field(default_factory=intake.Limits)

    @classmethod
    def of(cls, tests: Iterable[str] | None = None, **settings: object) -> Plan:
        """From the names of tests; None stands for all that count for an answer, without the experimental ones."""
        chosen = [t for t in battery.names() if not battery.card(t).experimental] if tests is None else list(tests)
        learned = tuple(t for t in chosen if t in (*experts.names(), *joint.names()))
        return cls(tuple(t for t in chosen if t not in learned), learned, **settings)  # type: ignore[arg-type]

    @property
    def pipeline(self) -> str:
        """sha256 of everything that can move a number of a row: versions, weights, calibration, policy, limits."""
        ran = (*self.clues, *self.experts)
        parts = [_environment(ran, self.calibration).pipeline, self.policy, self.least, self.limits.pixels]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Half:
    """A picture after the cheap tests. `wanted` says whether the expert is to see it, `reason` why or why not.

    `alike` is filled where it travels as JSON: what each finding has in memory only, by its id.
    """

    findings: tuple[Finding, ...]
    verdict: Verdict
    seconds: dict[str, float]
    wanted: bool
    reason: str
    alike: dict[str, tuple[Likeness, ...]] = field(default_factory=dict)


def wanted(plan: Plan, verdict: Verdict) -> tuple[bool, str]:
    """Whether the expert sees a picture with this verdict of the cheap tests, and why or why not."""
    edit = verdict.answer(Question.LOCAL_EDIT)
    if not plan.experts:
        return False, "skipped: not chosen"
    if plan.policy is Policy.NONE:
        return False, "skipped: policy none"
    if plan.policy is Policy.ALL:
        return True, "ran: policy all"
    if plan.policy is Policy.OPEN:
        answered = edit.state is State.SUPPORTED
        return not answered, "skipped: already supported" if answered else "ran: not answered"
    for answer in verdict.answers:
        if answer.question in READ and answer.state in (State.SUPPORTED, State.INCONCLUSIVE):
            return True, f"ran: {answer.question} is {answer.state}"
    if edit.log10_ratio is not None and 10**edit.log10_ratio >= plan.least:
        return True, f"ran: ratio of at least {plan.least:g}"
    return False, "skipped: not suspicious"


def first(picture: Picture, plan: Plan, seconds: dict[str, float]) -> Half:
    """The cheap tests and what they amount to; `seconds` holds those spent so far, by stage."""
    began = time.perf_counter()
    findings, _ = spine.tested(picture, plan.clues, {})
    verdict = _verdict(picture, findings, plan, plan.clues)
    run, reason = wanted(plan, verdict)
    return Half(tuple(findings), verdict, seconds | {"clues": time.perf_counter() - began}, run, reason)


def second(picture: Picture, half: Half, plan: Plan, uri: str) -> Row:
    """The rest of the row: the expert if it is wanted, and an explanation if somebody will read it."""
    verdict, seconds, stage = half.verdict, dict(half.seconds), "clues"
    if half.wanted:
        began = time.perf_counter()
        findings, _ = spine.tested(picture, plan.experts, {}, known=half.findings)
        verdict = _verdict(picture, [*half.findings, *findings], plan, (*plan.clues, *plan.experts))
        seconds["expert"], stage = time.perf_counter() - began, "expert"
    said: list[str] | None = None
    if any(verdict.answer(q).state is State.SUPPORTED for q in READ):
        began = time.perf_counter()
        said = _explained(picture, verdict, plan)
        seconds["explain"], stage = time.perf_counter() - began, "explain"
    alone = half.verdict.answer(Question.LOCAL_EDIT)
    item, boxes = picture.item, ("x", "y", "width", "height")
    return {
        "sha256": item.sha256,
        "uri": plain(uri),
        "pipeline": plan.pipeline,
        "status": EXAMINED,
        "stage": stage,
        "bytes": item.bytes,
        "format": item.format,
        "width": item.width,
        "height": item.height,
        "orientation": item.orientation,
        **{str(answer.question): _answer(answer) for answer in verdict.answers},
        "regions": [
            {**dict(zip(boxes, r.box, strict=True)), "id": r.id, "area": rounded(r.area), "position": r.position}
            for r in verdict.regions
        ],
        "mask": _mask(verdict, picture),
        "coverage": [{"test": row.test, "state": str(row.state)} for row in verdict.coverage],
        "clues_alone": {"state": str(alone.state), "log10_ratio": alone.log10_ratio},
        "expert": half.reason,
        "explanation": said,
        "seconds": {name: round(spent, 6) for name, spent in seconds.items()},
    }


def _answer(answer: Answer) -> Row:
    return {
        "state": str(answer.state),
        "word": str(answer.word) if answer.word else None,
        "log10_ratio": answer.log10_ratio,
    }


def _mask(verdict: Verdict, picture: Picture) -> Row | None:
    """The union of the regions in COCO's run lengths, as pycocotools takes it."""
    if not verdict.regions:
        return None
    runs = rle.encode(mask_of(verdict.regions, (picture.height, picture.width)))
    return {"size": list(runs.size), "counts": runs.counts}


def _verdict(picture: Picture, findings: list[Finding], plan: Plan, ran: tuple[str, ...]) -> Verdict:
    cards = spine.cards_of(ran)
    scale = spine.scale_of(picture, cards, calibration.load(plan.calibration))
    return fuse(findings, spine.coverage(findings, cards, ran, scale), scale)


def _explained(picture: Picture, verdict: Verdict, plan: Plan) -> list[str]:
    """Sentences without the private values of the metadata."""
    report = Report(
        SCHEMA_VERSION,
        picture.item,
        verdict,
        grounded.explain(picture, verdict),
        _environment((*plan.clues, *plan.experts), plan.calibration),
        spine.NOT_CLAIMED,
        False,
        Run("", {}, ()),
    )
    return [plain(sentence.text) for sentence in redacted(report).explanation.sentences]


@cache
def _environment(ran: tuple[str, ...], own: Path | None) -> Environment:
    return spine.environment({test: battery.card(test).version for test in ran}, own)


def packed(half: Half) -> str:
    """A half whose expert is wanted as JSON, without maps and what `second` finds again."""
    bare = tuple(replace(f, map=None) for f in half.findings)
    alike = {f.id: f.alike for f in half.findings if f.alike}  # what reports leave out and joint tests rest on
    verdict = replace(half.verdict, regions=(), coverage=(), findings=())
    return _halves().dump_json(replace(half, findings=bare, verdict=verdict, alike=alike)).decode()


def unpacked(text: str) -> Half:
    """What `packed` wrote."""
    half = _halves().validate_json(text)
    findings = tuple(replace(f, alike=half.alike.get(f.id, ())) for f in half.findings)
    return replace(half, findings=findings, alike={})


@cache
def _halves() -> TypeAdapter[Half]:
    return TypeAdapter(Half)
