"""Reports as COCO annotations. Source: the COCO data format, cocodataset.org/#format-data.

One annotation for each region that an answer rests on; the category is the test that found it. Masks are compressed
run lengths and boxes are (x, y, width, height), both in stored pixels. Pictures without annotations are listed too.
"""

from __future__ import annotations

import json
from typing import Any

from ifdl.report.parts import card_of
from ifdl.report.rows import DISCLAIMER, Mark, Row, Rows, answers, marks, row


def to_coco(reports: Rows) -> str:
    """All reports as one COCO JSON file. Ids follow the order given; no score is invented."""
    images: list[Row] = []
    annotations: list[Row] = []
    refused: list[Row] = []
    categories: dict[str, int] = {}
    made_by = ""
    for found in map(row, reports):
        if "error" in found:
            refused.append({"file_name": found["item"]["name"], **found["error"]})
            continue
        item, made_by = found["item"], f"ifdl {found['environment']['ifdl']}"
        images.append(
            {
                "id": len(images) + 1,
                "file_name": item["name"],
                "width": item["width"],
                "height": item["height"],
                "sha256": item["sha256"],
                "exif_orientation": item["orientation"],
                "answers": answers(found),
            }
        )
        for mark in marks(found):
            category = categories.setdefault(mark.test, len(categories) + 1)
            annotations.append(_annotation(mark, len(annotations) + 1, len(images), category))
    told: dict[str, Any] = {
        "info": {
            "description": DISCLAIMER,
            "contributor": made_by,
            "space": "stored pixels",
            "not_examined": refused,
        },
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": number, "name": test, "supercategory": "ifdl", "title": _title(test)}
            for test, number in categories.items()
        ],
    }
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def _annotation(mark: Mark, number: int, image: int, category: int) -> Row:
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "segmentation": {"size": list(mark.runs.size), "counts": mark.runs.counts},
        "bbox": list(mark.box),
        "area": int(mark.mask().sum()),
        "iscrowd": 0,
        "attributes": {
            "region": mark.id,
            "finding": mark.finding,
            "question": mark.question,
            "state": mark.state,
            "words": mark.words,
            "sentence": mark.sentence,
        },
    }


def _title(test: str) -> str:
    card = card_of(test)
    return card.title if card else test
