"""How a JPEG file was built, and how often it was saved.

Two findings. The first reads the file's own structure: compression tables, marker order, segments
that only certain software writes. The second looks for an earlier save on the same 8×8 grid in the
histograms of the DCT coefficients (`ifdl.signal.double_jpeg`).
"""

from __future__ import annotations

import numpy as np

from ifdl.signal import double_jpeg, jpeg
from ifdl.types import Card, FalseAlarms, Finding, Innocent, Item, Number, Picture, Question, State

ID = "structure"
SAVED_TWICE = 8.0  # evidence above which an earlier save counts as measured
WEAK = 4.0
FEWEST_FREQUENCIES = 5
CITATION = "Lukáš & Fridrich 2003; Popescu & Farid 2004; Kornblum 2008"

CARD = Card(
    id=ID,
    title="File structure and number of saves",
    questions=(Question.HISTORY,),
    citation="J. Lukáš, J. Fridrich, Estimation of primary quantization matrix in double compressed JPEG images, "
    "DFRWS 2003; A. C. Popescu, H. Farid, Statistical tools for digital forensics, IH 2004; "
    "J. D. Kornblum, Using JPEG quantization tables to identify imagery processed by software, DFRWS 2008",
    url="https://doi.org/10.1007/978-3-540-30114-1_10",
    domain="JPEG files. An earlier save can only be measured where at least 5 of the 20 lowest frequencies have "
    "80 non-zero values or more over 6 levels: a picture with some detail, of about 300 pixels or more each side.",
    threshold="Earlier save: evidence (quasi-likelihood F of the comb an earlier save leaves, 70 % quantile over the "
    "frequencies) of at least 8; 4 to 8 is inconclusive. Chosen as about twice the largest value on camera folds "
    "0-7; no false alarm in 137 photographs, so at most 2.2 % (95 % bound). Structure: fixed rules, no threshold.",
    false_alarms=FalseAlarms(
        data="camera",
        alarms=0,
        photographs=137,
        upper=0.0216,
        note="for the measurement of earlier saves only; the set's metadata and segments were removed, so it says "
        "nothing about the rules on structure",
    ),
    look_for="Segments of Photoshop or Save for Web, progressive storage and ink colours, which cameras do not write; "
    "an earlier save at coarser quality than the last.",
    ignore="Standard tables, a JFIF segment, missing Exif or Photoshop's caption segment alone: programs and web "
    "services write so, but so do some phones, and adding a caption does not touch the picture.",
    limits=(
        "A file that looks as if a camera built it can have been built so by software.",
        "An earlier save at higher quality than the last is found in about one picture of eight, one at the same "
        "quality never, one 2 or 3 lower than the last in about a third, one 5 or more lower nearly always.",
        "Cropping off the 8×8 grid, resizing or turning by other than 90° between the saves removes the trace.",
        "More than two saves are not counted: the number is a lower bound.",
        "Pictures over 4 megapixels are measured on evenly spaced rows of blocks, 4 megapixels in all.",
        "The Huffman tables and the restart interval are reported, but no state rests on them.",
    ),
)

RESAVED = (
    Innocent(
        "a messenger, web service or mail program saved the picture again when it was shared",
        "ask how the file was sent, and for the file on the device that took it",
    ),
    Innocent(
        "the picture was turned, cropped or captioned and saved again in a viewer or in the camera itself",
        "compare its size with the camera's full size and ask what was done after capture",
    ),
)
BUILT_BY_SOFTWARE = (
    Innocent(
        "the photographer developed or exported the picture in a photo program",
        "ask for the raw file or the file from the memory card",
    ),
    Innocent(
        "a web service or a tool that makes files smaller rewrote the file without touching what it shows",
        "ask where the file was downloaded, and for the file on the device that took it",
    ),
)


def run(picture: Picture) -> list[Finding]:
    """For JPEG one finding on structure and one on earlier saves; for other formats one that says why not."""
    if picture.item.format != "JPEG":
        return [_other_format(picture.item)]
    return [_structure(picture), _saves(picture)]


# ---------------------------------------------------------------- structure


def _structure(picture: Picture) -> Finding:
    item, container = picture.item, picture.item.container
    markers = container.markers
    luma, chroma = jpeg.tables_of(container.quantisation, container.component_tables)
    quality, exact = jpeg.estimate_quality(luma, chroma) if luma else (0, False)
    family = jpeg.family(luma, chroma, markers) if luma else jpeg.Family.CUSTOM
    jfif, exif = "APP0:JFIF" in markers, "APP1:Exif" in markers
    huffman = jpeg.has_standard_huffman(picture.data)
    numbers: dict[str, Number] = {
        "tables": family.value,
        "quality": quality,
        "standard_tables": exact,
        "subsampling": container.subsampling or "unusual",
        "progressive": container.progressive,
        "jfif": jfif,
        "exif": exif,
        "first_segment": markers[1] if len(markers) > 1 else "",
        "adobe": "APP14:Adobe" in markers,
        "ducky": "APP12:Ducky" in markers,
        "photoshop": "APP13:Photoshop" in markers,
        "multi_picture": "APP2:MPF" in markers,
        "restart_interval": "DRI" in markers,
        "table_segments": markers.count("DQT"),
        "huffman_segments": markers.count("DHT"),
        "huffman": "not seen" if huffman is None else "standard" if huffman else "fitted to the picture",
        **_attached(item),
    }
    software = _software(item, family)
    either = _either(item, family, quality) + _attached_words(item)
    if software:
        state = State.SUPPORTED
        sentence = f"Software, not a capture device, wrote this file as it stands: {_join(software)}."
        sentence += f" Also, {_join(either)}." if either else ""
    elif either:
        state = State.INCONCLUSIVE
        sentence = f"The file's structure does not tell a device's file from one that was saved again: {_join(either)}."
    else:
        state = State.NO_TRACE_FOUND
        sentence = (
            "The file is built the way cameras build theirs (Exif segment first, compression tables of its own, not "
            "progressive), which software can imitate; its structure shows no later save."
        )
    if container.sub_images:
        kinds = sorted({s.kind.replace("_", " ") for s in container.sub_images})
        sentence += f" It also holds {len(container.sub_images)} smaller or further picture(s) ({', '.join(kinds)})"
        sentence += ", as phones and stereo cameras write." if {"gain map", "mpo picture"} & set(kinds) else "."
    return Finding(
        clue=ID,
        question=Question.HISTORY,
        state=state,
        sentence=sentence,
        strength={State.SUPPORTED: 0.6, State.INCONCLUSIVE: 0.2}.get(state, 0.0),
        numbers=numbers,
        innocent=BUILT_BY_SOFTWARE if software else (),
        citation="Kornblum 2008; ITU-T T.81",
    )


def _software(item: Item, family: jpeg.Family) -> list[str]:
    """Facts that capture devices do not produce."""
    markers = item.container.markers
    facts = []
    if "APP12:Ducky" in markers:
        facts.append("it has the segment that Adobe's Save for Web writes")
    elif family is jpeg.Family.ADOBE:
        facts.append(
            "it has Adobe's colour segment together with compression tables of its own, as Adobe's programs save"
        )
    if item.container.progressive:
        facts.append("it is stored to appear gradually (progressive), as web services and programs do")
    if item.mode == "CMYK":
        facts.append("its colours are stored as printing inks (CMYK)")
    return facts


def _either(item: Item, family: jpeg.Family, quality: int) -> list[str]:
    """Facts that software and some capture devices both produce."""
    markers = item.container.markers
    jfif, exif = "APP0:JFIF" in markers, "APP1:Exif" in markers
    facts = []
    if family is jpeg.Family.STANDARD:
        facts.append(
            f"its compression tables are the standard ones at quality {quality}, as in many programs and phones"
        )
    if jfif and exif:
        order = "before" if markers.index("APP0:JFIF") < markers.index("APP1:Exif") else "after"
        facts.append(f"it has a JFIF segment {order} the Exif segment, as many programs and some phones write")
    elif jfif:
        facts.append("it has a JFIF segment and no Exif segment, as programs and web services write")
    elif not exif:
        facts.append("it has no Exif segment, which cameras write and many services remove")
    elif markers[1] != "APP1:Exif":
        facts.append("its Exif segment is not the first one, as cameras would have it")
    if "APP14:Adobe" in markers and family is jpeg.Family.STANDARD:
        facts.append("it has Adobe's colour segment, which several programs write")
    if "APP13:Photoshop" in markers:
        facts.append("it has Photoshop's caption segment, which caption tools and some professional cameras write too")
    return facts


def _attached(item: Item) -> dict[str, Number]:
    container = item.container
    return {
        "further_pictures": len(container.sub_images),
        "trailing_bytes": container.trailing_bytes,
        "trailing_kind": container.trailing_kind or "",
        "warnings": len(container.warnings),
    }


def _attached_words(item: Item) -> list[str]:
    """What follows the picture and what the reader stumbled over."""
    container = item.container
    facts = []
    if container.trailing_bytes and container.trailing_kind != "padding":
        what = container.trailing_kind or "unknown data"
        facts.append(f"{container.trailing_bytes} bytes follow the end of the picture ({what})")
    if any(s.kind == "appended_picture" for s in container.sub_images):
        facts.append("another complete picture follows the first one")
    return facts + [f"reading it gave a warning ({text})" for text in container.warnings]


def _other_format(item: Item) -> Finding:
    seldom = item.format in ("PNG", "WEBP", "GIF", "BMP")
    sentence = (
        f"A {item.format} file does not record how often its picture was saved"
        + (", and cameras seldom write this format while screenshots and programs do" if seldom else "")
        + "; the format alone decides nothing."
    )
    attached = _attached_words(item)
    if attached:
        sentence += f" Worth a look: {_join(attached)}."
    return Finding(
        clue=ID,
        question=Question.HISTORY,
        state=State.INCONCLUSIVE if attached else State.OUT_OF_DOMAIN,
        sentence=sentence,
        strength=0.1 if attached else 0.0,
        numbers={"format": item.format, **_attached(item)},
    )


# ---------------------------------------------------------------- saves


def _saves(picture: Picture) -> Finding:
    item = picture.item
    luma, chroma = jpeg.tables_of(item.container.quantisation, item.container.component_tables)
    if luma is None or item.mode not in ("RGB", "L"):
        return _unmeasured("its brightness is not stored as in ordinary colour or grey JPEG files", {})
    quality, exact = jpeg.estimate_quality(luma, chroma)
    numbers: dict[str, Number] = {"saves_at_least": 1, "last_quality": quality, "last_quality_exact": exact}
    blocks = double_jpeg.coefficients(picture.pixels)
    if not double_jpeg.on_grid(blocks, luma):
        return _unmeasured("its decoded colours do not fit its own compression tables", numbers)
    found = double_jpeg.frequencies(blocks, luma)
    numbers |= {"blocks": len(blocks), "frequencies": len(found)}
    if len(found) < FEWEST_FREQUENCIES:
        return _unmeasured("it is too small, too plain or too strongly compressed", numbers)

    evidence = float(np.quantile([f.evidence.max() for f in found], 0.7))
    numbers["evidence"] = round(evidence, 3)
    if evidence >= SAVED_TWICE:
        state = State.SUPPORTED
        words, previous = _previous(found)
        numbers |= {"saves_at_least": 2} | previous
        sentence = (
            f"The file was saved as JPEG at least twice: the last time at about quality {quality}, before that {words}."
        )
    elif evidence >= WEAK:
        state = State.INCONCLUSIVE
        sentence = (
            f"There are weak signs of an earlier JPEG save before the last one at about quality {quality} "
            f"(evidence {evidence:.1f}, {SAVED_TWICE} needed)."
        )
        numbers["threshold"] = SAVED_TWICE
    else:
        state = State.NO_TRACE_FOUND
        sentence = (
            f"The file was saved as JPEG at about quality {quality}; no earlier save on the same block grid was found, "
            "though one at the same or a higher quality usually leaves no trace."
        )
    return Finding(
        clue=ID,
        question=Question.HISTORY,
        state=state,
        sentence=sentence,
        strength=evidence / (evidence + SAVED_TWICE),
        numbers=numbers,
        innocent=RESAVED if state is State.SUPPORTED else (),
        citation=CITATION,
    )


def _previous(found: list[double_jpeg.Frequency]) -> tuple[str, dict[str, Number]]:
    """How the earlier save was made, as far as the combs agree on it: words and numbers."""
    telling = [f for f in found if f.evidence.max() >= SAVED_TWICE]
    numbers: dict[str, Number] = {
        "first_steps": ", ".join(f"{f.index // 8}.{f.index % 8}: {f.best} then {f.step}" for f in telling[:9])
    }
    lowest, highest, share = double_jpeg.previous_quality(found)
    numbers["previous_share"] = round(share, 3)
    # On folds 0-7 the true quality of every standard first save found lay between the two bounds; for
    # cameras' own tables the middle is within 3 of the nearest standard quality.
    if share >= 0.8 and highest - lowest <= 4:
        middle = (lowest + highest + 1) // 2
        return f"at about quality {middle}", numbers | {
            "previous_quality": middle,
            "previous_quality_low": lowest,
            "previous_quality_high": highest,
        }
    ratio = float(np.median([f.best / f.step for f in telling]))
    return ("at a coarser setting" if ratio > 1 else "at a finer setting"), numbers | {
        "first_step_ratio": round(ratio, 3)
    }


def _unmeasured(reason: str, numbers: dict[str, Number]) -> Finding:
    return Finding(
        clue=ID,
        question=Question.HISTORY,
        state=State.OUT_OF_DOMAIN,
        sentence=f"Whether the file was saved more than once cannot be measured: {reason}.",
        numbers=numbers,
        citation=CITATION,
    )


def _join(facts: list[str]) -> str:
    return facts[0] if len(facts) == 1 else "; ".join(facts[:-1]) + "; and " + facts[-1]
