"""The pictures a server is shown: the picture, the same with marked parts outlined, and close-ups; small JPEG files.

Made from pixels alone, so no metadata, thumbnail or file name goes along.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.explain import _vlm
from ifdl.signal.orientation import to_display
from ifdl.signal.regions import mask_of
from ifdl.types import Picture, Verdict

LONGEST = 1024  # pixels
CROPS = 4
OUTLINE = ((255, 255, 255), (0, 0, 0))  # seen on light and on dark


def exhibits(picture: Picture, verdict: Verdict, longest: int = LONGEST) -> list[tuple[str, bytes]]:
    """(what it shows, JPEG bytes), each with its longer side at most `longest`, as displayed."""
    plain = _vlm.shown(picture)
    made = [("the picture", jpeg(_reduced(plain, longest)))]
    parts = [(letter, _mask(picture, region)) for letter, region in _vlm.lettered(verdict)]
    if parts:
        small = _reduced(plain, longest)
        made.append(("the picture with the marked parts outlined and lettered", jpeg(_outlined(small, parts))))
    for letter, mask in parts[:CROPS]:
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        room = max(16, (rows[-1] - rows[0] + columns[-1] - columns[0]) // 8)
        top, left = max(0, rows[0] - room), max(0, columns[0] - room)
        crop = plain[top : rows[-1] + room, left : columns[-1] + room]
        made.append((f"part {letter} from nearby, without outline", jpeg(_reduced(crop, longest // 2))))
    return made


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels as a JPEG file without metadata."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])
    if not done:
        raise ValueError("the picture could not be written as JPEG")
    return bytes(data)


def _mask(picture: Picture, region: object) -> NDArray[np.bool_]:
    union = mask_of((region,), (picture.height, picture.width))  # type: ignore[arg-type]
    return np.asarray(to_display(union, picture.item.orientation), bool)


def _reduced(pixels: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    factor = longest / max(pixels.shape[:2])
    if factor >= 1:
        return np.ascontiguousarray(pixels)
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _outlined(pixels: NDArray[np.uint8], parts: list[tuple[str, NDArray[np.bool_]]]) -> NDArray[np.uint8]:
    drawn = pixels.copy()
    size = (pixels.shape[1], pixels.shape[0])
    for letter, mask in parts:
        small = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_AREA)
        lines = cv2.findContours(small, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
        for colour, width in zip(OUTLINE, (4, 2), strict=True):
            cv2.drawContours(drawn, lines, -1, colour, width)
        rows, columns = np.nonzero(small) if small.any() else np.nonzero(mask)
        place = (int(columns.min()), max(20, int(rows.min()) - 6))
        for colour, width in zip(OUTLINE, (5, 2), strict=True):
            cv2.putText(drawn, letter, place, cv2.FONT_HERSHEY_SIMPLEX, 0.8, colour, width, cv2.LINE_AA)
    return drawn
