"""Claims with numbers in them: shares of the picture, how many regions, measured values, JPEG qualities."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ifdl.explain import _claims_words as words
from ifdl.explain._claims_facts import Claim, Clause, Facts, Mode, places_of
from ifdl.explain._claims_places import without_boxes
from ifdl.types import Finding, State

ABOUT = re.compile(r"(?:about|around|roughly|approximately|nearly|almost|some|near|circa|ca\.?|close to|~|≈)\s*$")
UNDER = re.compile(r"(?:under|less than|below|at most|up to|(?:no|not) more than|smaller than|<)\s*(?:about )?$")
OVER = re.compile(r"(?:over|(?<!no )(?<!not )more than|above|at least|exceed\w*|larger than|>)\s*(?:about )?$")
_COUNTED = "regions?|parts?|areas?|places?|copies|spots?|patch(?:es)?|locations?|zones?|sections?|pairs?"
_WORDS = "|".join(words.NUMBERS)
COUNT = re.compile(
    rf"(?<![.\d])\b({_WORDS}|\d+|several|multiple|many|numerous|various|a few) "
    rf"(?:(?!of\b)\w+ ){{0,2}}?({_COUNTED})\b"
)
TOGETHER = re.compile(r"\b(?:together|altogether|in all|in total|combined|total)\b")
PERCENT = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:%|percent\b|per cent\b)")
# The value that a unit or a word beside a number means: the finding's test, and the names of its numbers.
UNITS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (r"{n}(?: \w+)? points?|{n}(?: \w+)? match\w*", "copymove", ("matched_points", "points")),
    (r"{n}[- ](?:pixels?|px) (?:away|apart|shift\w*|distan\w*)|(?:shift\w*|distance) (?:of|by|is) (?:about )?{n}",
     "copymove", ("shift_pixels",)),
    (r"{n} ?(?:degrees?|°)", "copymove", ("rotation_degrees",)),
    (r"(?:fine detail|correlation|agree\w*) (?:\w+ ){{0,2}}{n}", "copymove", ("correlation",)),
    (r"{n} times (?:what|as much|the noise|more|as noisy|higher)", "noise", ("times_expected",)),
    (r"scor\w+ (?:\w+ ){{0,2}}{n}", "ifdl_small", ("score",)),
)  # fmt: skip
_NUMBER = r"(\d+(?:\.\d+)?)"
UNIT = tuple((re.compile(pattern.format(n=_NUMBER)), clue, names) for pattern, clue, names in UNITS)
RATIO = re.compile(rf"(?:likelihood )?ratio (?:\w+ ){{0,3}}{_NUMBER}")
TESTS = re.compile(rf"\b({_WORDS}|\d+) (?:\w+ )?tests?\b")
WIDE = re.compile(rf"{_NUMBER}[- ](?:pixels?|px) (wide|high|tall|across|in width|in height)")
EARLIER = re.compile(r"\b(?:earlier|before|previous\w*|first|prior|formerly|initial\w*)\b")
LATEST = re.compile(r"\b(?:last|latest|final\w*|current\w*|now|most recent\w*)\b")
PLAIN = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)(?!\w)(?!\.\d)")


def share(clause: Clause, facts: Facts) -> Iterator[Claim]:
    """Percentages of the picture against the regions' shares, to the precision that is stated."""
    regions = places_of(clause.subjects)
    areas = [r.area for r in regions] + ([sum(r.area for r in regions)] if TOGETHER.search(clause.text) else [])
    for match in PERCENT.finditer(clause.text):
        value = Value.read(match[1], clause.text[: match.start()])
        held = [r for r in regions if value.fits(100 * r.area)]
        fits = any(value.fits(100 * area) for area in areas)
        if not fits and "quality" in clause.text:
            fits = any(value.fits(n) for n in _numbers(clause.subjects))
        yield Claim("size", match[0], fits, "" if fits else "no region has that share", (), _ids(held))


def count(clause: Clause, facts: Facts) -> Iterator[Claim]:
    """How many regions, places or copies there are said to be; "one of the parts" counts nothing."""
    if clause.mode != Mode.FOUND:
        return
    there = max((len(f.regions) for f in clause.subjects if f.state == State.SUPPORTED), default=0)
    together = len(places_of(clause.subjects))
    for match in COUNT.finditer(clause.text):
        word = match[1]
        if word == "one" and re.search(r"\bother\b|\bsecond\b", clause.text):
            continue
        if word in ("several", "multiple", "many", "numerous", "various", "a few"):
            fits = max(there, together) >= 3
        else:
            said = words.NUMBERS.get(word, int(word) if word.isdigit() else 0)
            said *= 2 if match[2].startswith("pair") else 1
            fits = said in (there, together) and said > 0
        yield Claim("count", match[0], fits, "" if fits else "there are not so many regions")


def saves(clause: Clause, facts: Facts) -> Iterator[Claim]:
    """How often the file is said to have been saved."""
    of_saves = "structure" in clause.cues or re.search(r"\bjpeg\b|\bcompress", clause.text)
    if not of_saves or clause.mode != Mode.FOUND or "noise" in clause.cues:
        return
    known = {f.numbers["saves_at_least"] for f in facts.of("structure") if "saves_at_least" in f.numbers}
    if re.search(r"\bmore than once\b", clause.text):
        fits = any(float(n) > 1 for n in known if isinstance(n, (int, float)))
        yield Claim("number", "more than once", fits, "" if fits else "not so many saves were found")
        return
    said = re.search(
        rf"\b({_WORDS}|\d+)\b times|\b(once|twice|thrice)\b|\b({_WORDS}|\d+) (?:jpeg )?saves\b", clause.text
    )
    if said:
        word = next(w for w in said.groups() if w)
        value = words.NUMBERS.get(word, int(word) if word.isdigit() else 0)
        yield Claim("number", said[0], value in known, "" if value in known else "not so many saves were found")


def number(clause: Clause, facts: Facts) -> Iterator[Claim]:
    """Every other number, against the value that its unit means, else any value of the findings it is about."""
    text = PERCENT.sub(" . ", without_boxes(clause.text)).replace("8 x 8", "").replace("8x8", "")
    for match in TESTS.finditer(text):
        said = words.NUMBERS.get(match[1], int(match[1]) if match[1].isdigit() else 0)
        answers = " ".join(a.sentence for a in facts.verdict.answers)
        fits = said == 1 or f"{said} tests" in answers
        yield Claim("number", match[0], fits, "" if fits else "not so many tests ran")
    text = TESTS.sub(" . ", text)
    for pattern, clue, names in UNIT:
        for match in pattern.finditer(text):
            yield from _one(match, clue, [f.numbers[n] for f in facts.of(clue) for n in names if n in f.numbers], text)
        text = pattern.sub(" . ", text)
    for match in RATIO.finditer(text):
        ratio = [10**a.log10_ratio for a in facts.verdict.answers if a.log10_ratio is not None]
        caps = [float(n) for a in facts.verdict.answers for n in re.findall(r"ratio of (?:\w+ )*?(\d+\.\d+)", a.cap)]
        yield from _one(match, "", [*ratio, *caps], text)
    text = RATIO.sub(" . ", text)
    for match in WIDE.finditer(text):
        side = 2 if match[2] in ("wide", "across", "in width") else 3
        yield from _one(match, "", [r.box[side] for r in places_of(clause.subjects)], text)
    text = WIDE.sub(" . ", text)
    yield from _rest(clause, facts, re.sub(r"\b\d+ times\b|\b\d+ (?:\w+ )?(?:saves|" + _COUNTED + r")\b", " . ", text))


def _rest(clause: Clause, facts: Facts, text: str) -> Iterator[Claim]:
    subjects = clause.subjects
    saved = [f for f in facts.of("structure") if f in subjects or "quality" in text]
    for part in re.split(r",| and ", text):
        for match in PLAIN.finditer(part):
            order = [w for w, p in (("last", LATEST), ("previous", EARLIER)) if p.search(part)]
            values: list[object]
            if "ghosts" in clause.cues:
                values = list(_numbers([f for f in subjects if f.clue == "ghosts"]))
            elif saved and ("quality" in text) and order:
                values = [f.numbers[f"{order[0]}_quality"] for f in saved if f"{order[0]}_quality" in f.numbers]
            elif saved and "quality" in part:
                names = ("quality", "last_quality", "previous_quality")
                values = [f.numbers[n] for f in saved for n in names if n in f.numbers]
            else:
                values = list(_numbers(subjects))
            yield from _one(match, "", values, part)


def _one(match: re.Match[str], clue: str, values: Iterable[object], text: str) -> Iterator[Claim]:
    digits = next(n for n in match.groups() if n)
    value = Value.read(digits, text[: match.start() + match[0].index(digits)])
    known = [float(v) for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    fits = any(value.fits(v) for v in known)
    yield Claim("number", match[0].strip(), fits, "" if fits else "no measured value is that number")


def _numbers(findings: Iterable[Finding]) -> Iterator[float]:
    """The numbers that findings hold or quote, and those of their boxes."""
    for f in findings:
        yield from (float(n) for n in f.numbers.values() if isinstance(n, (int, float)) and not isinstance(n, bool))
        yield from (float(n) for n in re.findall(r"\d+(?:\.\d+)?", f.sentence))
        yield from (float(n) for r in f.regions for n in r.box)


def _ids(regions: Iterable[object]) -> tuple[str, ...]:
    return tuple(getattr(r, "id", "") for r in regions)


@dataclass(frozen=True)
class Value:
    """A number as stated: `half` of its last digit's unit is how exact it claims to be; "about" allows more."""

    value: float
    half: float
    sense: str = "is"

    @classmethod
    def read(cls, digits: str, before: str) -> Value:
        digits = digits.replace(",", ".")
        half = 0.5 * 10.0 ** -len(digits.partition(".")[2])
        for sense, pattern in (("under", UNDER), ("over", OVER), ("about", ABOUT)):
            if pattern.search(before):
                return cls(float(digits), half, sense)
        return cls(float(digits), half)

    def fits(self, true: float) -> bool:
        if self.sense == "under":
            return true <= self.value
        if self.sense == "over":
            return true >= self.value
        near = max(self.half, 0.1 * abs(true)) if self.sense == "about" and abs(true) < 50 else self.half
        return abs(true - self.value) <= near + 1e-9
