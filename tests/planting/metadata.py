"""Plants a contradiction, an editor's or a generator's name in a file's metadata; the picture stays as it is.

EXIF is built by Pillow, XMP packets and Photoshop's IPTC blocks are put together by hand, PNG text by
Pillow's PngInfo: none of it by the reader under test. The clean sibling carries the same camera's
metadata without the planted statement.
"""

from __future__ import annotations

import io
import struct
from datetime import datetime, timedelta

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ifdl.types import Question
from tests.planting import Planted

CAMERAS = (
    ("Canon", "Canon EOS 80D", "Firmware Version 1.0.3"),
    ("NIKON CORPORATION", "NIKON D90", "Ver.1.00 "),
    ("SONY", "ILCE-7M3", "ILCE-7M3 v3.10"),
    ("Apple", "iPhone 12", "15.4.1"),
    ("samsung", "SM-G991B", "G991BXXU3AUE1"),
    ("FUJIFILM", "X-T3", "Digital Camera X-T3 Ver3.20"),
    ("Google", "Pixel 7", "HDR+ 1.0.345618096zd"),
)
KINDS = {
    "size": Question.CLAIMS,
    "swapped": Question.CLAIMS,
    "model": Question.CLAIMS,
    "xmp model": Question.CLAIMS,
    "order": Question.CLAIMS,
    "impossible": Question.CLAIMS,
    "satellite": Question.CLAIMS,
    "source type": Question.CLAIMS,
    "software": Question.HISTORY,
    "history": Question.HISTORY,
    "originating": Question.HISTORY,
    "photoshop": Question.HISTORY,
    "later": Question.HISTORY,
    "trained": Question.SYNTHETIC_ORIGIN,
    "partly": Question.SYNTHETIC_ORIGIN,
    "parameters": Question.SYNTHETIC_ORIGIN,
    "workflow": Question.SYNTHETIC_ORIGIN,
    "comment": Question.SYNTHETIC_ORIGIN,
    "job": Question.SYNTHETIC_ORIGIN,
    "credit": Question.SYNTHETIC_ORIGIN,
}
EDITORS = (
    "Adobe Photoshop 22.1 (Windows)",
    "Adobe Photoshop Lightroom Classic 12.0 (Macintosh)",
    "GIMP 2.10.30",
    "Snapseed 2.0",
    "PicsArt",
    "Pixelmator Pro 3.5",
    "Affinity Photo 2.1",
    "paint.net 5.0",
)
RECIPE = "a quiet harbour\nNegative prompt: people\nSteps: 28, Sampler: DPM++ 2M, CFG scale: 7, Seed: 1, Size: 512x512"
TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def plant(host: bytes, donor: bytes | None, rng: np.random.Generator, kind: str | None = None) -> Planted | None:
    """Edited and clean file of the host; `kind` is one of `KINDS`, by chance if None. The donor is not needed."""
    kind = kind or str(rng.choice(list(KINDS)))
    width, height = Image.open(io.BytesIO(host)).size
    if width < 16 or height < 16 or (kind == "swapped" and width == height):
        return None
    make, model, firmware = CAMERAS[int(rng.integers(len(CAMERAS)))]
    taken = datetime(2021, 3, 4, 10, 20, 30) + timedelta(minutes=int(rng.integers(500_000)))
    base = {
        "make": make,
        "model": model,
        "software": firmware,
        "taken": taken,
        "changed": taken,
        "size": (width, height),
    }
    said, packet, block, texts = dict(base), "", b"", {}
    if kind == "size":
        said["size"] = (width * 2 + int(rng.integers(9)), height * 2)
    elif kind == "swapped":
        said["size"] = (height, width)
    elif kind == "model":
        said["model"] = "NIKON D750" if make == "Canon" else "Canon EOS R5"
    elif kind == "xmp model":
        packet = xmp(f'tiff:Make="{make}" tiff:Model="Other 3000"')
    elif kind == "order":
        said["changed"] = taken - timedelta(days=int(rng.integers(2, 400)))
    elif kind == "impossible":
        said["taken"] = "2021:14:04 10:20:30"
    elif kind == "satellite":
        said["satellite"] = taken + timedelta(days=int(rng.integers(3, 300)))
    elif kind == "source type":
        packet, texts = xmp(source="digitalCapture"), {"parameters": RECIPE}
    elif kind == "software":
        said["software"] = EDITORS[int(rng.integers(len(EDITORS)))]
    elif kind == "history":
        packet = xmp(events=("created", "saved", "saved"))
    elif kind == "originating":
        block = photoshop(((65, b"Adobe Photoshop"), (5, b"Harbour")))
    elif kind == "photoshop":
        block = resource(0x0406, b"\0\x0a\0\0\0\1\0") + resource(0x0421, b"\0" * 14)
    elif kind == "later":
        said["changed"] = taken + timedelta(days=int(rng.integers(2, 400)))
    elif kind in ("trained", "partly"):
        packet = xmp(source="trainedAlgorithmicMedia" if kind == "trained" else "compositeWithTrainedAlgorithmicMedia")
    elif kind == "parameters":
        texts = {"parameters": RECIPE}
    elif kind == "workflow":
        texts = {"prompt": '{"3": {"class_type": "KSampler", "inputs": {"seed": 5}}}'}
    elif kind == "comment":
        said["comment"] = b"UNICODE\0" + RECIPE.encode("utf-16-be")
    elif kind == "job":
        texts = {"Description": "a quiet harbour --v 6.0 Job ID: 0a1b2c3d-1111-2222-3333-444455556666"}
    elif kind == "credit":
        block = photoshop(((110, b"Made with Google AI"),))
    if texts:
        return Planted(as_png(host, exif(**said), packet, texts), as_png(host, exif(**base), "", {}))
    return Planted(as_jpeg(host, exif(**said), packet, block), as_jpeg(host, exif(**base)))


def exif(
    make: str = "",
    model: str = "",
    software: str = "",
    taken: datetime | str | None = None,
    changed: datetime | None = None,
    size: tuple[int, int] | None = None,
    satellite: datetime | None = None,
    comment: bytes = b"",
    orientation: int = 0,
) -> bytes:
    """An EXIF block by Pillow."""
    tags = Image.Exif()
    details: dict[int, object] = {}
    for number, text in ((0x010F, make), (0x0110, model), (0x0131, software), (0x0132, changed)):
        if text:
            tags[number] = text.strftime("%Y:%m:%d %H:%M:%S") if isinstance(text, datetime) else text
    if orientation:
        tags[0x0112] = orientation
    if taken:
        written = taken if isinstance(taken, str) else taken.strftime("%Y:%m:%d %H:%M:%S")
        details[0x9003] = details[0x9004] = written
    if size:
        details[0xA002], details[0xA003] = size
    if comment:
        details[0x9286] = comment
    if details:
        tags._ifds[0x8769] = details
    if satellite:
        tags._ifds[0x8825] = {
            7: (float(satellite.hour), float(satellite.minute), 0.0), 29: satellite.strftime("%Y:%m:%d"),
        }  # fmt: skip
    return tags.tobytes()


def xmp(attributes: str = "", source: str = "", events: tuple[str, ...] = ()) -> str:
    """A hand-written XMP packet."""
    inner = f'<Iptc4xmpExt:DigitalSourceType rdf:resource="{TYPES}{source}"/>' if source else ""
    if events:
        steps = "".join(
            f'<rdf:li stEvt:action="{e}" stEvt:softwareAgent="Adobe Photoshop 22.1 (Windows)"/>' for e in events
        )
        inner += f"<xmpMM:History><rdf:Seq>{steps}</rdf:Seq></xmpMM:History>"
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
        ' xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"'
        f' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" {attributes}>{inner}'
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )


def resource(number: int, body: bytes) -> bytes:
    """One Photoshop image resource without a name."""
    return b"8BIM" + struct.pack(">HHI", number, 0, len(body)) + body + b"\0" * (len(body) & 1)


def photoshop(datasets: tuple[tuple[int, bytes], ...], utf8: bool = False) -> bytes:
    """An IPTC block of record 2 in its Photoshop resource."""
    iim = b"\x1c\x01\x5a\0\3\x1b%G" if utf8 else b""
    iim += b"".join(b"\x1c\x02" + struct.pack(">BH", number, len(text)) + text for number, text in datasets)
    return resource(0x0404, iim)


def as_jpeg(host: bytes, block: bytes = b"", packet: str = "", resources: bytes = b"", comment: bytes = b"") -> bytes:
    """The JPEG with these segments right after its start marker; its other bytes are untouched."""
    parts = []
    for marker, body in (
        (0xE1, block),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet.encode() if packet else b""),
        (0xED, b"Photoshop 3.0\0" + resources if resources else b""),
        (0xFE, comment),
    ):
        if body:
            parts.append(b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body)
    return host[:2] + b"".join(parts) + host[2:]


def as_png(host: bytes, block: bytes = b"", packet: str = "", texts: dict[str, str] | None = None) -> bytes:
    """The picture as PNG with an eXIf chunk and text."""
    notes = PngInfo()
    if packet:
        notes.add_itxt("XML:com.adobe.xmp", packet)
    for key, text in (texts or {}).items():
        notes.add_text(key, text, zip=len(text) > 60)
    buffer = io.BytesIO()
    Image.open(io.BytesIO(host)).save(buffer, "PNG", pnginfo=notes, exif=block or None, compress_level=1)
    return buffer.getvalue()
