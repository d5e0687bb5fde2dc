"""The child process that examines: a crash, a hang or a leak in it costs one picture, never the service.

It is the package's own code and trusted as such; strangers' bytes are decoded in a further child under limits.
"""

from __future__ import annotations

import io
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from ifdl import experts, intake, spine
from ifdl.types import Answer, Picture, Question
from ifdl.verdict import battery

Tell = Callable[[str, Any], None]


def main(connection: Connection, limits: intake.Limits) -> None:
    """Serve pictures as (bytes, name) until the other end closes. Messages are (kind, what); see `examined`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to end
    with intake.Decoder(limits) as decoder:
        _warm(decoder)
        connection.send(("ready", None))
        while True:
            try:
                data, name = connection.recv()
            except EOFError:
                return
            examined(decoder, data, name, lambda kind, what: connection.send((kind, what)))


def examined(decoder: intake.Decoder, data: bytes, name: str, tell: Tell) -> None:
    """Examine one file. Tells "picture", "early" answers, each "step", and at the end "report", or "refused"."""
    began = time.perf_counter()
    try:
        picture = decoder.decode(data, name)
    except intake.IntakeError as error:
        tell("refused", (error.kind, error.reason))
        return
    spent = {"intake": time.perf_counter() - began}
    tell("picture", picture)
    tell("early", early(picture))
    report = spine.examine_picture(picture, progress=lambda step: tell("step", step), seconds=spent)
    tell("report", replace(report, picture=None))  # the other end has the pixels


def early(picture: Picture) -> list[Answer]:
    """Answers to the questions that only quick tests answer, at once; the whole examination gives the same."""
    cards = {name: battery.card(name) for name in battery.names() if name not in experts.names()}
    quick = [name for name, card in cards.items() if Question.LOCAL_EDIT not in card.questions]
    slow = {q for name in battery.names() if name not in quick for q in battery.card(name).questions}
    verdict = spine.examine_picture(picture, clues=quick).verdict
    return [answer for answer in verdict.answers if answer.question not in slow]


def _warm(decoder: intake.Decoder) -> None:
    """Start the decoding child and load the experts, so that the first picture does not wait for them."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 40).convert("RGB").save(buffer, "PNG")
    spine.examine_picture(decoder.decode(buffer.getvalue(), "warm"))
