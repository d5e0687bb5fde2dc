"""The metadata clue: contradictions, editors and generators it names, and what it must leave alone."""

from __future__ import annotations

import io
import struct
from datetime import datetime, timedelta

import numpy as np
import pytest
from PIL import Image

from ifdl.evidence import metadata
from ifdl.evidence._metadata_words import at_odds, brands, program
from ifdl.intake import IntakeError, decode
from ifdl.types import Finding, Question, State
from tests.photographs import SHARED, bundled, camera
from tests.planting.metadata import KINDS, as_jpeg, as_png, exif, photoshop, plant, xmp

HOST = bundled()[1].data
WIDTH, HEIGHT = Image.open(io.BytesIO(HOST)).size
NOON = datetime(2022, 6, 1, 12)
SPEAKING = (State.SUPPORTED, State.INCONCLUSIVE)


def findings(data: bytes, question: Question | None = None) -> list[Finding]:
    return [f for f in metadata.run(decode(data)) if question in (None, f.question)]


def only(data: bytes, question: Question) -> Finding:
    (finding,) = findings(data, question)
    return finding


@pytest.mark.parametrize("kind", KINDS)
def test_planted_statements_are_found_and_clean_siblings_stay_silent(kind: str) -> None:
    rng = np.random.default_rng(3)
    for photograph in bundled():
        planted = plant(photograph.data, None, rng, kind)
        if planted is None:
            continue
        found = findings(planted.edited, KINDS[kind])
        assert found and found[0].state is State.SUPPORTED, kind
        assert found[0].innocent
        assert found[0].established == (KINDS[kind] is Question.CLAIMS)
        clean = findings(planted.clean)
        assert {f.question for f in clean} == {Question.CLAIMS, Question.HISTORY}
        assert all(f.state is State.NO_TRACE_FOUND for f in clean), [f.sentence for f in clean]


@pytest.mark.skipif(not camera(range(1)), reason="../shared/data/camera is absent")
def test_camera_photographs() -> None:
    found = planted = 0
    for number, photograph in enumerate(camera(range(2), one_per_source=True)):
        kind = list(KINDS)[number % len(KINDS)]
        pair = plant(photograph.data, None, np.random.default_rng(number), kind)
        if pair is None:
            continue
        planted += 1
        found += any(f.state is State.SUPPORTED for f in findings(pair.edited, KINDS[kind]))
        assert not any(f.state in SPEAKING for f in findings(pair.clean))
        assert all(f.state is State.OUT_OF_DOMAIN for f in findings(photograph.data))
    assert planted > 10 and found >= 0.6 * planted


def test_silent_files_are_out_of_domain_and_say_nothing_of_generators() -> None:
    for size in ((1, 1), (3000, 1), (64, 64)):
        buffer = io.BytesIO()
        Image.new("RGB", size, (90, 90, 90)).save(buffer, "PNG")
        found = findings(buffer.getvalue())
        assert [(f.question, f.state) for f in found] == [
            (Question.CLAIMS, State.OUT_OF_DOMAIN), (Question.HISTORY, State.OUT_OF_DOMAIN),
        ]  # fmt: skip


def test_sizes_name_both_values() -> None:
    finding = only(as_jpeg(HOST, exif("Canon", "Canon EOS 80D", size=(6000, 4000))), Question.CLAIMS)
    assert f"6000 × 4000 pixels, but it is {WIDTH} × {HEIGHT}" in finding.sentence
    assert {6000, 4000, WIDTH, HEIGHT} <= set(finding.numbers.values())


def test_a_size_noted_as_displayed_agrees() -> None:
    turned = exif("Canon", "Canon EOS 80D", size=(HEIGHT, WIDTH), orientation=6)
    assert only(as_jpeg(HOST, turned), Question.CLAIMS).state is State.NO_TRACE_FOUND
    upright = exif("Canon", "Canon EOS 80D", size=(HEIGHT, WIDTH), orientation=1)
    assert "swapped" in only(as_jpeg(HOST, upright), Question.CLAIMS).sentence


def test_time_zones_are_given_the_benefit_of_the_doubt() -> None:
    def state(hours: float) -> State:
        return only(as_jpeg(HOST, exif(taken=NOON, changed=NOON - timedelta(hours=hours))), Question.CLAIMS).state

    assert state(0.005) is State.NO_TRACE_FOUND
    assert state(5) is State.INCONCLUSIVE
    assert state(27) is State.SUPPORTED
    packet = xmp('xmp:CreateDate="2022-06-01T12:00:00+02:00" xmp:ModifyDate="2022-06-01T11:00:00+01:00"')
    assert only(as_jpeg(HOST, b"", packet), Question.CLAIMS).state is State.NO_TRACE_FOUND
    packet = packet.replace("11:00:00+01:00", "11:00:00+02:00")
    assert only(as_jpeg(HOST, b"", packet), Question.CLAIMS).state is State.SUPPORTED


def test_satellite_dates_are_never_quoted() -> None:
    far = exif(taken=NOON, satellite=NOON + timedelta(days=40))
    finding = only(as_jpeg(HOST, far), Question.CLAIMS)
    assert finding.established and finding.numbers["days"] == 40.0
    assert "2022:07:11" not in finding.sentence + str(finding.numbers)
    near = exif(taken=NOON, satellite=NOON + timedelta(hours=20))
    assert only(as_jpeg(HOST, near), Question.CLAIMS).state is State.NO_TRACE_FOUND


@pytest.mark.parametrize(
    "date", ["0000:00:00 00:00:00", "    :  :     :  :  ", "2022:06:01 24:03:00", "2017:08:21 15:08:70"]
)
def test_unset_clocks_and_known_quirks_are_no_contradiction(date: str) -> None:
    found = findings(as_jpeg(HOST, exif("Canon", "Canon EOS 80D", taken=date)), Question.CLAIMS)
    assert all(f.state is State.NO_TRACE_FOUND for f in found)


def test_private_values_stay_out_of_every_sentence() -> None:
    packet = xmp('dc:creator="GIMP Jane Doe" xmp:CreatorTool="GIMP by jane@example.org"')
    text = str(findings(as_jpeg(HOST, exif("Canon", "NIKON D750"), packet, photoshop(((80, b"Jane Doe"),)))))
    assert "Canon" in text
    assert "ane" not in text


@pytest.mark.parametrize(
    "firmware",
    ["Ver.1.00 ", "NIKON D90 Ver.1.00 ", "Firmware Version 1.1.2", "15.4.1", "HDR+ 1.0.345618096zd", "G991BXXU3AUE1",
     "Digital Camera X-T3 Ver3.20", "Digital Camera FinePix S5Pro Ver1.00", "COOLPIX P6000V1.0", "DMC-LX5   1.1",
     "PENTAX K-3 Mark III Ver. 1.00", "K100D Ver 1.02", "DiMAGE A1 Ver.1.00u", "ILCE-7M3 v3.10", "Version 1.2",
     "MediaTek Camera Application", "Optio S4i Ver 1.00", "V 12.83", "00204", "Android RQ3A.210905.001", "v594u0000",
     "SONY DSC-RX100 v1.00", "Canon EOS 5D Mark III Firmware Version 1.3.5", "EASTMAN KODAK COMPANY KODAK Z980",
     "10.3.3", "E-M10MarkIII Ver.1.2", "M8 Digital Camera 2.0", "Sigma fp Ver. 5.00", "HP PhotoSmart C945 (V04.17)"],
)  # fmt: skip
def test_camera_firmware_is_no_editor(firmware: str) -> None:
    assert program(firmware) is None


@pytest.mark.parametrize(
    "name",
    ["Adobe Photoshop CS2 Windows", "GIMP 2.10.8", "Snapseed 2.0", "Pixelmator 3.6", "Affinity Photo 1.10", "PicsArt",
     "Facetune", "Meitu", "Canva", "ImageMagick 7.0", "Lavc58.54.100", "darktable 4.2.1", "Capture One 22 Macintosh",
     "Adobe Photoshop Lightroom 6.0 (Windows)", "CREATOR: gd-jpeg v1.0 (using IJG JPEG v80), quality = 90",
     "Created with GIMP", "Photos 8.0", "gnome-screenshot", "PaintShop Pro 22", "Microsoft Windows Photo Viewer 6.1"],
)  # fmt: skip
def test_editors_are_known(name: str) -> None:
    assert program(name) is not None


def test_brands() -> None:
    assert at_odds(brands("Canon"), brands("NIKON D90"))
    assert at_odds(brands("samsung"), brands("iPhone 12"))
    agreeing = {
        "RICOH IMAGING COMPANY, LTD.": "PENTAX K-3", "Hasselblad": "DJI Mavic", "Acme": "iPhone", "LGE": "Nexus 5",
        "SONY": "DSC-RX100", "KONICA MINOLTA": "DiMAGE A2", "": "Canon", "LEICA CAMERA AG": "DMC-L1",
    }  # fmt: skip
    for make, model in agreeing.items():
        assert not at_odds(brands(make), brands(model)), (make, model)


def test_an_editor_of_another_brand_is_no_contradiction() -> None:
    data = as_jpeg(HOST, exif("Canon", "Canon EOS 80D", "Nikon Transfer 1.1 W", NOON, NOON))
    assert only(data, Question.CLAIMS).state is State.NO_TRACE_FOUND
    assert only(data, Question.HISTORY).state is State.SUPPORTED
    other = as_jpeg(HOST, exif("Canon", "Canon EOS 80D", "NIKON D90 Ver.1.00", NOON, NOON))
    assert only(other, Question.CLAIMS).established


def test_captions_that_mention_programs_are_no_trace() -> None:
    packet = xmp('dc:description="Made with Photoshop? Midjourney and ChatGPT explained" dc:title="GIMP"')
    block = photoshop(((120, b"Adobe Photoshop and DALL-E"), (110, b"Handout OpenAI"), (65, b"")))
    found = findings(as_jpeg(HOST, exif("Canon", "Canon EOS 80D", taken=NOON, changed=NOON), packet, block))
    assert not any(f.state in SPEAKING for f in found), [f.sentence for f in found]


def test_iptc_alone_is_not_photoshop() -> None:
    data = as_jpeg(HOST, exif("Canon", "Canon EOS 80D"), "", photoshop(((5, b"Harbour"),)))
    assert only(data, Question.HISTORY).state is State.NO_TRACE_FOUND


def test_generators_are_named_precisely() -> None:
    wording = {
        "trainedAlgorithmicMedia": "was made by a generator",
        "algorithmicMedia": "no pictures",
        "compositeWithTrainedAlgorithmicMedia": "partly made or filled",
    }
    for source, expected in wording.items():
        finding = only(as_jpeg(HOST, b"", xmp(source=source)), Question.SYNTHETIC_ORIGIN)
        assert expected in finding.sentence and "unsigned" in finding.sentence and not finding.established
    assert (
        only(as_jpeg(HOST, b"", xmp(source="compositeSynthetic")), Question.SYNTHETIC_ORIGIN).state
        is State.INCONCLUSIVE
    )
    assert not findings(as_jpeg(HOST, b"", xmp(source="digitalCapture")), Question.SYNTHETIC_ORIGIN)
    for texts in ({"sd-metadata": "{}"}, {"Software": "NovelAI"}, {"Software": "DALL·E 3"}):
        assert only(as_png(HOST, b"", "", texts), Question.SYNTHETIC_ORIGIN).state is State.SUPPORTED
    # Words that other programs use too are not enough.
    for texts in ({"parameters": "f=50mm"}, {"prompt": "Press any key"}, {"workflow": "scan, print"}):
        assert not findings(as_png(HOST, b"", "", texts), Question.SYNTHETIC_ORIGIN)


def test_hostile_values_are_cut_and_flattened_in_sentences() -> None:
    finding = only(as_jpeg(HOST, exif("Canon", "NIKON\nD750 " + "x" * 400)), Question.CLAIMS)
    assert len(finding.sentence) < 250 and "\n" not in finding.sentence


# ---------------------------------------------------------------- two readings


def block(
    *entries: tuple[int, int, bytes], place: bytes = b"", inner: tuple[tuple[int, int, bytes], ...] = ()
) -> bytes:
    """An EXIF block by hand: (tag, type, bytes) in the first directory, the Exif one, and a latitude in the GPS one."""
    gps = ((2, 5, place), (2, 5, place[::-1])) if place else ()
    parts, at = [], 8
    pointers = [(0x8769, inner)] * bool(inner) + [(0x8825, gps)] * bool(gps)
    for own, pointed in ((entries, pointers), (inner, []), (gps, [])):
        if own or pointed:
            parts.append((list(own), pointed, at))
            count = len(own) + len(pointed)
            at += 2 + 12 * count + 4 + sum(len(data) + (len(data) & 1) for _, _, data in own if len(data) > 4)
    starts = {
        id(pointed): place
        for pointed, place in zip([inner, gps] if inner else [gps], [p[2] for p in parts[1:]], strict=False)
    }
    out = b"Exif\0\0II*\0\x08\0\0\0"
    for own, pointed, start in parts:
        rows = [(tag, kind, data) for tag, kind, data in own]
        rows += [(tag, 4, struct.pack("<I", starts[id(target)])) for tag, target in pointed]
        after, body, tail = start + 2 + 12 * len(rows) + 4, b"", b""
        for tag, kind, data in rows:
            size = {2: 1, 3: 2, 4: 4, 5: 8, 7: 1}[kind]
            value = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack("<I", after + len(tail))
            tail += data + b"\0" * (len(data) & 1) if len(data) > 4 else b""
            body += struct.pack("<HHI", tag, kind, len(data) // size) + value
        out += struct.pack("<H", len(rows)) + body + b"\0\0\0\0" + tail
    return out


MAKE, MODEL, TAKEN = 0x010F, 0x0110, 0x9003


def test_a_note_that_stands_there_twice_is_a_fact() -> None:
    data = as_jpeg(HOST, block((MAKE, 2, b"Canon\0"), (MAKE, 2, b"Acme Ltd\0"), (MODEL, 2, b"EOS\0")))
    finding = only(data, Question.CLAIMS)
    assert finding.established and finding.state is State.SUPPORTED
    assert "the camera make (“Canon” or “Acme Ltd”) twice" in finding.sentence
    assert finding.numbers == {"camera make 1": "Canon", "camera make 2": "Acme Ltd"}
    assert len(finding.innocent) == 2


def test_a_second_block_that_most_readers_pass_over() -> None:
    second = as_jpeg(HOST, block((MAKE, 2, b"Nikon\0"), (MODEL, 2, b"D750\0"), (TAKEN, 2, b"2019:01:02 03:04:05\0")))
    data = as_jpeg(second, block((MAKE, 2, b"Canon\0"), (MODEL, 2, b"EOS\0")))
    finding = only(data, Question.CLAIMS)
    assert finding.state is State.INCONCLUSIVE and not finding.established
    assert "the camera make (“Canon” or “Nikon”) and the camera model (“EOS” or “D750”)" in finding.sentence
    entries = [(e.group, e.name, e.value) for e in decode(data).item.metadata.entries if "again" in e.group]
    assert entries == [("EXIF, read again", "Make", "Nikon"), ("EXIF, read again", "Model", "D750")]
    long = exif("Canon", "Canon EOS 80D", comment=b"ASCII\0\0\0" + b"word " * 200)
    cut = as_jpeg(as_jpeg(HOST, b"Exif\0\0" + long[500:]), long[:500])
    assert decode(cut).item.metadata.get("EXIF", "UserComment"), "a block may also go on in the next segment"
    assert not [e for e in decode(cut).item.metadata.entries if "again" in e.group]


def test_two_directories_with_two_capture_times() -> None:
    times = (b"2022:06:01 12:00:00\0", b"2019:01:02 03:04:05\0")
    data = as_jpeg(HOST, block((MAKE, 2, b"Canon\0"), (TAKEN, 2, times[0]), inner=((TAKEN, 2, times[1]),)))
    finding = only(data, Question.CLAIMS)
    assert (
        finding.established and "the capture time (“2022:06:01 12:00:00” or “2019:01:02 03:04:05”)" in finding.sentence
    )
    same = as_jpeg(HOST, block((MAKE, 2, b"Canon\0"), (TAKEN, 2, times[0]), inner=((TAKEN, 2, times[0]),)))
    assert only(same, Question.CLAIMS).state is not State.SUPPORTED


def test_two_blocks_that_two_readers_choose_between_are_no_fact_yet() -> None:
    """ImageMagick's hexadecimal block and PNG's own: viewers go by one or the other."""
    older = block((MAKE, 2, b"Canon\0"), (MODEL, 2, b"EOS\0"))
    profile = "\nexif\n" + f"{len(older):8}\n" + older.hex()
    png = as_png(HOST, block((MAKE, 2, b"Nikon\0"), (MODEL, 2, b"D750\0")), "", {"Raw profile type exif": profile})
    chunk = png.index(b"zTXt") - 4
    size = int.from_bytes(png[chunk : chunk + 4], "big") + 12
    text = png[chunk : chunk + size]
    moved = png[:33] + text + png[33:chunk] + png[chunk + size :]
    finding = only(moved, Question.CLAIMS)
    assert finding.state is State.INCONCLUSIVE and not finding.established
    assert "disagree on the camera make (“Canon” or “Nikon”) and the camera model (“EOS” or “D750”)" in finding.sentence


def test_places_are_compared_and_never_quoted() -> None:
    place = struct.pack("<6I", 43, 1, 28, 1, 777, 100)
    finding = only(as_jpeg(HOST, block((MAKE, 2, b"Canon\0"), place=place)), Question.CLAIMS)
    assert finding.established and finding.sentence.startswith("The file notes the satellite position twice")
    assert "43" not in str(finding)
    entries = decode(as_jpeg(HOST, block((MAKE, 2, b"Canon\0"), place=place))).item.metadata.entries
    assert all(e.private for e in entries if e.group.startswith("GPS"))


@pytest.mark.parametrize(
    "entries",
    [
        ((MAKE, 2, b"Canon\0"), (MODEL, 2, "Caméra é".encode() + b"\0")),
        ((MAKE, 2, b"Canon\0"), (MODEL, 2, "Caméra".encode("latin-1") + b"\0")),
        ((MAKE, 2, b"Canon   \0\0\0\0"), (MODEL, 2, b"One\0Two\0")),
        ((MAKE, 7, b"Canon\0"), (MODEL, 7, b"\1\2\3\4\5")),
        ((MAKE, 2, b"Canon\0"), (0x0112, 3, struct.pack("<2H", 6, 0))),
        ((MAKE, 2, b"Canon\0"), (0x0112, 4, struct.pack("<I", 6))),
        ((MAKE, 2, b"x" * 900), (MODEL, 2, b"")),
    ],
    ids=["utf-8", "latin-1", "padding", "undefined", "two orientations", "long orientation", "long"],
)
def test_forms_that_both_readers_understand_are_no_disagreement(entries: tuple[tuple[int, int, bytes], ...]) -> None:
    item = decode(as_jpeg(HOST, block(*entries))).item
    assert item.metadata.get("EXIF", "Make")
    assert not [e for e in item.metadata.entries if "again" in e.group]


def test_orientation_of_xmp_is_not_passed_off_as_a_second_reading() -> None:
    data = as_jpeg(HOST, exif("Canon", "Canon EOS 80D", orientation=3), xmp('tiff:Orientation="8"'))
    assert only(data, Question.CLAIMS).state is State.NO_TRACE_FOUND
    data = as_jpeg(HOST, exif("Canon", "Canon EOS 80D"), xmp('tiff:Orientation="8"'))
    assert not [e for e in decode(data).item.metadata.entries if "again" in e.group]


@pytest.mark.skipif(not (SHARED / "data" / "hostile").exists(), reason="../shared/data/hostile is absent")
def test_two_readers_agree_on_real_files() -> None:
    """Cameras, phones and programs of exif-samples: no disagreement where nobody planted one."""
    told = compared = 0
    for path in sorted((SHARED / "data").glob("hostile/*/*.jpg")) + sorted((SHARED / "data").glob("c2pa/**/*.jpg")):
        try:
            picture = decode(path.read_bytes())
        except IntakeError:
            continue
        compared += bool({"Make", "Orientation", "Software"} & {e.name for e in picture.item.metadata.entries})
        told += any("again" in e.group for e in picture.item.metadata.entries)
        told += any(word in f.sentence for f in metadata.run(picture) for word in (" twice", "Two readers"))
    assert compared > 40 and told == 0


def test_damaged_blocks_cost_neither_picture_nor_process() -> None:
    rng = np.random.default_rng(9)
    whole = block((MAKE, 2, b"Canon\0"), (MODEL, 2, b"EOS 80D\0"), inner=((TAKEN, 2, b"2022:06:01 12:00:00\0"),))
    for _ in range(150):
        hurt = bytearray(whole)
        for at in rng.integers(6, len(hurt), 4):
            hurt[at] = int(rng.integers(256))
        metadata.run(decode(as_jpeg(HOST, bytes(hurt))))
