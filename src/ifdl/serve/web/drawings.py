"""Pictures for the page: the preview, a layer over it, and tiles of stored pixels. All as displayed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ifdl.report import overlay, parts
from ifdl.report.html import HEAT_PREVIEW, PREVIEW
from ifdl.signal.orientation import point_to_display, to_display
from ifdl.types import Card, Item, Map, Picture, Report

TILE = 512  # pixels


@dataclass(frozen=True)
class Layer:
    """One thing that can be laid over the picture. `id` is safe in addresses; `heat` has a scale of colours."""

    id: str
    label: str
    note: str = ""
    card: Card | None = None
    heat: bool = False


def layers(report: Report) -> list[Layer]:
    """Mask and outlines, where the verdict points anywhere, then the map of every clue and expert."""
    found = []
    if parts.edited_regions(report):
        found.append(Layer("mask", "Mask", "the area that the answer on local edits points at"))
    if report.verdict.regions:
        found.append(Layer("outlines", "Outlines", "every region of the verdict, with its letter"))
    clues = _clues(report)
    for name, _ in parts.heat_maps(report):
        clue = clues.get(name, name.removeprefix("expert-"))
        card = parts.card_of(clue)
        note = "experimental, shown but never counted" if card and card.experimental else ""
        found.append(Layer(name, card.title if card else clue, note, card, heat=True))
    found += [
        Layer(f"trust-{n}", f"Reliability of {p.expert}", "bright where the expert trusts its own map", heat=True)
        for n, p in enumerate(report.verdict.predictions)
        if p.reliability is not None
    ]
    return found


def layer(report: Report, name: str) -> bytes | None:
    """One layer as a PNG; None if there is none of that name."""
    picture = report.picture
    if picture is None:
        return None
    if name in ("mask", "outlines"):
        regions = parts.edited_regions(report) if name == "mask" else report.verdict.regions
        size = (picture.height, picture.width)
        canvas = overlay.fitted(size if picture.item.orientation < 5 else size[::-1], PREVIEW, enlarge=True)
        # Outlined too: a tint alone is missed on busy or dark places.
        drawn = overlay.marks(regions, size, picture.item.orientation, canvas, tint=name == "mask")
        return overlay.png(drawn) if regions else None
    heat = dict(_maps(report)).get(name)
    return None if heat is None else overlay.layer_png(heat, picture, HEAT_PREVIEW)


def preview(picture: Picture) -> bytes:
    """The whole picture as a JPEG of at most 1,600 pixels."""
    return overlay.jpeg(overlay.reduced(to_display(picture.pixels, picture.item.orientation), PREVIEW))


def tile(picture: Picture, column: int, row: int) -> bytes | None:
    """One tile of the unaltered pixels as a PNG; None beyond the picture."""
    # A view of the displayed picture: only the tile is copied.
    pixels, stored = picture.pixels, picture.item.orientation
    shown = pixels.swapaxes(0, 1) if stored >= 5 else pixels
    shown = shown[:, ::-1] if stored in (2, 3, 6, 7) else shown
    shown = shown[::-1] if stored in (3, 4, 7, 8) else shown
    part = shown[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
    return overlay.png(np.ascontiguousarray(part)) if part.size else None


def displayed_size(item: Item) -> tuple[int, int]:
    """(width, height) as displayed."""
    return (item.height, item.width) if item.orientation >= 5 else (item.width, item.height)


def grid_offset(picture: Picture, report: Report) -> tuple[int, int]:
    """(x, y) of the first line of the picture's 8×8 JPEG grid as displayed: where it was found, else the file's own."""
    x, y = 0, 0
    for finding in report.verdict.findings:
        if finding.clue == "jpeg_grid" and "grid_x" in finding.numbers:
            x, y = int(finding.numbers["grid_x"]), int(finding.numbers["grid_y"])
    u, v = point_to_display(x, y, (picture.height, picture.width), picture.item.orientation)
    return int(u) % 8, int(v) % 8


def _clues(report: Report) -> dict[str, str]:
    findings = report.verdict.findings
    return dict(zip(parts.safe_ids([f.id for f in findings]), (f.clue for f in findings), strict=True))


def _maps(report: Report) -> Iterator[tuple[str, Map]]:
    yield from parts.heat_maps(report)
    for number, prediction in enumerate(report.verdict.predictions):
        if prediction.reliability is not None:
            yield f"trust-{number}", prediction.reliability
