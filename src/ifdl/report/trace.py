"""What `ifdl trace` found, as lines, JSON and a page: the pictures side by side, joined where their points agree.

The page needs no network and no script; names of files are hostile text and are escaped. It says "differs from":
which of two pictures was changed is not for an alignment to tell.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from functools import cache
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from ifdl import intake
from ifdl.intake.errors import IntakeError
from ifdl.report import overlay, words
from ifdl.signal import alignment
from ifdl.signal.regions import regions_of
from ifdl.trace import direction
from ifdl.trace.query import HOST_SHARE, Hit, Traced
from ifdl.types import Picture

VIEW = 700  # pixels of the longer side of each picture of a pair
LINES = 40
LINE, DOT = (255, 176, 0), (0, 60, 136)
VERSION = "1.1"


def to_dict(picture: Picture, found: Traced, searched: int) -> dict[str, Any]:
    """Everything found, plain: lengths in stored pixels, matrices from the archive's picture to this one."""
    item = picture.item
    told: dict[str, Any] = {
        "schema_version": VERSION,
        "picture": {"name": _text(item.name), "sha256": item.sha256, "width": item.width, "height": item.height},
        "searched": searched,
        "hosts": [_hit(picture, h) for h in found.hosts],
        "donors": [_hit(picture, h) for h in found.donors],
        "differs": None,
    }
    if found.differs is not None and found.compared is not None:
        regions = regions_of(found.differs.mask, item.orientation, 0.0002)
        told["differs"] = {
            "from": _text(found.compared.entry.path),
            "share": round(float(found.differs.mask.mean()), 6),
            "compared": round(float(found.differs.known.mean()), 6),
            "noise_level": round(found.differs.level, 3),
            "agreement": round(found.differs.agreement, 4),
            "facts": direction.sentence(direction.facts(picture, found.compared)),
            "regions": [{"box": list(r.box), "area": round(r.area, 6), "position": r.position} for r in regions],
        }
    return told


def lines(told: dict[str, Any]) -> list[str]:
    """The findings in words, one line each."""
    made = []
    for role, called in (("hosts", "the whole"), ("donors", "a part")):
        for hit in told[role]:
            made.append(f"{called}: {words.visible(hit['path'])}: {hit['words']}")
    differs = told["differs"]
    if differs is not None:
        places = "; ".join(f"{r['position']}, {r['area'] * 100:.2g} %" for r in differs["regions"][:5])
        where = (
            f"differs from it in {differs['share'] * 100:.2g} % of the pixels ({places})"
            if places
            else "agrees with it"
        )
        made.append(
            f"The picture {where}, where the two can be compared ({differs['compared'] * 100:.0f} %). Which of them "
            f"was changed, this does not tell. {differs['facts']}".rstrip()
        )
    return made or [f"Nothing among the {told['searched']} pictures of the index. That says nothing about the picture."]


def contents(picture: Picture, found: Traced, searched: int) -> dict[str, bytes]:
    """trace.html, trace.json and, where the picture differs from a host, mask.png (255 where it does)."""
    made = {
        "trace.html": to_html(picture, found, searched).encode(),
        "trace.json": (json.dumps(to_dict(picture, found, searched), indent=2, ensure_ascii=False) + "\n").encode(),
    }
    if found.differs is not None:
        made["mask.png"] = overlay.png(found.differs.mask.astype(np.uint8) * np.uint8(255))
    return made


def to_html(picture: Picture, found: Traced, searched: int) -> str:
    """One page that needs nothing else."""
    told, hits = to_dict(picture, found, searched), views(picture, found)
    style = (files("ifdl.report") / "templates" / "trace.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        _templates()
        .get_template("trace.html")
        .render(item=picture.item, hits=hits, said=lines(told), searched=searched, style=Markup(style), policy=policy)
    )


def views(picture: Picture, found: Traced) -> list[dict[str, Any]]:
    """Every host and donor as it is shown: `role`, what was `told`, the archive's `entry`, and data addresses.

    `drawn` are both pictures side by side, None where the archive's file is gone or changed; `compared` holds ours,
    theirs laid over it, and marked where they differ, for the one host that was compared.
    """
    shown = []
    for role, group in (("The whole", found.hosts), ("A part", found.donors)):
        for hit in group:
            theirs = _their_pixels(hit)
            drawn = None if theirs is None else _uri(_joined(picture.pixels, theirs, hit))
            compared = None
            if found.differs is not None and theirs is not None and hit is found.compared:
                compared = _compared(picture.pixels, theirs, found)
            told = _hit(picture, hit)
            shown.append({"role": role, "told": told, "entry": hit.entry, "drawn": drawn, "compared": compared})
    return shown


def _hit(picture: Picture, hit: Hit) -> dict[str, Any]:
    entry, proof = hit.entry, hit.proof
    if hit.identical:
        said = "the very same file (sha256)"
    elif proof.inliers:
        sure = "proved" if hit.state == "proved" else "looks like it, not proved"
        said = f"{sure}: {proof.inliers} points agree; {proof.words}"
    else:
        mirrored = ", mirrored" if proof.mirrored else ""
        said = f"looks like it, not proved: perceptual hash {hit.bits} of 64 bits away{mirrored}"
    return {
        "path": _text(entry.path),
        "state": str(hit.state),
        "words": said,
        "inliers": proof.inliers,
        "matches": proof.matches,
        "score": round(hit.score, 5),
        "share": round(hit.share, 4),
        "identical": hit.identical,
        "mirrored": proof.mirrored,
        "scale": round(proof.scale, 4),
        "degrees": round(proof.degrees, 2),
        "matrix": None if proof.matrix is None else np.round(proof.matrix, 6).tolist(),
        "archive": {
            "sha256": entry.sha256,
            "width": entry.width,
            "height": entry.height,
            "bytes": entry.length,
            "format": entry.format,
            "dated": entry.dated,
            "camera": entry.camera,
        },
        "earlier": [{"picture": str(f.earlier), "because": f.words} for f in _facts(picture, hit)],
    }


def _facts(picture: Picture, hit: Hit) -> tuple[direction.Fact, ...]:
    """Of pictures that show the same as a whole, the facts that speak for one as the earlier."""
    return direction.facts(picture, hit) if hit.state == "proved" and hit.share >= HOST_SHARE else ()


def _text(name: str) -> str:
    """A file's name or path as text: what is none is shown by its bytes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _their_pixels(hit: Hit) -> NDArray[np.uint8] | None:
    """The archive's picture, turned left for right where the proof says so; None where the file is gone or changed."""
    try:
        pixels = intake.load(hit.entry.path, sha256=hit.entry.sha256).pixels
    except (IntakeError, OSError):
        return None
    return np.ascontiguousarray(pixels[:, ::-1]) if hit.proof.mirrored else pixels


def _joined(ours: NDArray[np.uint8], theirs: NDArray[np.uint8], hit: Hit) -> NDArray[np.uint8]:
    """Both pictures side by side (ours left), with lines between points that agree."""
    left, right = (overlay.reduced(p, VIEW) for p in (ours, theirs))
    gap = 16
    canvas = np.full((max(left.shape[0], right.shape[0]), left.shape[1] + gap + right.shape[1], 3), 255, np.uint8)
    canvas[: left.shape[0], : left.shape[1]] = left
    canvas[: right.shape[0], left.shape[1] + gap :] = right
    if hit.proof.ours is None or hit.proof.theirs is None:
        return canvas
    chosen = np.unique(np.linspace(0, len(hit.proof.ours) - 1, LINES).astype(int))
    for n in chosen:
        a = hit.proof.ours[n] * (left.shape[1] / ours.shape[1])
        b = hit.proof.theirs[n] * (right.shape[1] / theirs.shape[1]) + (left.shape[1] + gap, 0)
        ends = [(round(float(p[0])), round(float(p[1]))) for p in (a, b)]
        cv2.line(canvas, ends[0], ends[1], LINE, 1, cv2.LINE_AA)
        for end in ends:
            cv2.circle(canvas, end, 3, DOT, -1, cv2.LINE_AA)
    return canvas


def _compared(ours: NDArray[np.uint8], theirs: NDArray[np.uint8], found: Traced) -> dict[str, str]:
    """Our picture, theirs in its frame, and ours with what differs outlined: data addresses."""
    assert found.differs is not None
    moved, known = alignment.warp(theirs, found.differs.matrix, ours.shape[:2])
    moved[~known] = 255
    marked = ours.copy()
    outlines, _ = cv2.findContours(found.differs.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(marked, outlines, -1, LINE, max(1, max(ours.shape) // 400))
    seen = {"ours": ours, "theirs": np.clip(np.rint(moved), 0, 255).astype(np.uint8), "marked": marked}
    return {name: _uri(overlay.reduced(pixels, 1000)) for name, pixels in seen.items()}


def _uri(pixels: NDArray[np.uint8]) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(overlay.jpeg(pixels)).decode()


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("ifdl.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    made.filters["visible"] = lambda text: words.shortened(words.visible(str(text)))
    return made
