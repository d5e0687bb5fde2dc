"""The embedded thumbnail against the picture: cameras write both at once, and some editors change only one.

Both are brought to one small size, the thumbnail without the black bars that cameras put round other aspect ratios,
the picture turned as the thumbnail may be. What is left after brightness and contrast are matched is compared cell by
cell. A thumbnail of another picture, or of more than is left of it, contradicts the file; a compact part that differs
was changed after the thumbnail was made. Source: Kee and Farid, "Digital image authentication from thumbnails",
SPIE Media Forensics and Security 2010, for the traces that a thumbnail keeps.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ifdl import intake
from ifdl.signal.regions import region_of
from ifdl.types import Card, FalseAlarms, Finding, Innocent, Map, Number, Picture, Question, Region, State

LEAST, MOST = 64, 640  # longest side of a thumbnail that is compared, in pixels
SIDE = 160  # longest side that both are compared at
BAR = 24  # grey levels of a bar at most
FLAT = 6.0  # grey levels: a thumbnail that varies less shows nothing to compare
OTHER = 0.55  # correlation below which it shows another picture
SAME = 0.85  # correlation of the rest above which a differing part is a part
STRONG = 26.0  # grey levels, averaged over a cell of 5×5, that make a part differ
LEAST_PART = 0.006  # share of the picture

CARD = Card(
    id="thumbnail",
    title="Embedded thumbnail",
    questions=(Question.CLAIMS, Question.LOCAL_EDIT),
    version="1",
    citation="Kee and Farid, Digital image authentication from thumbnails, SPIE Media Forensics and Security II, 2010",
    url="https://doi.org/10.1117/12.839034",
    domain="Files with an EXIF or Photoshop thumbnail of at least 64 pixels that is not flat.",
    threshold=(
        f"Another picture: correlation with the best placed picture below {OTHER}. A part: {STRONG:g} grey levels of "
        f"difference over {100 * LEAST_PART:g} % of the picture while the rest correlates above {SAME}."
    ),
    false_alarms=FalseAlarms(
        data="camera", measured=False, note="metadata, thumbnails included, was removed from this set"
    ),
    look_for="Put thumbnail and picture side by side: what was added, removed, or lies outside the cut.",
    ignore="Black bars, another sharpness, and slightly other colours: cameras make thumbnails on their own.",
    limits=(
        "Most editors write a new thumbnail: one that agrees says nothing.",
        "A small edit is smaller than a thumbnail's pixels, or than its compression.",
        "It cannot tell which of the two was changed.",
    ),
)
INNOCENT = (
    Innocent(
        "The picture was cropped or turned by a program that left the camera's thumbnail in.",
        "See whether the picture is a part of the thumbnail, and whether that part leaves something out.",
    ),
    Innocent(
        "The program that wrote the file copied another file's metadata, thumbnail included.",
        "See whether the other statements of the metadata fit the picture.",
    ),
)
Grey = NDArray[np.float32]


def run(picture: Picture) -> list[Finding]:
    """CLAIMS where a thumbnail can be compared; LOCAL_EDIT too where all but a compact part agrees."""
    held = next((s for s in picture.item.container.sub_images if s.kind == "thumbnail" and s.bytes), None)
    if held is None or held.offset is None or held.bytes is None:
        return [_outside("The file carries no thumbnail.")]
    try:
        small = intake.load(picture.data[held.offset : held.offset + held.bytes]).pixels
    except intake.IntakeError as error:
        return [_outside(f"The file's thumbnail cannot be read: {error.reason}")]
    size = f"{small.shape[1]}×{small.shape[0]}"
    if not LEAST <= max(small.shape[:2]) <= MOST:
        return [_outside(f"The file's thumbnail, {size}, is not of a size to compare.")]
    thumb = _scaled(_without_bars(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), picture.width / picture.height))
    if float(thumb.std()) < FLAT:
        return [_outside("The file's thumbnail is flat and shows nothing to compare.")]
    whole = _scaled(cv2.cvtColor(np.ascontiguousarray(picture.pixels), cv2.COLOR_RGB2GRAY))
    best, turn, fitted = _placed(whole, thumb)
    numbers: dict[str, Number] = {"thumbnail": size, "correlation": round(best, 3), "turned": 90 * turn}
    shape = abs(np.log(_aspect(fitted) / _aspect(thumb)))
    numbers["aspect_difference_percent"] = round(100 * float(np.expm1(shape)), 1)
    if best < OTHER:
        inside = _inside(whole, thumb)
        numbers["inside_correlation"] = round(inside, 3)
        what = "shows more than the picture, which was cut out of it" if inside > SAME else "shows another picture"
        sentence = f"The embedded thumbnail {what} (correlation {numbers['correlation']}, {OTHER} is asked for)."
        return [_finding(Question.CLAIMS, State.SUPPORTED, sentence, 1 - max(best, 0.0), numbers, innocent=INNOCENT)]
    apart = _difference(fitted, thumb)
    part = _part(apart, fitted, thumb)
    if part is None:
        sentence = f"The embedded thumbnail shows the same picture (correlation {numbers['correlation']})."
        return [_finding(Question.CLAIMS, State.NO_TRACE_FOUND, sentence, 0.0, numbers)]
    region, chart = _in_picture(part, apart, turn, picture)
    numbers["share_percent"] = round(100 * region.area, 1)
    sentence = f"A part of the picture is not as the embedded thumbnail shows it ({numbers['share_percent']} % of it)."
    strength = min(1.0, float(apart[part].mean()) / 64)
    claim = _finding(Question.CLAIMS, State.SUPPORTED, sentence, strength, numbers, innocent=INNOCENT)
    edit = _finding(Question.LOCAL_EDIT, State.SUPPORTED, sentence, strength, numbers, chart, (region,), INNOCENT)
    return [claim, edit]


def _without_bars(grey: NDArray[Any], aspect: float) -> NDArray[Any]:
    """The band in the middle that has the picture's aspect ratio, upright or turned, if all round it is dark."""
    rows, columns = grey.shape
    for ratio in (aspect, 1 / aspect):
        band = _cut(grey, ratio)
        (y, x), (high, wide) = ((rows - band.shape[0]) // 2, (columns - band.shape[1]) // 2), band.shape
        outside = np.ones(grey.shape, bool)
        outside[y : y + high, x : x + wide] = False
        # Compression smears the picture's edge over up to two pixels of a bar.
        if outside.sum() > 4 * max(rows, columns) and np.percentile(grey[outside], 80) <= BAR:
            return grey[y + 1 : y + high - 1, x + 1 : x + wide - 1]
    return grey


def _scaled(grey: NDArray[Any]) -> Grey:
    """Float32, its longest side `SIDE`, lightly smoothed: thumbnails are sharpened in many ways."""
    factor = SIDE / max(grey.shape)
    columns, rows = (max(8, round(n * factor)) for n in grey.shape[::-1])
    small = cv2.resize(grey.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), 1.2), np.float32)


def _placed(whole: Grey, thumb: Grey) -> tuple[float, int, Grey]:
    """The best correlation of the picture, turned by quarters, with the thumbnail; the quarters; the turned picture.

    The picture is cut centrally to the thumbnail's aspect ratio, which some cameras do to theirs, if that is better.
    """
    found = []
    for turn in range(4):
        turned = np.rot90(whole, turn)
        for fitted in (turned, _cut(turned, _aspect(thumb))):
            resized = np.asarray(cv2.resize(fitted, thumb.shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
            found.append((_correlation(resized, thumb), turn, resized))
    return max(found, key=lambda one: one[0])


def _cut(grey: NDArray[Any], aspect: float) -> NDArray[Any]:
    """The middle of that aspect ratio (width by height), as large as it can be."""
    rows, columns = grey.shape
    wide, high = min(columns, round(rows * aspect)), min(rows, round(columns / aspect))
    y, x = (rows - high) // 2, (columns - wide) // 2
    return grey[y : y + high, x : x + wide]


def _aspect(grey: NDArray[Any]) -> float:
    return float(grey.shape[1] / grey.shape[0])


def _correlation(one: Grey, other: Grey) -> float:
    a, b = one - one.mean(), other - other.mean()
    return float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1e-6))


def _inside(whole: Grey, thumb: Grey) -> float:
    """The best correlation of the whole picture, reduced, with some place inside the thumbnail."""
    best = -1.0
    for scale in np.geomspace(0.3, 0.97, 24):
        factor = scale * min(thumb.shape[0] / whole.shape[0], thumb.shape[1] / whole.shape[1])
        columns, rows = (round(n * factor) for n in whole.shape[::-1])
        if min(rows, columns) < 16:
            continue
        small = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
        best = max(best, float(cv2.matchTemplate(thumb, small, cv2.TM_CCOEFF_NORMED).max()))
    return best


def _difference(fitted: Grey, thumb: Grey) -> Grey:
    """Grey levels by which the two differ once brightness and contrast are matched, over cells of 5×5.

    The match is a line through the pixels, and once more through the half of them nearest to it, so that a changed
    part does not bend it. Small misplacements do not count: the nearest of the neighbours one pixel away is compared.
    """
    near = np.ones(thumb.shape, bool)
    matched = thumb
    for _ in range(3):
        gain, level = np.polyfit(thumb[near], fitted[near], 1)
        matched = np.asarray(thumb * np.clip(gain, 0.5, 2.0) + level, np.float32)
        away = np.abs(matched - fitted)
        near = away <= np.median(away)
    low, high = ndimage.minimum_filter(matched, 3), ndimage.maximum_filter(matched, 3)
    apart = np.maximum(np.maximum(low - fitted, fitted - high), 0)
    return np.asarray(cv2.blur(apart, (5, 5)), np.float32)


def _part(apart: Grey, fitted: Grey, thumb: Grey) -> NDArray[np.bool_] | None:
    """The largest connected part that differs, if the rest of the picture agrees; else None."""
    labels, count = ndimage.label(apart > STRONG)
    if not count:
        return None
    sizes = np.bincount(labels.ravel())[1:]
    part = labels == int(sizes.argmax()) + 1
    rest = ~cv2.dilate(part.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
    if part.mean() < LEAST_PART or part.mean() > 0.4 or _correlation(fitted[rest], thumb[rest]) < SAME:
        return None
    return np.asarray(part, bool)


def _in_picture(part: NDArray[np.bool_], apart: Grey, turn: int, picture: Picture) -> tuple[Region, Map]:
    """The part as a region, and the difference as a map, in stored pixels."""
    height, width = picture.height, picture.width
    back = np.rot90(part, -turn).astype(np.uint8)
    mask = cv2.resize(np.ascontiguousarray(back), (width, height), interpolation=cv2.INTER_NEAREST)
    stride = max(1, -(-max(height, width) // SIDE))
    cells = (-(-width // stride), -(-height // stride))
    heat = cv2.resize(np.ascontiguousarray(np.rot90(apart, -turn)) / 64, cells, interpolation=cv2.INTER_AREA)
    return region_of(mask, picture.item.orientation), Map.of(heat, (height, width), stride)


def _outside(reason: str) -> Finding:
    return _finding(Question.CLAIMS, State.OUT_OF_DOMAIN, reason, 0.0, {})


def _finding(
    question: Question,
    state: State,
    sentence: str,
    strength: float,
    numbers: dict[str, Number],
    chart: Map | None = None,
    regions: tuple[Region, ...] = (),
    innocent: tuple[Innocent, ...] = (),
) -> Finding:
    return Finding(
        CARD.id, question, state, sentence, strength, map=chart, regions=regions, numbers=numbers, innocent=innocent,
        citation=CARD.citation,
    )  # fmt: skip
