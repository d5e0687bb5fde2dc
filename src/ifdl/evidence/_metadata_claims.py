"""Pairs of statements in a file that should agree, each compared once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction

from ifdl.evidence._metadata_words import FIRMWARE, MAKER_NOTES, at_odds, brands, program
from ifdl.intake.second import AGAIN, EXIF, GPS
from ifdl.types import Innocent, Item, Metadata, Number

# Clocks in one file may stand in different time zones: 14 hours east of Greenwich to 12 west.
ZONES = timedelta(hours=26)
SLACK = timedelta(seconds=60)
DATE = re.compile(r"^(\d{4})[:\-/.](\d\d)[:\-/.](\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?)?")
OFFSET = re.compile(r"(Z|[+-]\d\d:?\d\d)\s*$")

COPIED = Innocent(
    "a program copied the notes of another file into this one",
    "ask for the file as it left the camera or phone and compare the two",
)
RESIZED = Innocent(
    "a messaging app, website or export tool made the picture smaller or cropped it and kept the old notes",
    "ask the sender for the original file and compare its size",
)
TURNED = Innocent(
    "a viewer turned the picture upright and kept the old notes", "turn the picture by a quarter and compare the sizes"
)
CLOCK = Innocent(
    "the camera's clock was wrong, had been reset or stood in another time zone",
    "photograph a known clock with the same camera, or ask for other pictures of that day",
)
SCANNED = Innocent(
    "somebody set the date by hand, for instance to that of a scanned print",
    "ask whether the picture is a scan and who entered the date",
)
STALE = Innocent(
    "the receiver repeated an old fix or suffers from the 19.6-year rollover of satellite dates",
    "look at other pictures taken with the same device that day",
)
ADDED = Innocent(
    "a program put its own note, or a second directory of notes, beside the camera's instead of replacing it",
    "list every note with the directory it stands in (exiftool -a -G1) and ask what the file went through",
)
MISPLACED = Innocent(
    "a program rewrote part of the notes, such as the camera's hidden ones, and left others out of place or ill-formed",
    "open the file as it left the camera in the same programs and see whether they agree there",
)
# What a reader of the report calls the notes that two parsers are compared on.
CALLED = {
    "Make": "camera make", "Model": "camera model", "Orientation": "orientation", "Software": "software",
    "DateTime": "last change", "DateTimeOriginal": "capture time", "DateTimeDigitized": "digitisation time",
    "PixelXDimension": "width", "PixelYDimension": "height",
}  # fmt: skip
PLACE = "satellite position"
MOST_NAMED = 3


@dataclass(frozen=True)
class Comparison:
    """One comparison: which statements it used, and the contradiction if there is one.

    `certain` False means the difference could be a matter of time zones, or of how one note is read.
    """

    names: tuple[str, ...]
    contradiction: str = ""
    numbers: dict[str, Number] = field(default_factory=dict)
    innocent: tuple[Innocent, ...] = ()
    certain: bool = True


def comparisons(item: Item) -> Iterator[Comparison]:
    """Every comparison the file's statements allow."""
    said = item.metadata
    for check in (_sizes, _cameras, _dates, _satellite, _readings):
        yield from check(said, item)


def quoted(text: str, most: int = 60) -> str:
    """A value of the file as it may stand in a sentence: one line, short, in quotation marks."""
    line = " ".join(text.replace("“", '"').replace("”", '"').split())
    return f"“{line if len(line) <= most else line[: most - 1] + '…'}”"


# ---------------------------------------------------------------- size


def _sizes(said: Metadata, item: Item) -> Iterator[Comparison]:
    codes = {said.get("EXIF", "Orientation"), said.get("XMP", "tiff:Orientation"), str(item.orientation)}
    # A size noted as displayed is right too; libheif turns the pixels itself.
    may_be_turned = bool(codes & set("5678")) or item.format == "HEIF"
    real = (item.width, item.height)
    told: set[tuple[int, int]] = set()
    for group, prefix in (("EXIF", ""), ("XMP", "exif:")):
        words = [said.get(group, f"{prefix}Pixel{axis}Dimension") for axis in "XY"]
        if not all(w and w.strip().isdecimal() and len(w) < 9 and int(w) > 1 for w in words):
            continue
        stated = (int(words[0] or 0), int(words[1] or 0))
        names = (f"{group} width", f"{group} height")
        if stated == real or stated in told or (may_be_turned and stated == real[::-1]):
            yield Comparison(names)
            continue
        told.add(stated)
        swapped = stated == real[::-1]
        yield Comparison(
            names,
            f"The {group} notes say that the picture is {stated[0]} × {stated[1]} pixels, but it is "
            f"{real[0]} × {real[1]}" + (": the sides are swapped." if swapped else "."),
            {"stated_width": stated[0], "stated_height": stated[1], "width": real[0], "height": real[1]},
            (TURNED, COPIED) if swapped else (RESIZED, COPIED),
        )


# ---------------------------------------------------------------- camera


def _cameras(said: Metadata, _item: Item) -> Iterator[Comparison]:
    make, model = _public(said, "EXIF", "Make"), _public(said, "EXIF", "Model")
    also_make, also_model = _public(said, "XMP", "tiff:Make"), _public(said, "XMP", "tiff:Model")
    signature, note = _public(said, "EXIF", "Software"), _public(said, "EXIF", "MakerNote")
    if make and model and brands(make):
        yield _brands("make", make, "model", model, brands(model))
    if make and also_make and brands(make) and brands(also_make):
        yield _brands("EXIF make", make, "XMP make", also_make, brands(also_make))
    if model and also_model:
        one, other = (re.sub(r"\W|_", "", text).casefold() for text in (model, also_model))
        differ = bool(one and other) and one not in other and other not in one
        yield _camera("EXIF model", model, "XMP model", also_model, differ)
    # Editors of one brand work on pictures of any; only a camera's own firmware ties the two.
    if make and signature and FIRMWARE.search(signature) and program(signature) is None and brands(signature):
        yield _brands("make", make, "camera software", signature, brands(signature))
    if make and note:
        writer = next((b for start, b in MAKER_NOTES.items() if f"begins: {start}" in note), None)
        if writer and brands(make):
            yield _brands("make", make, "maker of the hidden camera notes", writer, {writer})


def _brands(one: str, first: str, other: str, second: str, second_brands: set[str]) -> Comparison:
    return _camera(one, first, other, second, at_odds(brands(first), second_brands))


def _camera(one: str, first: str, other: str, second: str, differ: bool) -> Comparison:
    if not differ:
        return Comparison((one, other))
    text = f"The file names two cameras that cannot both be right: {one} {quoted(first)}, {other} {quoted(second)}."
    return Comparison((one, other), text, {one: first[:200], other: second[:200]}, (COPIED,))


def _public(said: Metadata, group: str, name: str) -> str | None:
    """Value of an entry that may be quoted, None if it is missing, empty or private."""
    value = next((e.value for e in said.entries if (e.group, e.name) == (group, name) and not e.private), None)
    return value.strip() or None if value else None


# ---------------------------------------------------------------- time


@dataclass(frozen=True)
class Moment:
    """A time as the file has it; `zone` is its offset from UTC where the file says so."""

    name: str
    text: str
    time: datetime
    zone: timedelta | None


def calendar(text: str) -> datetime | bool | None:
    """The time that starts the text; None if it was never set or is no time, False if no calendar has it."""
    found = DATE.match(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
    if not (year and month and day):  # zeros mean that the clock was never set
        return None
    # Some phones write 24:10:00 after midnight; Pixelmator 3 writes fractions where the seconds belong.
    if hour > 24 or minute > 59:
        return False
    try:
        return datetime(year, month, day) + timedelta(hours=hour, minutes=minute, seconds=min(second, 59))
    except (ValueError, OverflowError):
        return False


def moment(said: Metadata, group: str, name: str, offset: str, words: str) -> Moment | str | None:
    """The time noted there: None if unset or unreadable, the text itself if no calendar has that date."""
    text = _public(said, group, name)
    time = calendar(text) if text else None
    if text is None or time is None:
        return None
    if not isinstance(time, datetime):
        return text
    zone = OFFSET.search((_public(said, group, offset) or "") if offset else (text if "T" in text else ""))
    return Moment(words, text, time, _zone(zone.group(1)) if zone else None)


def moments(said: Metadata) -> dict[str, Moment | str | None]:
    """The times that matter, by a short key."""
    return {
        "changed": moment(said, "EXIF", "DateTime", "OffsetTime", "last change"),
        "taken": moment(said, "EXIF", "DateTimeOriginal", "OffsetTimeOriginal", "capture"),
        "digitised": moment(said, "EXIF", "DateTimeDigitized", "OffsetTimeDigitized", "digitisation"),
        "xmp changed": moment(said, "XMP", "xmp:ModifyDate", "", "last change"),
        "xmp created": moment(said, "XMP", "xmp:CreateDate", "", "creation"),
        "xmp taken": moment(said, "XMP", "exif:DateTimeOriginal", "", "capture according to XMP"),
    }


def lag(later: Moment, earlier: Moment) -> tuple[timedelta, bool]:
    """(`later` minus `earlier`, whether time zones cannot explain its sign)."""
    difference = later.time - earlier.time
    if later.zone is not None and earlier.zone is not None:
        return difference - later.zone + earlier.zone, True
    return difference, abs(difference) > ZONES


def _zone(text: str) -> timedelta | None:
    if text == "Z":
        return timedelta(0)
    shift = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return -shift if text[0] == "-" else shift


def _dates(said: Metadata, _item: Item) -> Iterator[Comparison]:
    times = moments(said)
    for key, value in times.items():
        if isinstance(value, str):
            yield Comparison(
                (key,),
                f"The file holds a date that no calendar has: {quoted(value)}.",
                {"date": value[:60]},
                (CLOCK, COPIED),
            )
    told: set[str] = set()
    for after, before in (
        ("changed", "taken"), ("changed", "digitised"), ("digitised", "taken"), ("xmp changed", "xmp created"),
    ):  # fmt: skip
        late, early = times[after], times[before]
        if not (isinstance(late, Moment) and isinstance(early, Moment)):
            continue
        difference, certain = lag(late, early)
        if difference >= -SLACK or after in told:
            yield Comparison((after, before))
            continue
        told.add(after)
        text = f"The file dates its {late.name} ({quoted(late.text)}) before its {early.name} ({quoted(early.text)})."
        if not certain:
            text = text[:-1] + "; two time zones in one file could explain that."
        numbers: dict[str, Number] = {late.name: late.text, early.name: early.text}
        yield Comparison((after, before), text, numbers, (CLOCK, SCANNED), certain)
    taken, also = times["taken"], times["xmp taken"]
    if isinstance(taken, Moment) and isinstance(also, Moment):
        apart = abs(lag(taken, also)[0])
        text = f"The file gives two capture times: {quoted(taken.text)} in EXIF and {quoted(also.text)} in XMP."
        numbers = {"exif": taken.text, "xmp": also.text}
        yield Comparison(("taken", "xmp taken"), *((text, numbers, (SCANNED, COPIED)) if apart > ZONES else ()))


def _satellite(said: Metadata, _item: Item) -> Iterator[Comparison]:
    """The satellite date is private: only its distance from the camera's clock is told."""
    taken = moments(said)["taken"]
    fixed = calendar(said.get("GPS", "GPSDateStamp") or "")
    if fixed is False:
        yield Comparison(("satellite",), "The file holds a satellite date that no calendar has.", {}, (COPIED,))
    if not isinstance(taken, Moment) or not isinstance(fixed, datetime):
        return
    try:
        hours, minutes, seconds = (float(Fraction(p)) for p in (said.get("GPS", "GPSTimeStamp") or "").split(", "))
        fixed, room = fixed + timedelta(hours=hours, minutes=minutes, seconds=seconds), ZONES
    except (ValueError, ZeroDivisionError, OverflowError):  # without the time of day, noon is at most 12 hours off
        fixed, room = min(fixed, datetime(9999, 1, 1)) + timedelta(hours=12), ZONES + timedelta(hours=12)
    apart = abs(taken.time - fixed)
    if apart <= room:
        yield Comparison(("taken", "satellite"))
        return
    days = round(apart / timedelta(days=1), 1)
    text = f"The camera's clock ({quoted(taken.text)}) and the satellite time noted beside it lie {days:,g} days apart."
    yield Comparison(("taken", "satellite"), text, {"capture": taken.text, "days": days}, (CLOCK, STALE))


# ---------------------------------------------------------------- two readings


def _readings(said: Metadata, _item: Item) -> Iterator[Comparison]:
    """Notes that stand in the file twice and differ, and notes that two parsers read differently.

    Agreement is the rule and is not counted among the pairs compared.
    """
    twice: dict[str, tuple[str, ...]] = {}
    apart: dict[str, tuple[str, ...]] = {}
    for group, names in (("EXIF", EXIF), ("GPS", GPS)):
        for name in names.values():
            own = {" ".join(e.value.split()): None for e in said.entries if (e.group, e.name) == (group, name)}
            again = {
                " ".join(e.value.split()): None for e in said.entries if (e.group, e.name) == (group + AGAIN, name)
            }
            private = any(e.private for e in said.entries if e.name == name)
            values = () if private else tuple(dict.fromkeys((*own, *again)))
            called = PLACE if group == "GPS" else CALLED[name]
            if len(own) > 1:
                twice.setdefault(called, values)
            elif again:
                apart.setdefault(called, values)
    if twice:
        yield _reading(twice, "The file notes {} twice, and differently", "; programs show one or the other.", True)
    if apart:
        tail = "; such a note stands there twice, or in a form that programs read in more than one way."
        yield _reading(apart, "Two readers of the same EXIF notes disagree on {}", tail, False)


def _reading(found: dict[str, tuple[str, ...]], head: str, tail: str, certain: bool) -> Comparison:
    told = list(found.items())[:MOST_NAMED]
    words = [
        f"the {name}" + (f" ({' or '.join(quoted(v, 40) for v in values[:2])})" if values else "")
        for name, values in told
    ]
    if len(found) > MOST_NAMED:
        words.append(f"{len(found) - MOST_NAMED} more")
    listed = words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
    numbers: dict[str, Number] = {
        f"{name} {n}": value[:200] for name, values in told for n, value in enumerate(values[:2], 1)
    }
    return Comparison(tuple(found), head.format(listed) + tail, numbers, (ADDED, MISPLACED), certain)
