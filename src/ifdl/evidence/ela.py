"""Error level analysis: how much each place changes when the picture is saved once more as JPEG. A layer to look at.

It is what many analysts know, so it is here to be looked at beside clues that decide something. It is never scored:
edges, texture and colour change more than plain parts in any picture, and no threshold tells an edit from them.
Source: Krawetz, "A picture's worth: digital image analysis and forensics", Black Hat 2007.
"""

from __future__ import annotations

import cv2
import numpy as np
import simplejpeg

from ifdl.types import Card, FalseAlarms, Finding, Map, Picture, Question, State

QUALITY = 90
STRIPE = 512  # rows saved at a time: memory does not grow with the picture
FULL = 24.0  # grey levels of change that are drawn brightest
SMALLEST = 16

CARD = Card(
    id="ela",
    title="Error level analysis",
    questions=(Question.LOCAL_EDIT,),
    version="1",
    citation="Krawetz, A picture's worth: digital image analysis and forensics, Black Hat 2007",
    domain=f"Any picture of at least {SMALLEST} pixels a side; it draws most of pictures that were saved as JPEG.",
    threshold="None: it draws a layer and never speaks.",
    false_alarms=FalseAlarms(data="camera", measured=False, note="it never speaks, so it raises no alarm"),
    look_for="A part that is brighter or darker than other parts of the same texture, edge by edge.",
    ignore="Edges, fine texture, saturated colours and lettering, which are bright in untouched pictures too.",
    limits=(
        "It decides nothing: use it to look, and the other tests to judge.",
        "After another save at a quality like the test's own it shows texture alone.",
    ),
    experimental=True,
)


def run(picture: Picture) -> list[Finding]:
    """One map of the change at JPEG quality 90, 4:4:4; never a state that says more than that it ran."""
    height, width = picture.height, picture.width
    if min(height, width) < SMALLEST:
        reason = f"The picture is smaller than {SMALLEST} pixels."
        return [Finding(CARD.id, Question.LOCAL_EDIT, State.OUT_OF_DOMAIN, reason, citation=CARD.citation)]
    stride = max(1, -(-max(height, width) // 512))
    rows = []
    step = STRIPE // stride * stride
    for top in range(0, height, step):
        stripe = np.ascontiguousarray(picture.pixels[top : top + step])
        saved = simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(stripe, QUALITY, colorsubsampling="444"))
        change = cv2.absdiff(stripe, saved).max(2).astype(np.float32)
        cells = (-(-width // stride), -(-stripe.shape[0] // stride))
        padded = cv2.copyMakeBorder(
            change, 0, cells[1] * stride - change.shape[0], 0, cells[0] * stride - width, cv2.BORDER_REPLICATE
        )
        rows.append(cv2.resize(padded, cells, interpolation=cv2.INTER_AREA))
    heat = np.concatenate(rows)
    sentence = (
        f"A layer to look at: what changes when the picture is saved again at JPEG quality {QUALITY} (on average "
        f"{float(heat.mean()):.1f} grey levels). It is not scored."
    )
    return [
        Finding(
            CARD.id,
            Question.LOCAL_EDIT,
            State.NO_TRACE_FOUND,
            sentence,
            map=Map.of(heat / FULL, (height, width), stride),
            numbers={"quality": QUALITY, "mean_change": round(float(heat.mean()), 1)},
            citation=CARD.citation,
        )
    ]
