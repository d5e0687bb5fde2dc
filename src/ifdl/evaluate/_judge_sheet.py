"""A blinded sheet: one HTML page, two explanations of each picture side by side, sides drawn by chance.

The page names neither explainer; which side is whose stands in a key beside it, for whoever evaluates. It loads
nothing and sends nothing: its own script, known by its hash, saves the choices as a JSON file.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment

from ifdl import intake
from ifdl.evaluate.judge import Case
from ifdl.signal.orientation import to_display

KEY = "ifdl-sheet-key-1"
CHOICES = "ifdl-choices-1"
SHOWN = 640  # pixels of a picture's longer side


def sheet(a: Sequence[Case], b: Sequence[Case], seed: int = 0) -> tuple[str, dict[str, Any]]:
    """(the page, its key) of the texts that both files have, order and sides drawn by `seed`.

    Raises ValueError if they share no picture, or a picture cannot be read.
    """
    theirs = {case.id: case for case in b}
    pairs = [(case, theirs[case.id]) for case in a if case.id in theirs]
    if not pairs:
        raise ValueError("the two files have no picture in common")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(pairs))
    a_is_left = rng.permutation(np.arange(len(pairs)) % 2 == 0)  # as often left as right
    rows, sides = [], []
    for n, (which, left) in enumerate(zip(order, a_is_left, strict=True)):
        first, second = pairs[int(which)]
        shown = (first.said, second.said) if left else (second.said, first.said)
        rows.append({"n": n, "left": shown[0], "right": shown[1], "picture": _picture(first)})
        sides.append({"id": first.id, "left": "a" if left else "b", "right": "b" if left else "a"})
    told = json.dumps([seed, [(first.id, first.said, second.said) for first, second in pairs]])
    name = hashlib.sha256(told.encode()).hexdigest()[:16]
    style, script = (_template(f"sheet.{kind}") for kind in ("css", "js"))
    page = Environment(autoescape=True).from_string(_template("sheet.html"))
    html = page.render(
        sheet=name, rows=rows, style=style, script=script, style_hash=_hash(style), script_hash=_hash(script)
    )
    return html, {"schema": KEY, "sheet": name, "seed": seed, "rows": sides}


def unblinded(choices: Path, key: Path) -> dict[str, str]:
    """Choices "a", "tie" or "b" by picture, of one rater's file. Raises ValueError if it is not of that key's sheet."""
    told, known = _json(choices, CHOICES), _json(key, KEY)
    if told.get("sheet") != known["sheet"]:
        raise ValueError(f"{choices} holds choices of another sheet than {key}")
    found = {}
    try:
        for row in told["choices"]:
            side = known["rows"][row["row"]]
            found[str(side["id"])] = "tie" if row["choice"] == "tie" else str(side[row["choice"]])
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"{choices} holds a choice that the sheet does not have") from error
    return found


def _json(path: Path, schema: str) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not isinstance(told, dict) or told.get("schema") != schema:
        raise ValueError(f"{path} is not a file of the kind {schema}")
    return told


def _picture(case: Case) -> str:
    if case.image is None:
        return ""
    try:
        picture = intake.load(case.image)
    except intake.IntakeError as error:
        raise ValueError(f"{case.image} cannot be shown: {error}") from error
    pixels = to_display(picture.pixels, picture.item.orientation)
    factor = min(1.0, SHOWN / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    small = cv2.cvtColor(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
    return base64.b64encode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()).decode()


def _template(name: str) -> str:
    return files("ifdl.evaluate").joinpath("templates", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
