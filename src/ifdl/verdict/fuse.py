"""Findings to four answers. Without a calibration file a clue above its threshold is weak support, and no more.

With one, the clues that ran in their domain are fused once and calibrated once (`ifdl.verdict.calibration`), and
the word follows from the ratio. Facts carry no ratio, experimental findings count for nothing, and the words for
what found nothing never turn silence into a result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ifdl.explain import grounded
from ifdl.types import Answer, Coverage, Finding, Question, Region, State, Verdict, Word
from ifdl.verdict import calibration
from ifdl.verdict.calibration import Loaded, Tables, Weighed

# The strongest thing that can be said of a question, or of a test, first.
PRECEDENCE = (
    State.SUPPORTED,
    State.INCONCLUSIVE,
    State.NO_TRACE_FOUND,
    State.OUT_OF_DOMAIN,
    State.FAILED,
    State.NOT_RUN,
)
COUNTED = (State.SUPPORTED, State.INCONCLUSIVE, State.NO_TRACE_FOUND)
SILENCE = {
    Question.HISTORY: "That does not mean that nothing was done.",
    Question.LOCAL_EDIT: "That does not mean that nothing was done.",
    Question.SYNTHETIC_ORIGIN: "That does not mean that no generator was used.",
    Question.CLAIMS: "Statements that agree can still be untrue.",
}
UNCALIBRATED = "no calibration file: a test above its threshold counts as weak, and no stronger word is used"
FACT = "a fact about the file, not a probability"


@dataclass(frozen=True)
class Scale:
    """A calibration file as it applies to one picture: its stratum, and the versions of the clues at hand."""

    loaded: Loaded
    stratum: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    def tables(self, question: Question) -> Tables | None:
        return self.loaded.calibration.questions.get(question)

    def unfit(self, finding: Finding) -> str:
        """Why this finding cannot be weighed; empty if it can."""
        return calibration.unfit(self.tables(finding.question), finding.clue, self.versions.get(finding.clue))

    def weigh(self, question: Question, findings: Sequence[Finding]) -> Weighed | None:
        """The ratio of all findings on the question that can be weighed; None if there are none."""
        tables = self.tables(question)
        if tables is None:
            return None
        fit = [f for f in findings if not self.unfit(f)]
        strengths = {clue: strength_of([f for f in fit if f.clue == clue]) for clue in {f.clue for f in fit}}
        return calibration.ratio(tables, {c: s for c, s in strengths.items() if s is not None}, self.stratum)


def strength_of(findings: Sequence[Finding]) -> float | None:
    """The greatest strength of one clue's findings on one question; None if it was nowhere in its domain."""
    return max((f.strength for f in findings if f.state in COUNTED), default=None)


def fuse(findings: Sequence[Finding], covered: Sequence[Coverage], scale: Scale | None = None) -> Verdict:
    """Four answers from all findings. Experimental findings are kept in the report and count for nothing."""
    counted = [f for f in findings if not f.experimental]
    answers = tuple(_answer(q, [f for f in counted if f.question == q], covered, scale) for q in Question)
    pointed = {name for a in answers if a.question == Question.LOCAL_EDIT for name in a.regions}
    regions: dict[str, Region] = {
        r.id: r for f in counted if f.question == Question.LOCAL_EDIT for r in f.regions if r.id in pointed
    }
    return Verdict(answers, tuple(regions.values()), tuple(covered), tuple(findings))


def _answer(question: Question, findings: list[Finding], covered: Sequence[Coverage], scale: Scale | None) -> Answer:
    state = next((s for s in PRECEDENCE if any(f.state == s for f in findings)), State.NOT_RUN)
    # A statement that a program wrote into the file answers on its own; pixels do not contradict it.
    holding = [f for f in findings if f.state == state]
    weighed = scale.weigh(question, findings) if scale else None
    word, cap, lead = None, "", ""
    if state == State.SUPPORTED:
        word, cap, weighed = _graded(holding, scale, weighed)
        if word is None:
            state = State.INCONCLUSIVE
            tests = "A test is" if len({f.clue for f in holding}) == 1 else "Tests are"
            lead = f"{tests} above the threshold, but the calibration photographs do not bear it out. "
    idle = [c for c in covered if question in c.questions and c.state == State.NOT_RUN and c.test != "calibration"]
    return Answer(
        question,
        state,
        word,
        lead + _summary(question, state, holding, len(idle)),
        cap,
        tuple(f.id for f in (holding if state != State.NOT_RUN else [])),
        tuple(r.id for f in holding for r in f.regions) if state == State.SUPPORTED else (),
        None if weighed is None else round(weighed.log10, 4),
    )


def _graded(
    holding: Sequence[Finding], scale: Scale | None, weighed: Weighed | None
) -> tuple[Word | None, str, Weighed | None]:
    """The word for `holding` findings above threshold, None if their ratio is below 2; why; and the ratio if it counts.

    A finding that cannot be weighed keeps the answer at weak where the ratio of the others gives no word.
    """
    if any(f.established for f in holding):
        return Word.ESTABLISHED, FACT, None
    if scale is None:
        return Word.WEAK, UNCALIBRATED, None
    reasons = list(dict.fromkeys(reason for f in holding if (reason := scale.unfit(f))))
    known = weighed is not None and any(not scale.unfit(f) for f in holding)
    word = calibration.word(weighed.log10) if known and weighed else None
    if word is None and reasons:
        why = f"{'; '.join(reasons)}: a test above its threshold counts as weak, and no stronger word is used"
        return Word.WEAK, why, None
    assert weighed is not None, "a finding that can be weighed is"
    return word, _bound(weighed), weighed


def _bound(weighed: Weighed) -> str:
    """The ratio, and how far the calibration photographs allow it to go."""
    level = weighed.level
    alarms = "without a false alarm" if level.alarms == 0 else f"with {level.alarms} false alarm"
    alarms += "s" if level.alarms > 1 else ""
    said = f"a likelihood ratio of about {_rounded(weighed.log10)}"
    below = "" if calibration.word(weighed.log10) else ", below the 2 that the weakest word needs"
    return (
        f"{said}{below}; no stronger word: {level.sources} authentic photographs {alarms} ({weighed.kind}) and "
        f"{100 * level.detected:.0f} % of the edited pictures found allow a ratio of at most {_rounded(level.most)}"
    )


def _rounded(log10: float) -> str:
    """A ratio in two digits, rounded down: never more than was measured."""
    ratio = 10**log10
    if ratio >= 100:
        unit = 10 ** (len(str(int(ratio))) - 2)
        return f"{int(ratio) // unit * unit:,}"
    return str(int(ratio)) if ratio >= 10 else f"{int(ratio * 10 + 1e-9) / 10:g}"


def _summary(question: Question, state: State, holding: list[Finding], idle: int) -> str:
    """One line for the first screen."""
    ran = f"{len(holding)} {'test' if len(holding) == 1 else 'tests'}"
    unrun = f"; {idle} more did not run" if idle else ""
    if state in (State.SUPPORTED, State.INCONCLUSIVE):
        lead = max(holding, key=lambda f: (f.established, f.strength))
        place = f" Where: {grounded.where(lead.regions[0])}." if lead.regions else ""
        others = len(lead.regions) - 1
        if others > 0:
            place = place[:-1] + f", and {others} more {'place' if others == 1 else 'places'}."
        agree = f" {len(holding) - 1} more below." if len(holding) > 1 else ""
        return lead.sentence + place + agree
    if state == State.NO_TRACE_FOUND:
        return f"{ran} ran and found nothing above threshold{unrun}. {SILENCE[question]}"
    if state == State.OUT_OF_DOMAIN:
        said = holding[0].sentence if len(holding) == 1 else f"{ran} looked and cannot judge this kind of file."
        return said + (f" {idle} more did not run." if idle else "")
    if state == State.FAILED:
        return f"{ran} failed{unrun}; nothing can be said."
    if question == Question.SYNTHETIC_ORIGIN:
        return f"No detector of generated pictures is part of this version, and the file names no generator{unrun}."
    return f"No test for this question ran{unrun}."


def coverage_of(scale: Scale | None, findings: Sequence[Finding], title: str) -> Coverage:
    """The coverage row "calibration": which file, on how many photographs, or why none was used.

    It looks for no trace, so its state never counts for an answer.
    """
    if scale is None:
        return Coverage("calibration", title, tuple(Question), State.NOT_RUN, "there is no calibration file")
    known = scale.loaded.calibration.questions
    weighable = [f for f in findings if not f.experimental and f.state in COUNTED and not scale.unfit(f)]
    if not weighable:
        reason = f"{scale.loaded.name}: no test that it knows, in the version it knows, was in its domain"
        return Coverage("calibration", title, tuple(known), State.OUT_OF_DOMAIN, reason)
    about = []
    for question in dict.fromkeys(f.question for f in weighable):
        weighed = scale.weigh(question, [f for f in weighable if f.question == question])
        if weighed is not None:
            asked = str(question).replace("_", " ")
            about.append(f"{asked}: {weighed.level.sources} authentic photographs, {weighed.kind}")
    reason = (
        f"it looks for no trace of its own, and weighs those of the tests. {scale.loaded.name} "
        f"(sha256 {scale.loaded.sha256[:12]}, {scale.loaded.calibration.provenance.date}); {'; '.join(about)}"
    )
    return Coverage("calibration", title, tuple(known), State.NO_TRACE_FOUND, reason)
