"""Reports as Label Studio tasks with pre-annotations: brush masks and what the answers say.

Source: labelstud.io/guide/predictions and /tags/brushlabels; the brush's run lengths are those of the package
rle-pack of thi.ng/umbrella. Label Studio shows a picture the right way up, so masks are turned as it is displayed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from ifdl.report.rows import Mark, Row, Rows, answers, examined, marks
from ifdl.signal.orientation import to_display

LOCAL = "/data/local-files/?d="  # how Label Studio names files of its own local storage
WORD, SIZES = 8, (3, 4, 8, 16)  # bits of a value, and of a run's length: four kinds


def to_labelstudio(reports: Rows, prefix: str = LOCAL) -> str:
    """Tasks for Label Studio's import; `prefix` and the picture's name together are the address of the picture.

    Label Studio draws them with the labelling interface that `config` gives.
    """
    return json.dumps([_task(found, prefix) for found in examined(reports)], indent=1, ensure_ascii=False) + "\n"


def config(tests: Iterable[str]) -> str:
    """A labelling interface (XML) with one brush for each test."""
    labels = "".join(f'    <Label value="{test}"/>\n' for test in tests)
    return (
        '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
        f'  <BrushLabels name="region" toName="image">\n{labels}  </BrushLabels>\n</View>\n'
    )


def brush(mask: NDArray[np.bool_]) -> list[int]:
    """Mask H×W as the bytes of Label Studio's brush: run lengths of RGBA values, row by row, all 0 or 255."""
    values = np.repeat(mask.ravel().astype(np.uint8) * np.uint8(255), 4)
    edges = np.flatnonzero(values[1:] != values[:-1]) + 1
    starts = np.concatenate(([0], edges))
    lengths = np.diff(np.concatenate((starts, [values.size])))
    bits = [f"{values.size:032b}{WORD - 1:05b}", *(f"{size - 1:04b}" for size in SIZES)]
    for length, value in zip(lengths.tolist(), values[starts].tolist(), strict=True):
        while length:
            part = min(length, 1 << SIZES[-1])
            kind = next(n for n, size in enumerate(SIZES) if part <= 1 << size)
            bits.append(f"1{kind:02b}{part - 1:0{SIZES[kind]}b}{value:0{WORD}b}")
            length -= part
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return [int(text[n : n + 8], 2) for n in range(0, len(text), 8)]


def _task(found: Row, prefix: str) -> Row:
    item = found["item"]
    said = answers(found)
    return {
        "data": {
            "image": prefix + quote(item["name"]),
            "sha256": item["sha256"],
            **said,
        },
        "predictions": [
            {
                "model_version": f"ifdl {found['environment']['ifdl']}",
                "result": [_result(mark, item["orientation"]) for mark in marks(found)],
            }
        ],
    }


def _result(mark: Mark, orientation: int) -> Row:
    mask = to_display(mark.mask(), orientation)
    return {
        "id": mark.id,
        "from_name": "region",
        "to_name": "image",
        "type": "brushlabels",
        "original_width": mask.shape[1],
        "original_height": mask.shape[0],
        "image_rotation": 0,
        "value": {"format": "rle", "rle": brush(mask), "brushlabels": [mark.test]},
        "meta": {"text": [f"{mark.question}: {mark.words}. {mark.sentence}"]},
    }
