"""The grounded explainer: plain sentences, each naming the findings it rests on; no model, no invention.

Wording follows the rules collected in the project's product notes: what was measured, where, why it
matters, which harmless cause could do the same, what was not checked. It never says that a picture is
authentic or fake, never names a culprit, and never turns silence into a result.
"""

from __future__ import annotations

from collections.abc import Iterable

from ifdl.types import Explanation, Finding, Picture, Question, Region, Sentence, State, Verdict

SUBJECT = {
    Question.HISTORY: "how the file was handled",
    Question.LOCAL_EDIT: "a local change",
    Question.SYNTHETIC_ORIGIN: "a generated picture",
    Question.CLAIMS: "what the file says about itself",
}
WHY = {
    Question.HISTORY: "It means that these pixels may not be the ones the camera stored; it does not say that the "
    "picture misleads.",
    Question.LOCAL_EDIT: "If it holds, this part of the picture does not show what the camera recorded there.",
    Question.SYNTHETIC_ORIGIN: "If it holds, at least part of the picture was computed rather than photographed.",
    Question.CLAIMS: "Where a file contradicts itself, what it says about time, place or camera needs another source.",
}
CALIBRATED = (
    "on photographs whose truth is known, findings like these allow no stronger word. The ratio and its limit stand "
    "beside the answer."
)
COVERAGE = "coverage."


def explain(picture: Picture, verdict: Verdict) -> Explanation:
    """Sentences for an editor or a claimant, in the order of the four questions, limits last."""
    sentences: list[Sentence] = []
    for answer in verdict.answers:
        named = [f for f in verdict.findings if f.id in answer.findings]
        if answer.state == State.SUPPORTED:
            for finding in named:
                sentences += _about(finding)
            sentences.append(_say(WHY[answer.question], named, question=answer.question, kind="why"))
            if not any(f.established for f in named):
                text = "This support is weak: the test passed its threshold, but what that is worth is not calibrated."
                if answer.log10_ratio is not None:
                    text = f"This support is {answer.word}: {CALIBRATED}"
                sentences.append(_say(text, named, question=answer.question, kind="limit"))
            sentences += _innocent(named, answer.question)
        elif answer.state == State.INCONCLUSIVE:
            for finding in named:
                text = f"On {SUBJECT[answer.question]} the measurements stay inconclusive: {_lower(finding.sentence)}"
                sentences.append(_say(text, [finding], question=answer.question))
            if answer.cap:  # above its own threshold, and not borne out
                text = "The threshold was passed, but on photographs whose truth is known that is worth too little."
                sentences.append(_say(text, named, question=answer.question, kind="limit"))
        elif answer.state == State.NO_TRACE_FOUND:
            tests = _titles(verdict, (f.clue for f in named))
            text = f"On {SUBJECT[answer.question]}, nothing was found by: {tests}. A careful change can leave no trace."
            sentences.append(_say(text, named, question=answer.question, kind="silence"))
        elif answer.state in (State.OUT_OF_DOMAIN, State.FAILED):
            for finding in named:
                sentences.append(_say(finding.sentence, [finding], question=answer.question, kind="limit"))
    sentences += _not_checked(verdict)
    return Explanation("grounded", grounded(sentences, verdict))


def grounded(sentences: Iterable[Sentence], verdict: Verdict) -> tuple[Sentence, ...]:
    """Only the sentences that rest on findings, regions and coverage rows that exist; the rest is dropped."""
    known = {f.id for f in verdict.findings} | {COVERAGE + c.test for c in verdict.coverage}
    places = {r.id for f in verdict.findings for r in f.regions}
    return tuple(
        s for s in sentences if s.text and s.findings and known.issuperset(s.findings) and places.issuperset(s.regions)
    )


def where(region: Region) -> str:
    """Words for a place: "lower left, 2.3 % of the picture"."""
    return f"{region.position}, {share(region.area)} of the picture"


def share(part: float) -> str:
    """A share of the picture in words of two significant digits."""
    percent = 100 * part
    if percent < 0.1:
        return "less than 0.1 %"
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.1f} %"


def _about(finding: Finding) -> list[Sentence]:
    said = [_say(finding.sentence, [finding], question=finding.question)]
    regions = finding.regions[:6]
    if regions:
        places = "; ".join((f"{r.name}: " if r.name else "") + where(r) for r in regions)
        more = f" and {len(finding.regions) - len(regions)} more" if len(finding.regions) > len(regions) else ""
        text = f"Where: {places}{more}."
        said.append(_say(text, [finding], regions, finding.question, "where"))
    return said


def _innocent(findings: list[Finding], question: Question) -> list[Sentence]:
    said: dict[str, list[Finding]] = {}
    for finding in findings:
        for innocent in finding.innocent:
            cause, check = _lower(_bare(innocent.cause)), _lower(_bare(innocent.check))
            text = f"A harmless cause could be: {cause}. To check: {check}."
            said.setdefault(text, []).append(finding)
    return [_say(text, rest_on, question=question, kind="innocent") for text, rest_on in said.items()]


def _not_checked(verdict: Verdict) -> list[Sentence]:
    said = []
    groups = (
        (State.NOT_RUN, "Not checked: {}."),
        (State.OUT_OF_DOMAIN, "Could not judge this kind of file: {}."),
        (State.FAILED, "Failed, and says nothing: {}."),
    )
    for state, words in groups:
        rows = [c for c in verdict.coverage if c.state == state]
        if rows:
            text = words.format(", ".join(_lower(c.title) for c in rows))
            said.append(Sentence(text, tuple(COVERAGE + c.test for c in rows), kind="limit"))
    return said


def _say(
    text: str,
    findings: Iterable[Finding],
    regions: Iterable[Region] = (),
    question: Question | None = None,
    kind: str = "finding",
) -> Sentence:
    return Sentence(text, tuple(f.id for f in findings), tuple(r.id for r in regions), question, kind)


def _titles(verdict: Verdict, clues: Iterable[str]) -> str:
    titles = {c.test: c.title for c in verdict.coverage}
    return ", ".join(dict.fromkeys(_lower(titles.get(clue, clue)) for clue in clues))


def _bare(text: str) -> str:
    return text.strip().rstrip(".")


def _lower(text: str) -> str:
    """First letter lowered, unless the first word is an abbreviation or a name."""
    first = text.split(" ", 1)[0]
    return (
        text if any(c.isupper() for c in first[1:]) or first in ("Photoshop", "Adobe") else text[:1].lower() + text[1:]
    )
