"""What the file says about itself: does it contradict itself, name an editor, or name a generator?

Metadata are unsigned claims: anyone can write, copy or remove them. Only a contradiction between two of
them, or with the picture's size, is a fact. Signed claims are another clue's business.
Source: H. Farid, Photo Forensics, MIT Press 2016, section 3.1 (metadata); IPTC Photo Metadata Standard
2023.2; the comparisons themselves need no training and no threshold but a tolerance for time zones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from ifdl.evidence import _metadata_words as words
from ifdl.evidence._metadata_claims import SLACK, Moment, comparisons, lag, moments, quoted
from ifdl.types import Card, FalseAlarms, Finding, Innocent, Item, MetadataEntry, Number, Picture, Question, State

CARD = Card(
    id="metadata",
    title="What the file says about itself",
    questions=(Question.CLAIMS, Question.HISTORY, Question.SYNTHETIC_ORIGIN),
    citation="Farid, Photo Forensics (MIT Press 2016), ch. 3; IPTC Photo Metadata Standard 2023.2",
    url="https://iptc.org/std/photometadata/specification/",
    domain="files that carry EXIF, XMP, IPTC or comments; most pictures on the web have lost theirs",
    threshold="none: a contradiction is a fact once it exceeds 60 seconds, or 26 hours where time zones are unknown; "
    "a named program or generator is quoted as the file's statement",
    false_alarms=FalseAlarms(data="camera", measured=False, note="metadata was removed from this set"),
    look_for="sizes, cameras or dates that cannot both be right; the name of an editor or generator",
    ignore="missing metadata, which is usual on the web and says nothing",
    limits=(
        "Anyone can write, copy or remove metadata: a statement is no proof, and silence proves nothing.",
        "Consistent metadata can belong to another picture.",
        "Maker notes are not decoded; programs and cameras unknown to the lists are not recognised.",
    ),
)
MOST_FINDINGS = 8
MOST_MARKS = 4
# Statements without which nothing was said about device, time or software.
TELLING = (
    "Make", "Model", "Software", "ProcessingSoftware", "DateTime", "DateTimeOriginal", "DateTimeDigitized",
    "tiff:Make", "tiff:Model", "tiff:Software", "xmp:CreatorTool", "xmp:ModifyDate", "xmp:CreateDate",
    "Originating Program", "Date Created", "photoshop:DateCreated", "Comment",
)  # fmt: skip
PHOTOSHOP_ONLY = ("0x0406", "0x0421")  # JPEG quality and version: other writers of 8BIM leave them out
ASK_WHAT = Innocent(
    "photographers, newsrooms and phones crop, brighten or shrink pictures in such programs as a matter of course",
    "ask what was done and compare with the file as it left the camera",
)
ONLY_PASSED = Innocent(
    "a program that merely copied, captioned or turned the picture left its name",
    "open the original in the same program, save it, and compare the notes",
)
BY_HAND = Innocent(
    "somebody, or a template that a program applies to every export, wrote the statement without a generator",
    "ask who made the picture and how; look for signed content credentials, which this is not",
)
SMALL_PART = Innocent(
    "a generator was used for a small part only, such as removing a passer-by, and the whole file was marked",
    "compare with the original picture",
)


def run(picture: Picture) -> list[Finding]:
    """One finding a contradiction (or one that says there is none), one on history, one on generators.

    For SYNTHETIC_ORIGIN there is a finding only where the file itself names a generator: that it does not
    says nothing, so nothing is returned, and nobody can mistake silence for an answer.
    """
    entries = [e for e in picture.item.metadata.entries if not e.private]
    generators = list(_generators(entries))
    findings = [*_claims(picture.item, entries, generators), _history(picture.item, entries)]
    if generators:
        findings.append(_synthetic(generators))
    return findings


# ---------------------------------------------------------------- claims


def _claims(item: Item, entries: list[MetadataEntry], generators: list[Mark]) -> list[Finding]:
    compared = list(comparisons(item))
    findings = [
        Finding(
            CARD.id, Question.CLAIMS, State.SUPPORTED if c.certain else State.INCONCLUSIVE, c.contradiction,
            strength=1.0 if c.certain else 0.4, established=c.certain, numbers=c.numbers,
            innocent=c.innocent if c.certain else (), citation=CARD.citation,
        )
        for c in compared if c.contradiction
    ]  # fmt: skip
    taken = next((words.CAMERA_TYPES[t] for t in _source_types(entries) if t in words.CAMERA_TYPES), None)
    whole = next((g for g in generators if g.whole), None)
    if taken and whole:
        text = f"The file says both that the picture {taken} and that it {whole.text}."
        findings.append(
            Finding(
                CARD.id, Question.CLAIMS, State.SUPPORTED, text, 1.0, True, numbers={"generator": whole.value},
                innocent=(BY_HAND,), citation=CARD.citation,
            )
        )  # fmt: skip
    if findings:
        return sorted(findings, key=lambda f: -f.strength)[:MOST_FINDINGS]
    used = {name for c in compared for name in c.names}
    if len(used) >= 2:
        count = len(compared)
        sentence = (
            f"Of the file's statements about size, camera and time, {count} pair{'s' if count != 1 else ''} could be "
            "compared, and none contradicts another; that does not make them true."
        )
        return [_quiet(Question.CLAIMS, State.NO_TRACE_FOUND, sentence, {"pairs": count})]
    if not item.metadata.entries:
        reason = "The file says nothing about itself, which is common on the web and says nothing about the picture."
    else:
        reason = "The file says too little about size, camera and time for two statements to be compared."
    return [_quiet(Question.CLAIMS, State.OUT_OF_DOMAIN, reason)]


def _quiet(question: Question, state: State, sentence: str, numbers: dict[str, Number] | None = None) -> Finding:
    return Finding(CARD.id, question, state, sentence, numbers=numbers or {}, citation=CARD.citation)


def _source_types(entries: list[MetadataEntry]) -> list[str]:
    """IPTC digital source types the file states, without the address they are kept under."""
    return [e.value.rstrip("/").rsplit("/", 1)[-1] for e in entries if words.SOURCE_TYPE.search(e.name)]


# ---------------------------------------------------------------- history


@dataclass(frozen=True)
class Mark:
    """One statement that bears on a question, as a clause ("it names …"), with the value it quotes."""

    text: str
    value: str
    strength: float = 0.8
    whole: bool = True


def _history(item: Item, entries: list[MetadataEntry]) -> Finding:
    marks = list(_edits(item, entries))
    if marks:
        shown = marks[:MOST_MARKS]
        numbers: dict[str, Number] = {f"statement_{n}": m.value for n, m in enumerate(shown, 1)}
        return Finding(
            CARD.id, Question.HISTORY, State.SUPPORTED,
            "The file itself speaks of work after capture: " + "; ".join(m.text for m in shown) + ".",
            strength=max(m.strength for m in marks), numbers=numbers, innocent=(ASK_WHAT, ONLY_PASSED),
            citation=CARD.citation,
        )  # fmt: skip
    if any(e.name in TELLING and e.value for e in entries):
        sentence = "The file names no editing program and no change after capture; programs can leave both out."
        return _quiet(Question.HISTORY, State.NO_TRACE_FOUND, sentence)
    sentence = "The file says nothing about device, time or software, which is common on the web and says nothing."
    return _quiet(Question.HISTORY, State.OUT_OF_DOMAIN, sentence)


def _edits(item: Item, entries: list[MetadataEntry]) -> Iterator[Mark]:
    yield from _programs(entries)
    actions = [e.value for e in entries if e.name.startswith("xmpMM:History[") and e.name.endswith("stEvt:action")]
    saves = sum(a.lower() in ("saved", "converted", "derived", "edited", "cropped", "resized") for a in actions)
    if saves:
        yield Mark(f"its editing history lists {saves} step{'s' if saves != 1 else ''}", str(saves))
    ancestors = sum(e.name.startswith("photoshop:DocumentAncestors[") for e in entries)
    if ancestors:
        yield Mark(f"it lists {ancestors} other documents from which parts were taken", str(ancestors))
    for prefix, text in (
        ("crs:", "it carries the settings of Adobe's raw developer"),
        ("darktable:", "it carries the editing steps of darktable"),
        ("aas:", "it carries the adjustments of Apple's photo editor"),
        ("GIMP:", "it carries notes of GIMP"),
    ):
        if any(e.name.startswith(prefix) for e in entries):
            yield Mark(text, prefix)
    resources = item.metadata.get("IPTC", "Photoshop resources") or ""
    if any(number in resources for number in PHOTOSHOP_ONLY):
        yield Mark("it carries settings that Adobe Photoshop writes when it saves", "Photoshop resources")
    names = {e.name for e in entries if e.group == "PNG"}
    if {"date:create", "date:modify"} <= names:
        yield Mark("it carries the two dates that ImageMagick writes when it converts a picture", "date:create")
    for kind in _source_types(entries):
        if kind in words.EDITED_TYPES:
            yield Mark(f"it states that the picture {words.EDITED_TYPES[kind]}", kind)
    for e in entries:
        if e.name in ("UserComment", "exif:UserComment[1]") and e.value.strip().lower() == "screenshot":
            yield Mark("it calls itself a screenshot", e.value)
        if e.name == "Special Instructions" and e.value.startswith("FBMD"):
            yield Mark("it carries the mark of Facebook, which re-saves what is uploaded", "FBMD")
    yield from _later(item)


def _programs(entries: list[MetadataEntry]) -> Iterator[Mark]:
    seen: set[str] = set()
    for e in entries:
        signs = words.SIGNING.search(e.name) or (e.name == "x:xmptk" and "ExifTool" in e.value)
        kind = words.program(e.value) if signs else None
        if kind is None or e.value.casefold() in seen:
            continue
        seen.add(e.value.casefold())
        yield Mark(f"it names {quoted(e.value, 50)}, {kind}", e.value[:200], 0.5 if kind == words.NOTES else 0.8)


def _later(item: Item) -> Iterator[Mark]:
    """A change dated after the capture; cameras write both at once."""
    times = moments(item.metadata)
    for after, before in (("changed", "taken"), ("xmp changed", "xmp created")):
        late, early = times[after], times[before]
        if not (isinstance(late, Moment) and isinstance(early, Moment)):
            continue
        difference, certain = lag(late, early)
        if difference <= SLACK:
            continue
        duration = _duration(difference)
        text = f"it was changed {duration} after its {early.name}"
        text += "" if certain else ", if both times are of one zone"
        yield Mark(text, f"{duration}: {early.text} to {late.text}", 0.5 if certain else 0.4)
        return


def _duration(time: timedelta) -> str:
    for seconds, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        count = int(time.total_seconds()) // seconds
        if count:
            return f"{count:,} {unit}{'s' if count != 1 else ''}"
    return "a minute"


# ---------------------------------------------------------------- synthetic origin


def _generators(entries: list[MetadataEntry]) -> Iterator[Mark]:
    """Statements that a generator made or filled the picture; `whole` where it made all of it."""
    for kind in _source_types(entries):
        if kind in words.SOURCE_WORDS:
            certain = kind != "compositeSynthetic"
            text = f"{words.SOURCE_WORDS[kind]} (IPTC digital source type {kind})"
            yield Mark(text, kind, 0.8 if certain else 0.4, kind in ("trainedAlgorithmicMedia", "algorithmicMedia"))
    for e in entries:
        said = f"({e.group} note {quoted(e.name, 40)})"
        for group, name, holds, who in words.MARKS:
            if group in ("", e.group) and name.search(e.name) and holds.search(e.value):
                yield Mark(f"was made with {who} {said}", who)
        signs, credits = words.SIGNING.search(e.name), words.CREDITS.search(e.name)
        if (signs or credits) and words.GENERATIVE_EDITS.search(e.value):
            yield Mark(f"was reworked by a generator: {quoted(e.value)} {said}", e.value[:200], whole=False)
        elif (signs and words.GENERATORS.search(e.value)) or (credits and words.CREDITED.search(e.value)):
            yield Mark(f"was made with a generator: {quoted(e.value)} {said}", e.value[:200])
        if "AIGC" in e.name or '"AIGC"' in e.value[:40]:
            label = words.AIGC.search(e.value)
            if label:
                how = {"1": "was generated", "2": "may be generated", "3": "is suspected to be generated"}[
                    label.group(1)
                ]
                yield Mark(
                    f"{how} (China's AIGC label {label.group(1)})",
                    label.group(1),
                    0.8 if label.group(1) == "1" else 0.4,
                )


def _synthetic(marks: list[Mark]) -> Finding:
    distinct = list({m.text: m for m in marks}.values())[:MOST_MARKS]
    strength = max(m.strength for m in marks)
    supported = strength > 0.5
    numbers: dict[str, Number] = {f"statement_{n}": m.value for n, m in enumerate(distinct, 1)}
    return Finding(
        CARD.id, Question.SYNTHETIC_ORIGIN, State.SUPPORTED if supported else State.INCONCLUSIVE,
        "The file states that the picture " + ", and that it ".join(m.text for m in distinct)
        + ". This is the file's own unsigned statement, which anyone can write or remove.",
        strength=strength, numbers=numbers, innocent=(BY_HAND, SMALL_PART) if supported else (), citation=CARD.citation,
    )  # fmt: skip
