"""Pictures in PDF documents: their own bytes where they are scans, drawn pages where not, refusals that help."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from PIL import Image

from ifdl import intake
from ifdl.intake import pdf
from ifdl.intake.errors import IntakeError
from ifdl.intake.part import Part
from tests.intake import hostile

pytest.importorskip("pypdfium2", reason="the pdf extra is not installed")
DECODER = intake.Decoder()
SIDE = (300, 200)  # points
WHOLE = f"q {SIDE[0]} 0 0 {SIDE[1]} 0 0 cm /P0 Do Q"
HIDDEN_TEXT, TEXT = "BT 3 Tr /F 9 Tf 20 20 Td (read by a scanner) Tj ET", "BT /F 40 Tf 20 20 Td (EUR 900) Tj ET"


@pytest.fixture(autouse=True, scope="module")
def _end() -> Iterator[None]:
    yield
    DECODER.close()


def load(data: bytes, page: int | None = None, picture: int | None = None, name: str = "scan.pdf"):  # type: ignore[no-untyped-def]
    return DECODER.decode(data, name, Part(page, picture))


def jpeg(n: int = 0, quality: int = 87) -> bytes:
    shown = np.roll(hostile.scene((240, 160)), 40 * n, axis=1)
    return hostile.saved("JPEG", Image.fromarray(shown), quality=quality, subsampling=0)


def written(pages: Sequence[tuple[str, Sequence[tuple[str, bytes, tuple[int, int]]]]], extra: str = "") -> bytes:
    """A PDF put together by hand: for each page its drawing operators and (filter, bytes, size) of /P0, /P1, …"""
    objects: list[bytes] = [b"", b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    kids = []
    for operators, pictures in pages:
        names = ""
        for k, (how, data, (width, height)) in enumerate(pictures):
            head = (
                f"<</Type/XObject/Subtype/Image/Width {width}/Height {height}/BitsPerComponent 8/ColorSpace/DeviceRGB"
                f"/Filter{how}/Length {len(data)}>>stream\n"
            )
            objects.append(head.encode() + data + b"\nendstream")
            names += f"/P{k} {len(objects) + 1} 0 R"
        body = operators.encode()
        objects.append(f"<</Length {len(body)}>>stream\n".encode() + body + b"\nendstream")
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {SIDE[0]} {SIDE[1]}]/Contents {len(objects) + 1} 0 R"
            f"/Resources<</Font<</F 3 0 R>>/XObject<<{names}>>>>{extra}>>".encode()
        )
        kids.append(f"{len(objects) + 1} 0 R")
    objects[0] = f"<</Type/Pages/Kids[{' '.join(kids)}]/Count {len(kids)}>>".encode()
    out, places = b"%PDF-1.7\n", []
    about = b"<</Producer(Scanner 9)>>"
    for number, body in enumerate([b"<</Type/Catalog/Pages 2 0 R>>", *objects, about], 1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = b"".join(f"{at:010d} 00000 n \n".encode() for at in places)
    count = len(places) + 1
    tail = f"trailer<</Root 1 0 R/Size {count}/Info {count - 1} 0 R>>\nstartxref\n{len(out)}\n%%EOF"
    return out + f"xref\n0 {count}\n0000000000 65535 f \n".encode() + table + tail.encode()


def as_jpeg(n: int = 0) -> tuple[str, bytes, tuple[int, int]]:
    return "/DCTDecode", jpeg(n), (240, 160)


def test_a_scanned_page_is_its_own_jpeg() -> None:
    data = written([(WHOLE, [as_jpeg(n)]) for n in range(3)])
    for number in (1, 2, 3):
        shown = load(data, number)
        own = intake.decode(jpeg(number - 1))
        assert shown.data == jpeg(number - 1) and np.array_equal(shown.pixels, own.pixels)
        assert shown.item.container.quantisation == own.item.container.quantisation
        assert shown.item.name == f"scan.pdf, page {number} of 3" and shown.item.format == "JPEG"
        assert shown.item.bytes == len(data) and "own JPEG stream" in shown.item.conversion[0]
        assert [s.note for s in shown.item.container.sub_images] == [f"page {n} of 3" for n in (1, 2, 3) if n != number]
        assert shown.item.metadata.get("PDF", "Producer") == "Scanner 9"
    assert load(data).item.name == "scan.pdf, page 1 of 3", "without a number it is the first"


def test_a_jpeg_inside_another_coding_comes_out_as_itself() -> None:
    import zlib

    packed = ("[/FlateDecode/DCTDecode]", zlib.compress(jpeg()), (240, 160))
    assert load(written([(WHOLE, [packed])])).data == jpeg()


def test_words_that_nobody_sees_leave_a_scan_a_scan() -> None:
    assert load(written([(f"{WHOLE} {HIDDEN_TEXT}", [as_jpeg()])])).data == jpeg()


@pytest.mark.parametrize(
    ("operators", "extra"),
    [
        (f"{WHOLE} {TEXT}", ""),
        (f"{WHOLE} 1 0 0 rg 10 10 50 50 re f", ""),
        ("q 150 0 0 100 20 20 cm /P0 Do Q", ""),
        (WHOLE, "/Annots[<</Type/Annot/Subtype/Square/Rect[20 20 90 90]/IC[1 0 0]/C[1 0 0]>>]"),
    ],
    ids=["text over it", "a patch over it", "half the page", "a note over it"],
)
def test_a_page_with_more_than_a_scan_is_drawn(operators: str, extra: str) -> None:
    data = written([(operators, [as_jpeg()])], extra)
    shown = load(data)
    assert shown.item.format == "PDF" and "drawn" in shown.item.conversion[0] and "PDFium" in shown.item.decoder
    assert (shown.width, shown.height) == (834, 556), "200 dots per inch"
    assert shown.data == data
    assert load(data, 1, 1).data == jpeg(), "the picture itself can still be named"


def test_drawing_shows_what_a_reader_sees() -> None:
    shown = load(written([("1 0 0 rg 0 0 150 200 re f", [])]))
    assert tuple(shown.pixels[300, 100]) == (255, 0, 0) and tuple(shown.pixels[300, 700]) == (255, 255, 255)


def test_a_picture_without_loss_keeps_its_samples() -> None:
    import zlib

    scene = hostile.scene((240, 160))
    shown = load(written([(WHOLE, [("/FlateDecode", zlib.compress(scene.tobytes()), (240, 160))])]))
    assert np.array_equal(shown.pixels, scene) and shown.item.format == "PDF"
    assert "no lossy coding" in shown.item.conversion[0]


def test_outline_lists_pictures_once_and_leaves_bullets_out() -> None:
    import zlib

    bullet = ("/FlateDecode", zlib.compress(bytes(8 * 8 * 3)), (8, 8))
    beside = "q 90 0 0 60 9 9 cm /P0 Do Q q 90 0 0 60 150 9 cm /P1 Do Q q 8 0 0 8 0 0 cm /P2 Do Q"
    data = written([(WHOLE, [as_jpeg(0)]), (beside, [as_jpeg(0), as_jpeg(1), bullet]), (TEXT, [])])
    assert DECODER.outline(data).parts == (Part(1), Part(2, 2))
    assert load(data, 2, 2).data == jpeg(1)
    assert load(data, 2, 2).item.name == "scan.pdf, page 2 of 3, picture 2 of 3"
    drawn = DECODER.outline(written([(TEXT, [])] * 2))
    assert drawn.parts == (Part(1), Part(2)) and not drawn.note
    long = DECODER.outline(written([(TEXT, [])] * 60))
    assert len(long.parts) == pdf.MOST_PARTS and "first 50 pages of its 60 pages" in long.note


def refusal(data: bytes, page: int | None = None, picture: int | None = None, **limits: int) -> IntakeError:
    with pytest.raises(IntakeError) as found, intake.Decoder(intake.Limits(**limits)) as decoder:  # type: ignore[arg-type]
        decoder.decode(data, "scan.pdf", Part(page, picture))
    return found.value


def test_parts_that_are_not_there() -> None:
    data = written([(WHOLE, [as_jpeg()])] * 2)
    assert str(refusal(data, 3)) == "scan.pdf: there is no page 3; the file has 2 pages."
    assert refusal(data, 1, 2).reason == "there is no picture 2; page 1 has one picture only."


def test_locked_and_broken_documents_are_one_sentence() -> None:
    canvas = pytest.importorskip("reportlab.pdfgen.canvas", reason="reportlab is not installed")
    buffer = io.BytesIO()
    sheet = canvas.Canvas(buffer, encrypt="secret")
    sheet.drawString(9, 9, "hidden")
    sheet.save()
    locked = refusal(buffer.getvalue())
    assert locked.kind == "unsupported_format" and "password" in locked.reason and locked.reason.count(".") == 1
    for data in (b"%PDF-1.7\n%%EOF", b"%PDF-1.4\n" + bytes(range(256)) * 9, written([])):
        assert refusal(data).kind in ("corrupt", "no_pixels")
    with pytest.raises(IntakeError):
        DECODER.outline(b"%PDF-1.7\n%%EOF")
    liar = written([(WHOLE, [("/DCTDecode", b"no picture at all", (240, 160))])])
    assert refusal(liar).kind == "corrupt"


def test_limits_of_pixels_and_size() -> None:
    import zlib

    big = written([(WHOLE, [("/FlateDecode", zlib.compress(bytes(3 * 20_000 * 20_000 // 400)), (20_000, 20_000))])])
    assert refusal(big).kind == "too_many_pixels"
    assert refusal(written([(WHOLE, [as_jpeg()])]), pixels=10_000).kind == "too_many_pixels"
    with intake.Decoder(intake.Limits(pixels=10_000)) as decoder:
        small = decoder.decode(written([(TEXT, [])]))
    assert 5_000 < small.width * small.height <= 10_000, "a drawn page shrinks to the limit"


def test_without_its_extra_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    with pytest.raises(IntakeError) as found:
        intake.decode(written([(TEXT, [])]), name="scan.pdf")
    assert found.value.kind == "missing_codec" and 'pip install "ifdl[pdf]"' in str(found.value)


def test_hurt_documents_never_escape() -> None:
    rng = np.random.default_rng(2)
    whole = written([(f"{WHOLE} {TEXT}", [as_jpeg()]), (WHOLE, [as_jpeg(1)])])
    for n in range(60):
        data = bytearray(whole)
        for at in rng.integers(8, len(data), 12):
            data[at] = rng.integers(0, 256)
        for outline in (True, False):
            try:
                DECODER.outline(bytes(data)) if outline else load(bytes(data), 1 + n % 2)
            except IntakeError as error:
                assert error.kind != "decoder_crashed", error
