"""Text changed in documents: figures and words retyped, copied from elsewhere on the page, erased, or added.

The host photograph lends its light, and at times its surface, to a page drawn by `_document`; `untouched` is the
picture of that page. The edit is made on this picture, as a forger works on a photo or scan: print is painted
over with paper estimated from around it, and new print is set in the page's own perspective, with an ink, size
and softness read off the page and therefore a little wrong. Text laid over a photograph is no forgery, and none
is made.

The mask covers the patches of ink and paper that were replaced; for a line added on bare paper, the new print
and its soft edges.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ifdl.forge import _document as document
from ifdl.forge import _layout as layout
from ifdl.forge._document import Page, Window
from ifdl.forge._layout import Word
from ifdl.forge.record import Box, Donors, Forgery, Material, Step, box_of
from ifdl.types import Card, Number, Question

Rng = np.random.Generator
Floats = NDArray[np.float32]

CARD = Card(
    id="text",
    title="Text: figures and words replaced, copied, erased or added on a page",
    questions=(Question.LOCAL_EDIT,),
    citation="Qu et al., CVPR 2023 (kinds of edits in documents); Abramova and Böhme, EI 2016 (copied characters)",
    domain="Any photograph of at least 96×96 pixels; a page is drawn in its light. 1-4 places, 0.3 % to 20 % in all.",
    limits=(
        "The pages are drawn, in one typeface; no real document is used.",
        "Latin letters and Arabic figures only.",
    ),
)
SHARE = (0.003, 0.2)
KINDS, CHANCES = ("retyped", "copied", "erased", "added"), (0.45, 0.25, 0.18, 0.12)
PAPERS, PAPER_CHANCES = ("plain", "noisy", "cloned"), (0.4, 0.35, 0.25)
ADDED = ("Discount", "Paid in full", "Extra", "Approved", "Deposit", "Refund", "Checked", "Late fee")
TRIES = 8


@dataclass(frozen=True, eq=False)
class Patch:
    """A piece of the picture to lay down: `window` (rows, columns), new pixels there, opacity 0-1, and what it is."""

    window: Window
    pixels: Floats
    opacity: Floats
    step: Step


def forge(host: Material, donors: Donors, rng: Rng) -> Forgery | None:
    """A page in the host's light with one to four changes; `donors` are not asked. None for too small a host."""
    if min(host.pixels.shape[:2]) < 96:
        return None
    page = document.page(host.pixels, rng)
    for _ in range(TRIES):
        kind = str(rng.choice(KINDS, p=CHANCES))
        made = _edited(page, kind, rng)
        if made is not None:
            return made
    return None


def _edited(page: Page, kind: str, rng: Rng) -> Forgery | None:
    """As many edits of one kind as it takes to reach the least share of the picture."""
    forged, mask = page.pixels.copy(), np.zeros(page.pixels.shape[:2], bool)
    steps: list[Step] = []
    wanted = SHARE[0] * float(rng.uniform(1.2, 2.5))
    paper = str(rng.choice(PAPERS, p=PAPER_CHANCES))
    free = [w for w in page.words if document.visible(page, w.box())]
    order = [free[i] for i in rng.permutation(len(free))]
    if kind != "erased":  # figures first: they are what is worth changing
        order.sort(key=lambda w: not any(c.isdigit() for c in w.text))
    elif rng.random() < 0.5:
        order.sort(key=lambda w: -len(w.text))
    for word in order if kind != "added" else [None] * len(page.gaps):
        patch = _patch(page, kind, word, paper, len(steps), rng)
        if patch is None:
            continue
        rows, columns = patch.window
        part = patch.opacity >= 0.5
        if not part.any() or (mask[rows, columns] & part).any():
            continue
        opacity = patch.opacity[..., None]
        laid = forged[rows, columns] * (1 - opacity) + patch.pixels * opacity
        forged[rows, columns] = np.clip(laid + 0.5, 0, 255).astype(np.uint8)
        mask[rows, columns] |= part
        steps.append(patch.step)
        if mask.mean() >= wanted or len(steps) == 4:
            break
    if not SHARE[0] <= mask.mean() <= SHARE[1]:
        return None
    return Forgery(forged, mask, tuple(steps), untouched=page.pixels)


def _patch(page: Page, kind: str, word: Word | None, paper: str, number: int, rng: Rng) -> Patch | None:
    """One edit of that kind, at that word."""
    if word is None:
        return _added(page, number, rng)
    if kind == "erased":
        return _erased(page, word, paper, rng)
    return _retyped(page, word, paper, rng) if kind == "retyped" else _copied(page, word, paper, rng)


# ---------------------------------------------------------------- kinds of edits


def _retyped(page: Page, word: Word, paper: str, rng: Rng) -> Patch | None:
    """The word painted over and set anew with other figures or letters."""
    new = _other(word.text, rng)
    if new is None:
        return None
    scale = float(rng.choice((0.93, 1.0, 1.0, 1.07)))
    size = max(8, round(word.size * scale))
    drop, weight = float(rng.normal(0, 0.035)) * word.size, float(rng.uniform(0.65, 1.05))
    # Figures are set flush right, so that columns still line up.
    x = word.x
    if new[-1].isdigit():
        x += layout.width_of(word.text, word.size) - layout.width_of(new, size)
    typed = Word(new, x, word.y + drop, size, word.bold if rng.random() < 0.85 else not word.bold)
    left, top, right, bottom = document.union(word.box(), typed.box())
    window, opacity = document.soft_box(page, document.padded((left, top, right, bottom), 0.1 * word.size), rng)
    if window is None:
        return None
    blank = document.blank_paper(page, window, paper, rng)
    softness = max(0.2, page.softness * float(rng.choice((0.5, 1.0, 1.0, 1.3))))
    shade = float(rng.normal(0, 9))
    printed, ink = document.printed(page, typed, window, softness, weight), document.picked_ink(page, window) + shade
    cues = ["text"]
    cues += ["sharpness"] if abs(softness - page.softness) > 0.25 * page.softness else []
    cues += ["proportion"] if size != word.size else []
    cues += ["colour"] if abs(shade) > 12 else []
    numbers: dict[str, Number] = {"size": round(size / word.size, 3), "drop": round(drop, 2), "shade": round(shade, 1)}
    step = _step(page, "retyped", word.text, new, window, opacity, paper, tuple(cues), numbers)
    return Patch(window, blank + (ink - blank) * printed[..., None], opacity, step)


def _copied(page: Page, word: Word, paper: str, rng: Rng) -> Patch | None:
    """One character replaced by a copy of another from elsewhere on the page, or the whole word by another word."""
    alike = [w for w in page.words if w.size == word.size and w.bold == word.bold and w is not word]
    whole = bool(rng.random() < 0.5)
    if whole:
        pairs = [(w, 0, len(w.text)) for w in alike if w.text != word.text and len(w.text) == len(word.text)]
        pairs = [p for p in pairs if _class(p[0].text) == _class(word.text) and _sensible(p[0].text, word.text)]
        first, last = 0, len(word.text)
    else:
        spots = [i for i, c in enumerate(word.text) if c.isdigit()] or [
            i for i, c in enumerate(word.text) if c.isalpha()
        ]
        if not spots:
            return None
        first = spots[int(rng.integers(len(spots)))]
        last, old = first + 1, word.text[first]
        pairs = [
            (w, i, i + 1)
            for w in (*alike, word)
            for i, c in enumerate(w.text)
            if _class(c) == _class(old) and _sensible(word.text[:first] + c + word.text[last:], word.text)
        ]
    if not pairs:
        return None
    source, begin, end = pairs[int(rng.integers(len(pairs)))]
    here, there = word.box(first, last), source.box(begin, end)
    new = word.text[:first] + source.text[begin:end] + word.text[last:]
    # The copy stands on the same baseline, its end where the old one's was.
    at_here, at_there = (
        document.to_picture(page, np.array([[b[2], w.y]]))[0] for b, w in ((here, word), (there, source))
    )
    dx, dy = (int(v) for v in np.rint(at_here - at_there))
    landed = (there[0] + here[2] - there[2], here[1], here[2], here[3])
    window, opacity = document.soft_box(page, document.union(here, landed), rng)
    if window is None:
        return None
    rows, columns = window
    height, width = page.pixels.shape[:2]
    if rows.start - dy < 0 or rows.stop - dy > height or columns.start - dx < 0 or columns.stop - dx > width:
        return None
    moved = (slice(rows.start - dy, rows.stop - dy), slice(columns.start - dx, columns.stop - dx))
    blank = document.blank_paper(page, window, paper, rng)
    taken = page.pixels[moved].astype(np.float32)
    matched = bool(rng.random() < 0.7)
    if matched:
        taken += np.median(blank - document.blank_paper(page, moved, "plain", rng), axis=(0, 1))
    shape = document.box_opacity(page, landed, window, 0.5)[..., None]
    cues = ("text", "repetition") if matched else ("text", "repetition", "edges")
    # The source in pixels: the copied box moved back by the same shift.
    y, x = np.nonzero(shape[..., 0] >= 0.5)
    if not len(y):
        return None
    box = (int(x.min()) + moved[1].start, int(y.min()) + moved[0].start, int(np.ptp(x)) + 1, int(np.ptp(y)) + 1)
    step = _step(page, "copied", word.text, new, window, opacity, paper, cues, {"shift_x": dx, "shift_y": dy}, box)
    return Patch(window, blank * (1 - shape) + taken * shape, opacity, step)


def _erased(page: Page, word: Word, paper: str, rng: Rng) -> Patch | None:
    """The word painted over with paper."""
    if len(word.text) < 3:
        return None
    window, opacity = document.soft_box(page, document.padded(word.box(), 0.12 * word.size), rng)
    if window is None:
        return None
    cues = ("context", "texture") if paper == "plain" else ("context",)
    step = _step(page, "erased", word.text, "", window, opacity, paper, cues, {})
    return Patch(window, document.blank_paper(page, window, paper, rng), opacity, step)


def _added(page: Page, number: int, rng: Rng) -> Patch | None:
    """A line of print in a blank place; the paper stays."""
    x, y, size = page.gaps[number]
    typed = str(rng.choice(ADDED)) + (f" {rng.uniform(1, 90):.2f}" if rng.random() < 0.6 else "")
    scale = float(rng.choice((0.93, 1.0, 1.0, 1.07, 1.15)))
    line = Word(typed, x + float(rng.normal(0, 0.1)) * size, y, max(8, round(size * scale)), bool(rng.random() < 0.2))
    if not document.visible(page, line.box()):
        return None
    window, _ = document.soft_box(page, document.padded(line.box(), 0.2 * size), rng)
    if window is None:
        return None
    softness = max(0.2, page.softness * float(rng.choice((0.5, 1.0, 1.3))))
    shade = float(rng.normal(0, 9))
    printed = document.printed(page, line, window, softness, float(rng.uniform(0.65, 1.05)))
    ink = document.picked_ink(page, window) + shade
    before = page.pixels[window].astype(np.float32)
    changed = (printed > 0.05).astype(np.float32)
    step = _step(page, "added", "", typed, window, changed, "kept", ("text", "context"), {"shade": round(shade, 1)})
    return Patch(window, before + (ink - before) * printed[..., None], changed, step)


def _step(
    page: Page, kind: str, old: str, new: str, window: Window, opacity: Floats, paper: str,
    cues: tuple[str, ...], numbers: dict[str, Number], source: Box | None = None,
) -> Step:  # fmt: skip
    """The record of one edit."""
    x, y, width, height = box_of(opacity >= 0.5)
    noun = "a figure" if any(c.isdigit() for c in old or new) else "a word" if kind != "added" else "a line"
    action = {
        "retyped": f"“{old}” painted over and retyped as “{new}”",
        "copied": f"“{old}” made “{new}” with characters copied from elsewhere on the page",
        "erased": f"“{old}” erased",
        "added": f"“{new}” added",
    }[kind]
    traces = {"retyped": ("foreign_noise",), "copied": ("repeated",), "erased": (), "added": ()}[kind]
    papers = {"plain": ("smoothed",), "noisy": ("foreign_noise", "added_noise"), "cloned": ("repeated",), "kept": ()}
    extra = ("noise",) if paper in ("plain", "noisy") and kind != "copied" else ()
    return Step(
        engine="text",
        action=action,
        content=f"{noun} on a {page.kind}",
        target_box=(x + window[1].start, y + window[0].start, width, height),
        source_box=source,
        parameters={"kind": kind, "old": old, "new": new, "page": page.kind, "paper": paper, **numbers},
        traces=tuple(dict.fromkeys((*traces, *papers[paper], "blended"))),
        cues=tuple(dict.fromkeys((*cues, *extra))),
    )


# ---------------------------------------------------------------- what is written


def _class(text: str) -> str:
    """The text with every figure as 0 and every letter as a or A: what may replace what."""
    return "".join("0" if c.isdigit() else ("A" if c.isupper() else "a") if c.isalpha() else c for c in text)


def _sensible(text: str, old: str) -> bool:
    """Whether a text could stand on a page: no number gains a leading nought, days and hours stay in range."""
    if text == old:
        return False
    parts = [p for p in re.split(r"[^0-9]+", text) if p]
    if re.fullmatch(r"\d\d[./]\d\d[./]\d{4}", text):
        day, month, year = (int(p) for p in parts)
        return 1 <= day <= 31 and 1 <= month <= 12 and 1950 <= year <= 2030
    if re.fullmatch(r"\d\d:\d\d", text):
        return int(parts[0]) < 24 and int(parts[1]) < 60
    return not (text[0] == "0" and old[0] != "0")


def _other(text: str, rng: Rng) -> str | None:
    """Another text of the same form: a few figures changed, never none; words become other words of the lists."""
    spots = [i for i, c in enumerate(text) if c.isdigit()]
    for _ in range(200 if spots else 0):  # few changes of a date give another date
        letters = list(text)
        for spot in rng.permutation(spots)[: int(rng.integers(1, min(4, len(spots)) + 1))]:
            letters[spot] = str((int(letters[spot]) + int(rng.integers(1, 10))) % 10)
        if _sensible("".join(letters), text):
            return "".join(letters)
    if spots:
        return None
    known = [w for w in _vocabulary() if abs(len(w) - len(text)) < 2 and w.lower() != text.lower()]
    if not known or not text.isalpha():
        return None
    new = known[int(rng.integers(len(known)))]
    return new.upper() if text.isupper() else new.lower() if text.islower() else new


@cache
def _vocabulary() -> tuple[str, ...]:
    phrases = (*layout.ITEMS, *layout.NAMES, *layout.SHOPS, *layout.PROSE)
    return tuple(sorted({w for phrase in phrases for w in phrase.split(" ") if w.isalpha()}))
