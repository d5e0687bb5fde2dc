"""Pictures inside a PDF, by PDFium (extra `pdf`): a scanned page's own picture, else the page drawn at a bounded size.

Call it in the decoding process only: a PDF is a stranger's program. Scripts are not run, forms are not filled in, and
nothing is fetched. A JPEG comes out as its own bytes, so that its tables survive. Source: ISO 32000-1, 8.9 (images).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from PIL import Image

from ifdl.intake import exif, part
from ifdl.intake.errors import Corrupt, MissingCodec, NoPixels, TooManyPixels, UnsupportedFormat
from ifdl.intake.limits import Limits
from ifdl.intake.part import Part
from ifdl.types import MetadataEntry, SubImage

MOST_PARTS = 50  # examined where no page was named
MOST_PAGES = 500  # searched for them
MOST_OBJECTS = 20_000  # looked at on one page
MOST_LISTED = 64
SMALLEST = 32  # pixels; rules, bullets and icons are no pictures to examine
DOTS, LONGEST = 200.0, 3000.0  # of a drawn page: dots per inch, and pixels of its long side at most
COVERS = 0.8  # a picture with at least this share of the page is the page
UNSEEN_TEXT = 3  # text rendering mode (ISO 32000-1, table 106): what character recognition lays over a scan
NOTES = ("Producer", "Creator", "CreationDate", "ModDate")


@dataclass(frozen=True, eq=False)
class Found:
    """One part: the bytes of a JPEG (`stream`) or its samples (`image`), with words for where they come from."""

    label: str
    step: str
    decoder: str
    stream: bytes = b""
    image: Image.Image | None = None
    others: tuple[SubImage, ...] = ()
    notes: tuple[MetadataEntry, ...] = ()


@dataclass(frozen=True)
class Outline:
    """The parts to examine where none was named, and a sentence on those left out (empty if none was)."""

    parts: tuple[Part, ...]
    note: str = ""


def outline(data: bytes, name: str) -> Outline:
    """Every distinct picture in the document; where there is none, every page.

    Raises IntakeError for a document that cannot be opened.
    """
    with _opened(data, name) as document:
        pages, count = min(len(document), MOST_PAGES), len(document)
        found: list[Part] = []
        seen: set[tuple[tuple[int, int], bytes]] = set()
        for number in range(1, pages + 1):
            page = document[number - 1]
            images = _images(page)
            whole = _scan(page, images)
            for place, image in enumerate(images, 1):
                size = image.get_px_size()
                mark = (size, hashlib.sha256(image.get_data()).digest())
                if min(size) >= SMALLEST and mark not in seen:
                    found.append(Part(number, None if whole is not None else place))
                seen.add(mark)
            page.close()
            if len(found) > MOST_PARTS:
                break
        what = "pictures" if found else "pages"
        parts = tuple(found or (Part(n) for n in range(1, pages + 1)))
        if len(parts) <= MOST_PARTS and pages == count:
            return Outline(parts)
        shown = parts[:MOST_PARTS]
        note = f"only the first {len(shown)} {what} of its {count} pages are examined; name others with --page."
        return Outline(shown, note)


def find(data: bytes, limits: Limits, name: str, wanted: Part) -> Found:
    """The picture a page consists of, or one of those on it, or the page drawn; page 1 where none is named.

    Raises IntakeError: NoSuchPart, TooManyPixels, Corrupt, and UnsupportedFormat for a locked document.
    """
    number = wanted.page or 1
    with _opened(data, name) as document:
        from pypdfium2 import PDFIUM_INFO

        count = len(document)
        part.check(name, "page", number, count)
        label, where = f"{name}, page {number} of {count}", f"page {number} of {count} of the PDF"
        page = document[number - 1]
        images = _images(page)
        chosen = _scan(page, images)
        if wanted.picture is not None:
            part.check(name, "picture", wanted.picture, len(images), f"page {number}")
            label += f", picture {wanted.picture} of {len(images)}"
            where = f"picture {wanted.picture} of {len(images)} on {where}"
            chosen = images[wanted.picture - 1]
        stream, image = b"", None
        if chosen is None:
            image, step = _drawn(page, limits, label), f"{where}, drawn at {DOTS:g} dpi or less by PDFium"
        else:
            stream, image, step = _extracted(chosen, limits, label, where)
        listed = (n for n in range(1, count + 1) if n != number)
        others = tuple(SubImage("page", note=f"page {n} of {count}") for n in islice(listed, MOST_LISTED))
        said = document.get_metadata_dict(skip_empty=True)
        notes = tuple(MetadataEntry("PDF", n, exif.shorten(said[n])) for n in NOTES if said.get(n))
        return Found(label, step, f"PDFium {PDFIUM_INFO}", stream, image, others, notes)


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[Any]:
    try:
        import pypdfium2
    except ImportError as error:
        raise MissingCodec(name, 'PDF documents need an extra: pip install "ifdl[pdf]".') from error
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (pypdfium2.raw.FPDF_ERR_PASSWORD, pypdfium2.raw.FPDF_ERR_SECURITY):
            reason = "the PDF is locked with a password; save a copy without one and examine that."
            raise UnsupportedFormat(name, reason) from error
        raise Corrupt(name, "the PDF cannot be opened: it is damaged; ask for another copy.") from error
    try:
        if not len(document):
            raise NoPixels(name, "the PDF has no pages; there is nothing to examine.")
        yield document
    except pypdfium2.PdfiumError as error:
        raise Corrupt(name, f"the PDF is damaged ({exif.shorten(str(error), 120)}); ask for another copy.") from error
    finally:
        document.close()


def _images(page: Any) -> list[Any]:
    from pypdfium2 import raw

    return [o for o in islice(page.get_objects(), MOST_OBJECTS) if o.type == raw.FPDF_PAGEOBJ_IMAGE]


def _scan(page: Any, images: list[Any]) -> Any | None:
    """The one picture a page consists of; None where there are several, or anything else is seen beside it."""
    if len(images) != 1 or any(map(_seen, islice(page.get_objects(), MOST_OBJECTS))) or _annotated(page):
        return None
    outermost = images[0]
    while outermost.container is not None:
        outermost = outermost.container
    left, bottom, right, top = outermost.get_bounds()
    width, height = page.get_size()
    if page.get_rotation() in (90, 270):
        width, height = height, width
    return images[0] if (right - left) * (top - bottom) >= COVERS * width * height else None


def _seen(one: Any) -> bool:
    """Whether an object other than a picture leaves marks on the page."""
    import ctypes

    from pypdfium2 import raw

    if one.type == raw.FPDF_PAGEOBJ_TEXT:
        return int(raw.FPDFTextObj_GetTextRenderMode(one)) != UNSEEN_TEXT
    if one.type == raw.FPDF_PAGEOBJ_PATH:
        fill, stroke = ctypes.c_int(), ctypes.c_int()
        return not raw.FPDFPath_GetDrawMode(one, fill, stroke) or bool(fill.value or stroke.value)
    return bool(one.type == raw.FPDF_PAGEOBJ_SHADING)


def _annotated(page: Any) -> bool:
    """Whether anything but links lies over the page: stamps, notes, form fields, signatures."""
    from pypdfium2 import raw

    for number in range(min(int(raw.FPDFPage_GetAnnotCount(page)), MOST_OBJECTS)):
        annotation = raw.FPDFPage_GetAnnot(page, number)
        kind = raw.FPDFAnnot_GetSubtype(annotation)
        raw.FPDFPage_CloseAnnot(annotation)
        if kind not in (raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP):
            return True
    return False


def _drawn(page: Any, limits: Limits, label: str) -> Image.Image:
    width, height = page.get_size()
    if not (width > 0 and height > 0):
        raise NoPixels(label, "the page has no size; there is nothing to examine.")
    scale = min(DOTS / 72, LONGEST / max(width, height), (limits.pixels / (width * height)) ** 0.5 * 0.99)
    return _as_pillow(page.render(scale=scale))


def _extracted(image: Any, limits: Limits, label: str, where: str) -> tuple[bytes, Image.Image | None, str]:
    filters = image.get_filters(skip_simple=True)
    if filters == ["DCTDecode"]:
        stream = bytes(image.get_data(decode_simple=True))
        if not stream.startswith(b"\xff\xd8\xff"):
            raise Corrupt(label, "the document says that this picture is a JPEG, and it is none.")
        digest = hashlib.sha256(stream).hexdigest()
        return stream, None, f"{where}: its own JPEG stream of {len(stream):,} bytes, sha256 {digest}"
    width, height = image.get_px_size()
    if width <= 0 or height <= 0:
        raise NoPixels(label, f"the document announces {width}×{height} pixels; there is nothing to examine.")
    if width * height > limits.pixels:
        raise TooManyPixels(
            label,
            f"{width}×{height} is {width * height / 1e6:.0f} megapixels, over the limit of "
            f"{limits.pixels / 1e6:.0f}; raise it with --max-pixels if you trust the file.",
        )
    how = ", ".join(filters) or "no lossy coding"
    return (
        b"",
        _as_pillow(image.get_bitmap()),
        f"{where}: stored with {how}, brought to 8 bits by PDFium, masks set aside",
    )


def _as_pillow(bitmap: Any) -> Image.Image:
    made: Image.Image = bitmap.to_pil()
    made.load()
    return made if made.mode in ("L", "RGB") else made.convert("RGB")
