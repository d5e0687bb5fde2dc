"""Which kind of file a picture is, from facts of the file alone: error rates differ between these kinds.

The first rule that fits decides. Nothing here looks at what the picture shows, and none of it says how the
picture came about: a file can be written to look like any of these.
"""

from __future__ import annotations

from enum import StrEnum

from ifdl.signal import jpeg
from ifdl.types import Item, Picture

LARGE = 1600  # long side in pixels: services that reduce photographs stay at or below it more often than not
SMALLEST_SCREEN = 640  # long side in pixels
# Long side by short side of computer and phone screens that few cameras share; 4:3 and 3:2 are the cameras' own.
SCREENS = (16 / 9, 16 / 10, 18 / 9, 18.5 / 9, 19 / 9, 19.5 / 9, 20 / 9, 21 / 9)
NEAR = 0.01  # relative


class Stratum(StrEnum):
    """Kinds of files, as an examiner meets them."""

    CAMERA_ORIGINAL = "camera original"
    RESAVED = "re-saved"
    REDUCED = "reduced"
    SCREENSHOT = "screenshot"
    OTHER = "other"


def stratum_of(picture: Picture) -> Stratum:
    """The stratum of a decoded picture.

    - screenshot: lossless (PNG, BMP, GIF), of a screen's proportions, without a camera's name in its Exif;
    - reduced: any format, long side of at most 1,600 pixels;
    - re-saved: a larger JPEG that is progressive, or has Adobe's or the standard tables and no camera's Exif first;
    - camera original: a larger JPEG with tables of its own, or with a camera's Exif as its first segment;
    - other: everything else, such as large PNG, WebP, HEIF and TIFF files.
    """
    item = picture.item
    long, short = max(item.width, item.height), max(1, min(item.width, item.height))
    camera = bool(item.metadata.get("EXIF", "Make") and item.metadata.get("EXIF", "Model"))
    lossless = item.format in ("PNG", "BMP", "GIF")
    screen = long >= SMALLEST_SCREEN and any(abs(long / short / s - 1) <= NEAR for s in SCREENS)
    if lossless and screen and not camera:
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
