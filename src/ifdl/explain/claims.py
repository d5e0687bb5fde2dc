"""A language model may rephrase; it may not add a finding, a cause or a number. This holds its text to that.

`check` reads free text (markdown, lists, the headings of the explanation data) into claims, and holds each against
the verdict's findings, regions and answers; `checked` gives back the sentences that stand. What no test measures is
unsupported however plausible (lighting, shadows), and so is a word that neither the trade nor the tests know: the
vocabulary is closed, because the names of what a picture shows cannot be listed. Measured by `benchmarks/claims.py`.
"""

from __future__ import annotations

import re
from dataclasses import replace

from ifdl.explain import _claims_numbers as numbers
from ifdl.explain import _claims_places as places
from ifdl.explain import _claims_said as said
from ifdl.explain import _claims_words as words
from ifdl.explain import grounded
from ifdl.explain._claims_facts import Claim, Clause, Facts, cues_of, mode_of
from ifdl.explain._claims_text import Line, lines, plain
from ifdl.types import Finding, Picture, Sentence, State, Verdict

__all__ = ["Claim", "check", "checked"]

KINDS = (
    said.test, said.edit, said.certainty, said.cause, said.thing, places.position, places.boxes, places.size,
    numbers.share, numbers.count, numbers.saves, numbers.number,
)  # fmt: skip
# Of a harmless cause only what can be measured is read; all other words of it are its own.
MEASURES = (places.position, places.boxes, numbers.share, numbers.number)
MARK = "[unsupported] "


def check(text: str, picture: Picture, verdict: Verdict) -> list[Claim]:
    """Every claim of a text, in order; a sentence that claims nothing counts as one that rests on nothing."""
    return [claim for _, claims in _read(text, picture, verdict) for claim in claims]


def checked(text: str, picture: Picture, verdict: Verdict, mark: bool = False) -> tuple[Sentence, ...]:
    """The sentences whose every claim is supported, each naming its findings and regions; the rest is dropped.

    With `mark` the rest stays, begins with `MARK`, names no finding and is of the kind "unsupported".
    """
    kept = []
    by_id = {f.id: f for f in verdict.findings}
    for line, claims in _read(text, picture, verdict):
        if all(claim.supported for claim in claims):
            findings = tuple(dict.fromkeys(i for claim in claims for i in claim.findings))
            regions = tuple(dict.fromkeys(i for claim in claims for i in claim.regions))
            question = next((by_id[i].question for i in findings if i in by_id), None)
            kept.append(Sentence(_ended(line.text), findings, regions, question, "rephrased"))
        elif mark:
            kept.append(Sentence(MARK + _ended(line.text), (), kind="unsupported"))
    return tuple(kept)


def _read(text: str, picture: Picture, verdict: Verdict) -> list[tuple[Line, list[Claim]]]:
    facts = Facts(picture, verdict)
    quotable = _quotable(picture, verdict)
    before: tuple[Finding, ...] = ()
    found = []
    for n, line in enumerate(lines(text)):
        quoted = quotable.get(_key(line.text))
        if quoted:
            claims = [Claim("quote", line.text, True, "", quoted.findings, quoted.regions)]
            subjects = tuple(f for f in verdict.findings if f.id in quoted.findings)
        else:
            claims, subjects = _claims(line, before, facts)
        if not any(claim.findings for claim in claims) and all(claim.supported for claim in claims):
            rests = tuple(f.id for f in subjects) if claims else ()
            claims.append(Claim("ground", line.text, bool(rests), "" if rests else "it rests on no finding", rests))
        before = subjects or before
        found.append((line, [replace(claim, sentence=n) for claim in claims]))
    return found


def _claims(line: Line, before: tuple[Finding, ...], facts: Facts) -> tuple[list[Claim], tuple[Finding, ...]]:
    """The claims of one sentence, and what it was about, for the next one's "it"."""
    claims: list[Claim] = []
    whole = tuple(dict.fromkeys(c for clause in line.clauses for c in cues_of(clause)))
    about: tuple[Finding, ...] = tuple(f for c in whole for f in facts.of(c))
    for text in line.clauses:
        text, caveat = _without_caveat(text)
        if caveat:
            claims.append(Claim("limit", caveat, True, "", facts.local.findings))
        cues = cues_of(text)
        own = tuple(f for c in cues for f in facts.of(c))
        clause = Clause(text, line.heading, cues, own or about or _recalled(text, before, facts), mode_of(text))
        harmless = words.HEDGE.search(text) and words.INNOCENT.search(text)
        if harmless:
            reason = said.innocent(clause, facts)
            rests = tuple(f.id for f in facts.verdict.findings if reason in f.innocent) if reason else ()
            why = "" if reason else "no finding names that harmless cause"
            claims.append(Claim("cause", text, reason is not None, why, rests))
        for kind in MEASURES if harmless else KINDS:
            claims += kind(clause, facts)
    return claims, about or clause.subjects


def _recalled(text: str, before: tuple[Finding, ...], facts: Facts) -> tuple[Finding, ...]:
    """What a clause without a test's name is about: the sentence before if it says "it", else the local edit."""
    back = re.match(r"(?:it|its|they|their|this|these|there|the (?:two|same|part|region|copies|area))\b", text)
    supported = any(f.state == State.SUPPORTED and f.regions for f in before)
    return before if back and supported else facts.default


def _without_caveat(text: str) -> tuple[str, str]:
    """A clause before and from its caveat on ("… does not mean that …"); a caveat excuses what it speaks of."""
    if words.CAVEAT_ALL.search(text):
        return "", text
    match = words.CAVEAT_AFTER.search(text)
    return (text[: match.start()], text[match.start() :]) if match else (text, "")


def _quotable(picture: Picture, verdict: Verdict) -> dict[str, Sentence]:
    """The tests' own sentences and those of the explainer without a model: what they say may always be said."""
    said_by_tests = [Sentence(f.sentence, (f.id,), tuple(r.id for r in f.regions)) for f in verdict.findings]
    own = [*grounded.explain(picture, verdict).sentences, *said_by_tests]
    split = [(line, s) for s in own for line in lines(s.text)]
    return {_key(line.text): s for line, s in split} | {_key(s.text): s for s in own}


def _key(text: str) -> str:
    return " ".join(re.findall(r"[\w.%-]+", plain(text))).strip(" .")


def _ended(text: str) -> str:
    return text if text.rstrip().endswith((".", "!", "?", ":")) else f"{text.rstrip()}."
