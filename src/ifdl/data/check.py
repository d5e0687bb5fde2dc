"""What is wrong with a set, before anything is trained on it or measured with it.

Missing, mismatched, empty and inverted masks; unreadable and changed files; the same bytes or the same
photograph on both sides of a split or under two labels; near-duplicates; and the shortcut audit
(`ifdl.data.shortcuts`). A file that fails becomes a row that says so.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl import intake
from ifdl.data import shortcuts
from ifdl.data._header import Header, read
from ifdl.data._record import Bad, Here, Record, mask_of, misfit
from ifdl.types import Card

NEAR = 4  # bits of 64 in which the hashes of near-duplicates differ at most
FLAT = 8  # levels: a picture whose small copy varies less has no hash to speak of
MOSTLY = 0.5  # a mask above this share of the picture is suspicious
SHORTCUT = 0.6  # an AUC above this is worth a warning; above chance alone, a note
SHORTCUT_FLOOR = 0.55  # below this nothing is worth saying, however large the set
BLOCK = 1024

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Problem:
    """One thing wrong. `kind` is stable and machine-readable; `names` are the pictures concerned."""

    kind: str
    severity: Severity
    names: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Report:
    """What a set holds and what is wrong with it.

    `shortcuts` is the AUC of each feature, best first; empty where there are not two classes, and
    `shortcut_chance` is what a feature without information stays below. `mask_share` is the smallest,
    median and largest share of a picture that its mask marks.
    """

    pictures: int
    labels: dict[str, int]
    kinds: dict[str, int]
    sources: int
    masks: int
    mask_share: tuple[float, float, float] | None
    errors: int
    warnings: int
    shortcut_chance: float
    shortcuts: dict[str, float] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def of(self, kind: str) -> tuple[Problem, ...]:
        """All problems of one kind."""
        return tuple(p for p in self.problems if p.kind == kind)


@dataclass(frozen=True)
class _Look:
    record: Record
    problems: tuple[Problem, ...] = ()
    header: Header | None = None
    sha256: str = ""
    hash: int | None = None
    share: float | None = None


def check(
    records: Iterable[Record | Bad],
    *,
    pixels: bool = True,
    isolated: bool = True,
    workers: int = 2,
    card: Card | None = None,
    limits: intake.Limits = intake.Limits(),  # noqa: B008
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Look at every record of a set. `progress` is told (done, total).

    `pixels` False decodes neither pictures nor masks: much faster, but then only what names, bytes and
    headers show is checked. Files are decoded in `workers` child processes; `isolated` False does it in
    this one, without limits of time and memory, for pictures of one's own making. What the set's `card`
    knows to be wrong with it is repeated as warnings.
    """
    listed = list(records)
    bad = [Problem("bad_record", "error", (b.name,), b.reason) for b in listed if isinstance(b, Bad)]
    wanted = [r for r in listed if isinstance(r, Record)]
    looks: list[_Look] = []
    looking: Iterator[_Look]
    if isolated:
        looking = intake.Pool(limits, workers).map(lambda decoder, record: _look(decoder, record, pixels), wanted)
    else:
        here = Here(limits)
        looking = (_look(here, record, pixels) for record in wanted)
    for look in looking:
        looks.append(look)
        progress(len(looks), len(wanted))
    read_well = [look for look in looks if look.header is not None]
    # A generator's picture is on neither side of "was this photograph edited".
    sides = [look for look in read_well if look.record.label in ("edited", "authentic")]
    edited = [look.record.label == "edited" for look in sides]
    headers = [look.header for look in sides if look.header is not None]
    areas = shortcuts.audit(headers, edited, [look.record.source for look in sides])
    chance = shortcuts.chance(sum(edited), len(edited) - sum(edited))
    problems = (
        *bad,
        *(p for look in looks for p in look.problems),
        *_same_bytes(read_well),
        *_shared_sources(wanted),
        *_near(read_well),
        *_absolute(wanted),
        *_shortcuts(areas, chance),
        *(Problem("known_defect", "warning", (), limit) for limit in (card.limits if card else ())),
    )
    shares = [look.share for look in looks if look.share is not None]
    return Report(
        pictures=len(wanted),
        labels=dict(sorted(Counter(r.label for r in wanted).items())),
        kinds=dict(sorted(Counter(r.kind for r in wanted if r.kind).items())),
        sources=len({r.source for r in wanted}),
        masks=sum(r.mask is not None for r in wanted),
        mask_share=(min(shares), float(np.median(shares)), max(shares)) if shares else None,
        errors=sum(p.severity == "error" for p in problems),
        warnings=sum(p.severity == "warning" for p in problems),
        shortcut_chance=round(chance, 4),
        shortcuts=areas,
        problems=problems,
    )


# ---------------------------------------------------------------- one picture


def _look(decoder: intake.Decoder, record: Record, pixels: bool) -> _Look:
    name = record.shown
    try:
        data, _ = intake.read_source(record.image, decoder.limits)
        header = read(data)
        if pixels:
            picture = decoder.decode(data, record.image.name)
            header = replace(header, width=picture.width, height=picture.height)
    except intake.IntakeError as error:
        return _Look(record, (Problem("unreadable", "error", (name,), error.reason),))
    digest = hashlib.sha256(data).hexdigest()
    problems = []
    if record.sha256 not in (None, digest):
        problems.append(Problem("changed", "error", (name,), "its sha256 is not the one its list states"))
    found, share = _mask(decoder, record, header, pixels)
    problems += found
    small = dhash(picture.pixels) if pixels else None
    return _Look(record, tuple(problems), header, digest, small, share)


def _mask(decoder: intake.Decoder, record: Record, header: Header, pixels: bool) -> tuple[list[Problem], float | None]:
    """What is wrong with a record's mask, and the share of the picture that it marks."""

    def problem(kind: str, severity: Severity, reason: str) -> list[Problem]:
        return [Problem(kind, severity, (record.shown,), reason)]

    if record.mask is None:
        if record.label == "edited":
            return problem("no_mask", "warning", "edited, but no mask is known"), None
        return [], None
    if not record.mask.is_file():
        return problem("missing_mask", "error", f"there is no mask at {record.mask.name}"), None
    if not pixels:
        return [], None
    try:
        mask = mask_of(record, decoder)
    except intake.IntakeError as error:
        return problem("unreadable_mask", "error", f"mask {error.name}: {error.reason}"), None
    assert mask is not None
    if mask.shape != (header.height, header.width):
        return problem("mask_size", "error", misfit(mask.shape, (header.height or 0, header.width or 0))), None
    share = float(mask.mean())
    if record.label == "authentic":
        return (problem("mask_of_authentic", "error", "authentic, but its mask marks an edit") if share else []), None
    if share == 0:
        return problem("empty_mask", "error", "its mask marks nothing (values below 128 count as unmarked)"), share
    if share == 1:
        return problem("full_mask", "error", "its mask marks the whole picture"), share
    if share > MOSTLY:
        reason = f"its mask marks {100 * share:.0f} % of the picture: it may be inverted"
        return problem("inverted_mask", "warning", reason), share
    return [], share


def dhash(pixels: NDArray[np.uint8]) -> int | None:
    """64-bit difference hash of a picture uint8 H×W×3: where, on a 9×8 copy, brightness rises to the right.

    None for a picture too flat to have one. Krawetz, "Kind of Like That", hackerfactor.com, 2013.
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
    if int(small.max()) - int(small.min()) < FLAT:
        return None
    return int.from_bytes(np.packbits(small[:, 1:] > small[:, :-1]).tobytes(), "big")


# ---------------------------------------------------------------- the set


def _same_bytes(looks: Sequence[_Look]) -> Iterator[Problem]:
    """Copies: under two labels or in two splits an error, else a warning."""
    for same in _grouped((look.sha256, look.record) for look in looks):
        names = tuple(r.shown for r in same)
        if len({r.label for r in same}) > 1:
            yield Problem("same_bytes_two_labels", "error", names, "the same bytes under different labels")
        if len({r.split for r in same}) > 1:
            yield Problem("same_bytes_two_splits", "error", names, "the same bytes in different splits")
        if len({(r.label, r.split) for r in same}) == 1:
            yield Problem("same_bytes", "warning", names, "the same bytes more than once")


def _shared_sources(records: Sequence[Record]) -> Iterator[Problem]:
    """Photographs that serve in more than one split."""
    for same in _grouped((source, r) for r in records for source in r.sources):
        if len({r.split for r in same}) > 1:
            names = tuple(r.shown for r in same)
            yield Problem("source_two_splits", "error", names, "made from one photograph, but in different splits")


def _grouped(pairs: Iterable[tuple[str, Record]]) -> Iterator[list[Record]]:
    groups: dict[str, list[Record]] = {}
    for key, record in pairs:
        groups.setdefault(key, []).append(record)
    return (group for group in groups.values() if len(group) > 1)


def _near(looks: Sequence[_Look]) -> Iterator[Problem]:
    """Pairs that look alike: an edited and an authentic picture, or two in different splits."""
    seen = [look for look in looks if look.hash is not None]
    hashes = np.array([look.hash for look in seen], np.uint64)
    for start in range(0, len(seen), BLOCK):
        apart = np.bitwise_count(hashes[start : start + BLOCK, None] ^ hashes[None, start:])
        for row, column in np.argwhere(apart <= NEAR):
            if column <= row:
                continue
            one, other = seen[start + row], seen[start + column]
            a, b = one.record, other.record
            if one.sha256 == other.sha256:
                continue
            how = f"{apart[row, column]} of 64 bits apart"
            if a.split != b.split:
                yield Problem("near_two_splits", "warning", (a.shown, b.shown), f"look alike in two splits, {how}")
            elif {a.label, b.label} == {"edited", "authentic"}:
                edited, plain = (a, b) if a.label == "edited" else (b, a)
                known = bool(set(a.sources) & set(b.sources))
                reason = f"edited and authentic look alike, {how}: " + (
                    "they share a source; split by it" if known else "no source says so; keep them in one split"
                )
                severity: Severity = "note" if known else "warning"
                yield Problem("near_duplicate", severity, (edited.shown, plain.shown), reason)


def _absolute(records: Sequence[Record]) -> Iterator[Problem]:
    names = tuple(r.shown for r in records if r.extra.get("absolute"))
    if names:
        yield Problem("absolute_paths", "note", names, f"{len(names)} pictures are listed by absolute path")


def _shortcuts(areas: dict[str, float], chance: float) -> Iterator[Problem]:
    for feature, area in areas.items():
        if area > max(SHORTCUT_FLOOR, chance):
            reason = f"{feature.replace('_', ' ')} alone tells edited from authentic: AUC {area:.3f}"
            yield Problem("shortcut", "warning" if area > SHORTCUT else "note", (), reason)
