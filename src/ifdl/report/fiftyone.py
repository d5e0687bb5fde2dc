"""Reports as a FiftyOne dataset folder (FiftyOneImageDetectionDataset), written without FiftyOne.

Source: docs.voxel51.com/user_guide/import_datasets, and the importer of fiftyone 1.22. `labels.json` holds a detection
for each region that an answer rests on, `data.json` where each picture lies. Boxes are shares of the picture as it is
displayed. FiftyOne asks for no confidence, and none is given: what it would rank is no probability.
"""

from __future__ import annotations

import json
from pathlib import Path

from ifdl.report.overlay import displayed_box
from ifdl.report.rows import Mark, Row, Rows, examined, marks


def contents(reports: Rows, pictures: Path) -> dict[str, bytes]:
    """Files of the dataset folder by name; `pictures` is the folder that the reports' pictures lie in.

    Load them with fiftyone.Dataset.from_dir(FOLDER, fiftyone.types.FiftyOneImageDetectionDataset).
    """
    labels: dict[str, list[Row]] = {}
    places: dict[str, str] = {}
    for found in examined(reports):
        item = found["item"]
        key = item["sha256"][:16]  # names may be the same in two folders
        labels[key] = [_detection(mark, item) for mark in marks(found)]
        places[f"{key}{Path(item['name']).suffix}"] = str((pictures / item["name"]).absolute())
    told = {"classes": None, "labels": labels}
    return {
        "labels.json": (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode(),
        "data.json": (json.dumps(places, indent=1, ensure_ascii=False) + "\n").encode(),
    }


def _detection(mark: Mark, item: Row) -> Row:
    size = item["height"], item["width"]
    height, width = size if item["orientation"] < 5 else size[::-1]
    x, y, w, h = displayed_box(mark.box, size, item["orientation"])
    return {
        "label": mark.test,
        "bounding_box": [round(x / width, 6), round(y / height, 6), round(w / width, 6), round(h / height, 6)],
        "attributes": {
            "region": mark.id,
            "question": mark.question,
            "state": mark.state,
            "words": mark.words,
            "sentence": mark.sentence,
        },
    }
