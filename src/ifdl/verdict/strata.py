"""Which kind of file a picture is: error rates differ between these kinds.

The first rule that fits decides, from facts of the file; only for a screenshot, pixels must agree. None of it says how
the picture came about: a file can be written to look like any of these. Photographs of a screen are not told from
others: what a screen's grid leaves in them could not be measured on real ones.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ifdl.evidence._metadata_words import SCREENSHOT, SIGNING, SOURCE_TYPE, program
from ifdl.signal import flat, jpeg
from ifdl.types import Item, Picture

LARGE = 1600  # long side in pixels: services that reduce photographs stay at or below it more often than not
# Long and short side in pixels of computers', phones' and tablets' screens.
DISPLAYS = frozenset({
    (1280, 720), (1280, 800), (1280, 1024), (1360, 768), (1366, 768), (1440, 900), (1536, 864), (1600, 900),
    (1680, 1050), (1920, 1080), (1920, 1200), (2048, 1152), (2256, 1504), (2560, 1080), (2560, 1440), (2560, 1600),
    (2560, 1664), (2880, 1620), (2880, 1800), (2880, 1864), (3024, 1964), (3200, 1800), (3440, 1440), (3456, 2234),
    (3840, 1600), (3840, 2160), (3840, 2400), (4480, 2520), (5120, 1440), (5120, 2160), (5120, 2880),
    (960, 540), (960, 640), (1136, 640), (1334, 750), (1792, 828), (2208, 1242), (2340, 1080), (2436, 1125),
    (2532, 1170), (2556, 1179), (2622, 1206), (2688, 1242), (2736, 1260), (2778, 1284), (2796, 1290), (2868, 1320),
    (1480, 720), (1520, 720), (1544, 720), (1560, 720), (1600, 720), (1612, 720), (1650, 720), (2160, 1080),
    (2220, 1080), (2244, 1080), (2246, 1080), (2248, 1080), (2280, 1080), (2310, 1080), (2312, 1080), (2316, 1080),
    (2376, 1080), (2388, 1080), (2400, 1080), (2408, 1080), (2412, 1080), (2424, 1080), (2460, 1080), (2520, 1080),
    (2640, 1080), (2408, 1220), (2670, 1200), (2700, 1224), (2712, 1220), (2772, 1240), (2800, 1260), (2880, 1440),
    (2960, 1440), (2992, 1344), (3040, 1440), (3088, 1440), (3120, 1440), (3168, 1440), (3200, 1440), (3216, 1440),
    (3840, 1644), (2048, 1536), (2160, 1620), (2224, 1668), (2266, 1488), (2360, 1640), (2388, 1668), (2420, 1668),
    (2732, 2048), (2752, 2064), (2000, 1200), (2304, 1440), (2560, 1700), (2736, 1824), (2960, 1848), (2800, 1752),
})  # fmt: skip
# Of 981 authentic pictures (542 crops and scenes of 165 camera photographs, 439 pictures of CASIA and Lalonde), 47 are
# flat enough, most of them night pictures and clipped skies, and not one has a single such edge.
FLAT = 0.25  # share of pixels equal to those to the left and above
EDGES = 1.0  # length of straight edges between flat colours, in short sides of the picture
RUN, STEP = 64, 8  # pixels of one colour on either side of an edge, and grey levels across it


class Stratum(StrEnum):
    """Kinds of files, as an examiner meets them."""

    CAMERA_ORIGINAL = "camera original"
    RESAVED = "re-saved"
    REDUCED = "reduced"
    SCREENSHOT = "screenshot"
    OTHER = "other"


def stratum_of(picture: Picture) -> Stratum:
    """The stratum of a decoded picture.

    - screenshot: no camera's name in its Exif, and either the file calls itself one, or its size is a screen's, much of
      it is exactly flat and long straight edges part flat colours, as windows and menus do (a photograph shown on a
      full screen is not recognised);
    - reduced: any format, long side of at most 1,600 pixels;
    - re-saved: a larger JPEG that is progressive, or has Adobe's or the standard tables and no camera's Exif first;
    - camera original: a larger JPEG with tables of its own, or with a camera's Exif as its first segment;
    - other: everything else, such as large PNG, WebP, HEIF and TIFF files.
    """
    item = picture.item
    long, short = max(item.width, item.height), max(1, min(item.width, item.height))
    camera = bool(item.metadata.get("EXIF", "Make") and item.metadata.get("EXIF", "Model"))
    if not camera and (_says_so(item) or ((long, short) in DISPLAYS and _drawn(picture.pixels))):
        return Stratum.SCREENSHOT
    if long <= LARGE:
        return Stratum.REDUCED
    if item.format != "JPEG":
        return Stratum.OTHER
    return _large_jpeg(item, camera)


def _large_jpeg(item: Item, camera: bool) -> Stratum:
    container = item.container
    luma, chroma = jpeg.tables_of(container.quantisation, container.component_tables)
    if luma is None:
        return Stratum.OTHER
    family = jpeg.family(luma, chroma, container.markers)
    if container.progressive or family is jpeg.Family.ADOBE:
        return Stratum.RESAVED
    exif_first = container.markers[1:2] == ("APP1:Exif",)
    if family is jpeg.Family.CUSTOM or (camera and exif_first):
        return Stratum.CAMERA_ORIGINAL
    return Stratum.RESAVED


def _says_so(item: Item) -> bool:
    """Whether the file calls itself a screenshot, or names a program that takes them."""
    for entry in item.metadata.entries:
        text = entry.value.strip().lower()
        if entry.name in ("UserComment", "exif:UserComment[1]") and text == "screenshot":
            return True
        if SOURCE_TYPE.search(entry.name) and text.rstrip("/").endswith("/screencapture"):
            return True
        if SIGNING.search(entry.name) and program(entry.value) == SCREENSHOT:
            return True
    return False


def _drawn(pixels: NDArray[np.uint8]) -> bool:
    """Whether a program drew this: large parts of exactly one colour, with straight edges between them."""
    if flat.share(pixels) < FLAT:
        return False
    code = flat.colour_code(pixels)
    length = _edges(code, pixels) + _edges(np.ascontiguousarray(code.T), pixels.transpose(1, 0, 2))
    return bool(length >= EDGES * min(code.shape))


def _edges(code: NDArray[np.uint32], pixels: NDArray[np.uint8]) -> int:
    """Length in pixels of horizontal edges with `RUN` pixels of one colour above and of another one below."""
    height, runs = code.shape[0], code.shape[1] // RUN
    row = code[:, : runs * RUN].reshape(height, runs, RUN)
    plain = (row == row[:, :, :1]).all(axis=2)
    colour = pixels[:, : runs * RUN : RUN].astype(np.int16)
    step = np.abs(colour[1:] - colour[:-1]).max(axis=2) >= STEP
    return int(np.count_nonzero(plain[1:] & plain[:-1] & step)) * RUN
