"""One pure function from the bytes of a file to a Picture. Run it through `ifdl.intake.load` on strangers' files."""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import PIL
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError, features

from ifdl.intake import container, metadata, part, pdf
from ifdl.intake.convert import profile_name, to_rgb8
from ifdl.intake.errors import (
    Corrupt,
    Empty,
    FileTooLarge,
    IntakeError,
    MissingCodec,
    NoPixels,
    NoSuchPart,
    NotAPicture,
    OutOfMemory,
    TooManyPixels,
    Truncated,
    UnsupportedFormat,
)
from ifdl.intake.limits import Limits
from ifdl.intake.part import MAIN, Part
from ifdl.intake.sniff import EXTENSIONS, MEDIA_TYPES, announced_size, foreign_format, is_pdf, picture_format
from ifdl.signal.orientation import to_stored
from ifdl.types import Container, Item, Metadata, MetadataEntry, Picture, SubImage

# Everything the codecs were seen to raise on 6,000 malformed files; OSError alone is not enough.
DECODER_ERRORS = (
    OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError,
    EOFError, RuntimeError, AssertionError, NotImplementedError, struct.error, zlib.error,
)  # fmt: skip
# Writers that pad a scan leave a few bytes before a marker; a stream that lost its step leaves many.
MOST_STRAY_BYTES = 16
ANIMATIONS, DRAWN_OVER = ("GIF", "WEBP", "PNG"), ", as shown: drawn over the frames before it"
ADVICE_DAMAGED = "ask for the original file, or a copy that opens everywhere"


def decode(data: bytes, limits: Limits = Limits(), name: str = "picture", wanted: Part = MAIN) -> Picture:  # noqa: B008
    """Decode one picture of `data`, the main one by default, to stored pixels and everything the file says of itself.

    Format is decided by content. Raises a subclass of IntakeError for whatever cannot be read whole:
    a truncated or damaged file fails, nothing is filled in. Seconds and memory are the caller's
    business; pixels are checked against the header before any are decoded. Hashes and size in bytes are
    the file's; `data` of a further JPEG in it, such as a scanned page's, are that JPEG's own bytes.
    """
    form = _recognise(data, limits, name)
    announced = announced_size(data, form)
    if announced is not None:
        _check_size(*announced, limits, name)
    if form != "PDF" and wanted.picture is not None:
        raise NoSuchPart(name, "only a PDF has numbered pictures on a page; leave that number out.")
    structure = Container() if form == "PDF" else container.read(data, form, name)
    assert not ImageFile.LOAD_TRUNCATED_IMAGES, "truncated loading must stay off"
    Image.MAX_IMAGE_PIXELS = None  # our own limit is checked instead, on the header
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if form == "PDF":
                return _from_pdf(data, limits, name, wanted)
            if form == "JPEG" and wanted.page is not None:
                return _from_jpeg(data, structure, limits, name, wanted.page)
            return _decode(data, form, structure, limits, name, wanted.page)
    except IntakeError:
        raise
    except MemoryError:
        refusal: IntakeError = OutOfMemory(name, _memory_advice(limits))
    except DECODER_ERRORS as error:
        refusal = _refusal(error, name, limits)
    # Raised out here, where the failed attempt's frames, and the pixels they hold, are gone.
    raise refusal


def _recognise(data: bytes, limits: Limits, name: str) -> str:
    if not data:
        raise Empty(name, "the file is empty; download or copy it again.")
    if len(data) > limits.file_bytes:
        raise FileTooLarge(
            name, f"{len(data):,} bytes, over the limit of {limits.file_bytes:,}; raise the limit if you trust it."
        )
    form = "PDF" if is_pdf(data) else picture_format(data)
    if form is None:
        foreign = foreign_format(data)
        if foreign is not None:
            raise UnsupportedFormat(name, f"this is {foreign[0]}, which ifdl does not read; {foreign[1]}.")
        raise NotAPicture(
            name, f"its content is no picture format ifdl reads ({', '.join(MEDIA_TYPES)}); check that it is one."
        )
    if form == "AVIF" and not features.check("avif"):
        raise MissingCodec(name, "this build of Pillow reads no AVIF; install a Pillow wheel of version 11.3 or newer.")
    if form == "HEIF":
        try:
            import pillow_heif
        except ImportError as error:
            raise MissingCodec(name, 'HEIC pictures need an extra: pip install "ifdl[heif]".') from error
        pillow_heif.register_heif_opener()
    return form


def _from_jpeg(data: bytes, structure: Container, limits: Limits, name: str, number: int) -> Picture:
    """The main picture, or one of the complete JPEGs that follow it: MPO views, gain maps, appended pictures."""
    others = [s for s in structure.sub_images if s.kind in container.FOLLOWING]
    count = 1 + len(others)
    part.check(name, "picture", number, count)
    if number == 1:
        return _named(_decode(data, "JPEG", structure, limits, name), "picture", 1, count)
    place = others[number - 2]
    start, size = place.offset or 0, place.bytes or 0
    label = f"{name}, picture {number} of {count}"
    own = decode(data[start : start + size], limits, label)
    step = f"picture {number} of {count} in the file ({place.kind.replace('_', ' ')}), {size:,} bytes at byte {start:,}"
    return _within(data, own, (step,))


def _from_pdf(data: bytes, limits: Limits, name: str, wanted: Part) -> Picture:
    found = pdf.find(data, limits, name, wanted)
    if found.stream:
        own = decode(found.stream, limits, found.label)
        return _within(data, own, (found.step,), found.others, found.notes)
    assert found.image is not None
    pixels, _, steps = to_rgb8(found.image, found.label, 8)
    item = _item(data, "PDF", found.label, pixels, mode=found.image.mode, decoder=found.decoder,
                 conversion=(found.step, *steps), container=Container(sub_images=found.others),
                 metadata=Metadata(found.notes))  # fmt: skip
    return Picture(pixels, item, data)


def _within(
    data: bytes,
    own: Picture,
    steps: tuple[str, ...],
    others: tuple[SubImage, ...] = (),
    notes: tuple[MetadataEntry, ...] = (),
) -> Picture:
    """A picture decoded from its own bytes, as one of the file `data`: whoever checks a hash holds that file."""
    structure = replace(own.item.container, sub_images=(*own.item.container.sub_images, *others))
    said = replace(own.item.metadata, entries=(*own.item.metadata.entries, *notes))
    hashes = (hashlib.sha256(data).hexdigest(), hashlib.sha512(data).hexdigest())
    item = replace(own.item, sha256=hashes[0], sha512=hashes[1], bytes=len(data), container=structure, metadata=said,
                   conversion=(*steps, *own.item.conversion))  # fmt: skip
    return replace(own, item=item)


def _named(picture: Picture, kind: str, number: int, count: int, how: str = "") -> Picture:
    """The picture with words, in its name and among its facts, for which of the file's pictures it is."""
    if count <= 1:
        return picture
    which = f"{kind} {number} of {count}"
    item = replace(picture.item, name=f"{picture.item.name}, {which}",
                   conversion=(f"{which} in the file{how}", *picture.item.conversion))  # fmt: skip
    return replace(picture, item=item)


def _decode(
    data: bytes, form: str, structure: Container, limits: Limits, name: str, number: int | None = None
) -> Picture:
    image: Image.Image
    with Image.open(io.BytesIO(data), formats=[form]) as image:
        _check_size(image.width, image.height, limits, name)
        # A HEIF says itself which of its pictures is the main one.
        index = number - 1 if number is not None else image.tell() if form == "HEIF" else 0
        count = container.count(image)
        if number is not None:
            part.check(name, part.noun(form), number, max(1, count))
        structure = container.with_frames(structure, form, count, index)
        image.seek(index)
        _check_size(image.width, image.height, limits, name)
        stored_mode, icc = image.mode, image.info.get("icc_profile")
        said = metadata.read(data, form, image)
        # Pillow turns a TIFF upright while loading it, by the very code that getexif() gives here.
        turned = image.getexif().get(0x0112, 1) if form == "TIFF" else 1
        image.load()
        # Some formats only turn out to be larger than announced while loading (GIF frame extents).
        _check_size(image.width, image.height, limits, name)
        bit_depth = container.bit_depth(data, form, image)
        if form == "JPEG":
            structure = _check_entropy_data(data, structure, name)
        pixels, transparent, steps = to_rgb8(image, name, bit_depth)
    orientation = metadata.orientation(said, form)
    if turned in range(2, 9):
        pixels, orientation = to_stored(pixels, turned), turned
    profile = profile_name(icc)
    if profile and stored_mode not in ("CMYK", "LAB"):
        steps.append(f"ICC profile “{profile}” recorded, not applied")
    if form == "HEIF":
        steps.append("rotation and mirroring of the HEIF container, if any, applied by its decoder")
    if orientation != 1:
        steps.append(f"EXIF orientation {orientation} recorded, not applied")
    item = _item(data, form, name, pixels, orientation=orientation, mode=stored_mode, bit_depth=bit_depth,
                 conversion=tuple(steps), transparent=transparent, icc_profile=profile, decoder=decoder_of(form),
                 container=container.with_extension_note(structure, name, form, EXTENSIONS),
                 metadata=said)  # fmt: skip
    picture = Picture(pixels, item, data)
    if number is None:
        return picture
    return _named(picture, part.noun(form), number, count, DRAWN_OVER if form in ANIMATIONS and number > 1 else "")


def _item(data: bytes, form: str, name: str, pixels: NDArray[np.uint8], **facts: Any) -> Item:
    return Item(
        name=name,
        sha256=hashlib.sha256(data).hexdigest(),
        sha512=hashlib.sha512(data).hexdigest(),
        bytes=len(data),
        format=form,
        media_type=MEDIA_TYPES.get(form, "application/pdf"),
        width=int(pixels.shape[1]),
        height=int(pixels.shape[0]),
        **facts,
    )


def decoder_of(form: str) -> str:
    """The library whose rounding the pixels depend on."""
    library = {"JPEG": "libjpeg_turbo", "PNG": "zlib", "WEBP": "webp", "TIFF": "libtiff", "AVIF": "avif"}.get(form)
    version: Any = None
    if library == "libjpeg_turbo":
        version = features.version_feature(library)
    elif library in ("zlib", "libtiff"):
        version = features.version_codec("libtiff" if library == "libtiff" else "zlib")
    elif library:
        version = features.version_module(library)
    return f"Pillow {PIL.__version__}" + (f", {library} {version}" if version else "")


def _check_size(width: int, height: int, limits: Limits, name: str) -> None:
    if width <= 0 or height <= 0:
        raise NoPixels(name, f"the header announces {width}×{height} pixels; there is nothing to examine.")
    if width * height > limits.pixels:
        raise TooManyPixels(
            name,
            f"{width}×{height} is {width * height / 1e6:.0f} megapixels, over the limit of "
            f"{limits.pixels / 1e6:.0f}; raise it with --max-pixels if you trust the file.",
        )


def _check_entropy_data(data: bytes, structure: Container, name: str) -> Container:
    """Refuse a JPEG whose coded data libjpeg had to patch up; Pillow would not say so.

    A small-scale strict decode reads every code word, so a stream that was cut and closed with a
    fresh end marker is caught although it opens everywhere with a grey remainder.
    """
    try:
        colours = "CMYK" if "CMYK" in simplejpeg.decode_jpeg_header(data)[2].upper().replace("YCCK", "CMYK") else "GRAY"
        simplejpeg.decode_jpeg(data, colours, min_height=1, min_width=1, strict=True)
    except ValueError as error:
        message = str(error)
        lowered = message.lower()
        if "premature end" in lowered:
            raise Truncated(name, f"the picture data stop early ({message}); {ADVICE_DAMAGED}.") from error
        stray = container.EXTRANEOUS.search(lowered)
        if "huffman" in lowered or "instead of rst" in lowered or (stray and int(stray.group(1)) > MOST_STRAY_BYTES):
            raise Corrupt(name, f"the picture data are damaged ({message}); {ADVICE_DAMAGED}.") from error
        return container.with_warning(structure, message)
    return structure


def _memory_advice(limits: Limits) -> str:
    return (
        f"decoding needs more memory than the limit of {limits.memory / 1024**3:.1f} GiB; "
        "raise it with --max-memory if you trust the file."
    )


def _refusal(error: BaseException, name: str, limits: Limits) -> IntakeError:
    text = " ".join(str(error).split())[:200] or type(error).__name__
    if isinstance(error, UnidentifiedImageError):
        text = "its header cannot be read"
    lowered = text.lower()
    if "memory" in lowered or "malloc" in lowered:
        return OutOfMemory(name, _memory_advice(limits))
    if any(w in lowered for w in ("truncated", "premature", "end of file", "unexpected eof", "not enough data")):
        return Truncated(name, f"the file ends before its picture does ({text}); {ADVICE_DAMAGED}.")
    if "unsupported" in lowered or "not supported" in lowered or "unknown" in lowered:
        return UnsupportedFormat(
            name, f"this variant of its format is not read ({text}); convert it to PNG without resizing."
        )
    return Corrupt(name, f"the file is damaged ({text}); {ADVICE_DAMAGED}.")
