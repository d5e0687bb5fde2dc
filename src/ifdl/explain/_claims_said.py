"""Claims in words: what a test found, that something was changed, how sure that is, its cause, what is seen there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ifdl.explain import _claims_words as words
from ifdl.explain._claims_facts import COVERAGE, Claim, Clause, Facts, Mode
from ifdl.explain._claims_numbers import COUNT, PERCENT
from ifdl.explain._claims_places import EDGE, HALVES, PLACE
from ifdl.explain._claims_text import words as split
from ifdl.types import Answer, Finding, Innocent, Question, State, Word

_AGAIN = re.compile(r"twice|again|\bre|second|double|earlier|before|previous|\btimes?\b|\w+ times|multiple")
_ABOVE = re.compile(r"\b(?:above|exceed\w*|pass\w*|over)\b")
_RANK = {word: rank for rank, word in enumerate(Word)}
MOST = 0.8  # of a harmless cause's own words, for a sentence to be about it


def test(clause: Clause, facts: Facts) -> Iterator[Claim]:
    """Each test that is named must have the state that the clause gives it; a cue that no test measures has none."""
    for clue in clause.cues:
        found, mode = facts.of(clue), clause.mode
        states = {f.state for f in found}
        if clue == "structure" and mode == Mode.FOUND and not _AGAIN.search(clause.text):
            mode = Mode.MEASURED
        if mode == Mode.MEASURED and clue == "ifdl_small" and _ABOVE.search(clause.text):
            mode = Mode.FOUND
        holds = {
            Mode.FOUND: State.SUPPORTED in states,
            Mode.MEASURED: bool(states - {State.FAILED, State.NOT_RUN}),
            Mode.SILENT: _silent(clue, found),
            Mode.NOT_RUN: facts.ran(clue) == State.NOT_RUN,
            Mode.UNABLE: State.OUT_OF_DOMAIN in states,
            Mode.UNDECIDED: State.INCONCLUSIVE in states,
        }[mode]
        rests = tuple(f.id for f in found if f.state == State.SUPPORTED or mode != Mode.FOUND)
        rests = rests or ((COVERAGE + clue,) if facts.ran(clue) is not None else ())
        yield Claim("cue", clue, holds, "" if holds else f"{clue} does not say that it {mode}", rests if holds else ())
    for match in words.MIRRORED.finditer(clause.text):
        held = [f.id for f in clause.subjects if f.numbers.get("mirrored") is (clause.mode != Mode.SILENT)]
        yield Claim("cue", match[0], bool(held), "" if held else "no test found that", tuple(held))
    if clause.mode not in (Mode.NOT_RUN, Mode.UNABLE):
        for match in words.UNCHECKED.finditer(words.UNCHECKED_BUT.sub(" ", EDGE.sub(" ", clause.text))):
            yield Claim("cue", match[0], False, "no test measures that")


def edit(clause: Clause, facts: Facts) -> Iterator[Claim]:
    """A local change is claimed, denied or called inconclusive: as the answer to that question says."""
    text, answer, mode = clause.text, facts.local, clause.mode
    if mode == Mode.UNDECIDED and not clause.cues:
        states = {a.state for a in _asked(text, facts)}
        holds = State.INCONCLUSIVE in states
        yield Claim("certainty", "inconclusive", holds, "" if holds else "no such answer is inconclusive", _any(facts))
        return
    if clause.heading.startswith("visual") and re.fullmatch(r"none\b[a-z ]*|nothing\b[a-z ]*", text):
        yield Claim("limit", text, True, "", answer.findings)  # no test looks at what a person could see
        return
    if clause.cues and mode != Mode.FOUND:
        return
    match = words.PUT_IN.search(text) or words.EDIT.search(text)
    if match is None and clause.heading in ("type", "tampered content") and mode == Mode.SILENT:
        match = re.search(r".+", text)
    if match is None:
        return
    if mode == Mode.SILENT:
        holds = answer.state == State.NO_TRACE_FOUND
        if holds and not clause.heading and not words.EVIDENTIAL.search(text):
            yield Claim("certainty", match[0], False, "that a test found nothing does not mean that nothing was done")
            return
    else:
        holds = answer.state == State.SUPPORTED
    yield Claim(
        "edit", match[0], holds, "" if holds else f"the answer on local edits is {answer.state}", answer.findings
    )
    if mode == Mode.FOUND and (match := words.FROM_OUTSIDE.search(text)):
        foreign = [
            f for clue in ("jpeg_grid", "ghosts") for f in facts.of(clue)
            if f.state == State.SUPPORTED and f.question == Question.LOCAL_EDIT
        ]  # fmt: skip
        why = "" if foreign else "no test found another origin"
        yield Claim("cue", match[0], bool(foreign), why, tuple(f.id for f in foreign))


def certainty(clause: Clause, facts: Facts) -> Iterator[Claim]:
    """Words of certainty up to the graded word of the answer; verdict words on the picture never."""
    for match in words.FORBIDDEN.finditer(clause.text):
        yield Claim("certainty", match[0], False, "no test can say that of a picture")
    answer = facts.answer(clause.subjects)
    fact = any(f.established and f.state == State.SUPPORTED for f in clause.subjects)
    allowed = 5 if fact else _RANK[answer.word] if answer.word and answer.state == State.SUPPORTED else -1
    text = clause.text
    for rank, pattern in words.STRONG:
        for match in pattern.finditer(text):
            denied = re.search(r"\b(?:no|not|n't|without|hardly)(?: \w+)? $", text[: match.start()])
            if denied and rank > 1 and not match[0].startswith(("doubt", "question")):
                continue
            holds = allowed >= rank
            yield Claim("certainty", match[0], holds, "" if holds else "stronger than the answer", answer.findings)
        text = pattern.sub(" . ", text)


def innocent(clause: Clause, facts: Facts) -> Innocent | None:
    """The harmless cause that a hedged clause repeats, of a test that found something; None if it repeats none."""
    own = {w for w in split(clause.text) if w not in words.NEUTRAL and not _known(w) and len(w) > 2}
    best, score = None, 0.0
    for finding in facts.verdict.findings:
        if finding.state in (State.SUPPORTED, State.INCONCLUSIVE):
            for reason in finding.innocent:
                there = {_stem(w) for w in split(f"{reason.cause} {reason.check}".lower())}
                part = sum(_stem(w) in there for w in own) / len(own) if own else 0.0
                if part >= MOST and part > score:
                    best, score = reason, part
    return best


def cause(clause: Clause, facts: Facts) -> Iterator[Claim]:
    """Tools, people and motives: only where a finding that the clause is about says so itself."""
    said = " ".join(f.sentence.lower() for f in clause.subjects if f.clue in ("metadata", "credentials"))
    for match in words.CAUSE.finditer(clause.text):
        holds = bool(said) and match[0] in said
        yield Claim("cause", match[0], holds, "" if holds else "no finding names a cause")


def thing(clause: Clause, facts: Facts) -> Iterator[Claim]:
    """Every word that is neither of the trade, nor neutral, nor the tests' own: an object or a name that was added."""
    own = " ".join(f.sentence for f in clause.subjects if f.clue in clause.cues or not clause.cues)
    titles = " ".join(c.title for c in facts.verdict.coverage if c.test in clause.cues)
    allowed = {_stem(w) for w in split(f"{own} {titles}".lower())}
    named = {w: r.id for r in facts.verdict.regions if r.name for w in split(r.name.lower())}
    for word in split(_bare(clause.text)):
        if len(word) < 3 or word in words.NEUTRAL or word in words.NUMBERS or _adverb(word):
            continue
        if word in named:
            yield Claim("object", word, True, regions=(named[word],))
        elif _stem(word) not in allowed and not _known(word):
            yield Claim("object", word, False, "no finding and no detector names that")


def _silent(clue: str, found: tuple[Finding, ...]) -> bool:
    states = {f.state for f in found}
    if clue in (*words.ABSENT, "hashes"):
        return states == {State.OUT_OF_DOMAIN}
    return State.NO_TRACE_FOUND in states and State.SUPPORTED not in states


def _asked(text: str, facts: Facts) -> list[Answer]:
    """The answers that a clause may speak of, by the words of its question."""
    asked = {
        Question.HISTORY: r"handled|histor\w+|sav\w+|process\w*|file",
        Question.LOCAL_EDIT: r"local|edit\w*|chang\w+|alter\w*|part|region",
        Question.SYNTHETIC_ORIGIN: r"generat\w+|synthetic",
        Question.CLAIMS: r"metadata|says|claims?|statements?",
    }
    named = [q for q, pattern in asked.items() if re.search(rf"\b(?:{pattern})\b", text)]
    return [facts.verdict.answer(q) for q in (named or list(Question))]


def _any(facts: Facts) -> tuple[str, ...]:
    return tuple(i for a in facts.verdict.answers if a.state == State.INCONCLUSIVE for i in a.findings)


def _bare(text: str) -> str:
    """The clause without every phrase that another kind of claim reads."""
    readers = [HALVES, PLACE, PERCENT, COUNT, *words.CUE.values(), words.UNCHECKED, words.PUT_IN, words.EDIT]
    readers += [
        words.FORBIDDEN,
        words.CAUSE,
        words.HEDGE,
        words.INNOCENT,
        words.EVIDENTIAL,
        words.SILENT,
        words.NOT_RUN,
    ]
    readers += [words.UNDECIDED, words.UNABLE]
    readers += [pattern for _, pattern in words.STRONG] + [pattern for pattern, _, _ in words.SIZE]
    for reader in readers:
        text = reader.sub(" . ", text)
    return text


def _adverb(word: str) -> bool:
    return word.endswith("ly") and word not in words.NO_ADVERBS


def _known(word: str) -> bool:
    stem = _stem(word)
    return any(form in words.NEUTRAL for form in (stem, stem + "e", stem + "s"))


def _stem(word: str) -> str:
    for ending in ("ings", "ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)].rstrip("e")
    return word.rstrip("e")
