"""`ifdl.pipeline("image-forgery")`: the examination in the shape of a Hugging Face pipeline, and as honest as before.

A call gives one dict for each of the four questions, with a state and a graded word instead of a score: no number
here is a probability that a picture is altered.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ifdl.many import Source, examine_many

if TYPE_CHECKING:
    from PIL.Image import Image

    from ifdl.types import Report

TASK = "image-forgery"
Picture = Any  # a path, bytes, or a PIL image
Answers = list[dict[str, Any]]


def pipeline(
    task: str = TASK,
    *,
    clues: Iterable[str] | None = None,
    calibration: Path | None = None,
    deep: bool = False,
    workers: int = 1,
) -> ForgeryPipeline:
    """A callable that examines pictures. Raises ValueError for a task other than "image-forgery".

    The options are those of `ifdl.examine_many`.
    """
    if task != TASK:
        raise ValueError(f"there is no task {task!r}; ifdl has one: {TASK!r}")
    return ForgeryPipeline(None if clues is None else tuple(clues), calibration, deep, workers)


@dataclass(frozen=True)
class ForgeryPipeline:
    """Call it with a path, a file's bytes, a PIL image, or several of them.

    Give the path where there is one: an image in memory has lost its file, and with it what the file can tell of
    history and claims. Nothing is resized, and no address is fetched.
    """

    clues: tuple[str, ...] | None = None
    calibration: Path | None = None
    deep: bool = False
    workers: int = 1

    def __call__(self, pictures: Picture) -> Answers | list[Answers] | Iterator[Answers]:
        """Four answers for one picture; a list of such lists for a list or tuple; an iterator for any other iterable.

        An answer is {"label": the question, "state", "word", "words", "proposition", "sentence", "log10_ratio",
        "tests", "mask"}; `mask` is a PIL image of mode L in stored pixels, 255 where the answer points, or None.
        Of one picture alone, an unreadable one raises ValueError; among several it gives one dict with the label
        "not_examined".
        """
        if _is_one(pictures):
            (answers,) = self._answers([pictures])
            if answers[0]["label"] == "not_examined":
                raise ValueError(answers[0]["sentence"])
            return answers
        if not isinstance(pictures, Iterable):
            _source(pictures)
        answered = self._answers(pictures)
        return list(answered) if isinstance(pictures, list | tuple) else answered

    def _answers(self, pictures: Iterable[Picture]) -> Iterator[Answers]:
        found = examine_many(
            (_source(picture) for picture in pictures),
            self.workers,
            clues=self.clues,
            calibration=self.calibration,
            deep=self.deep,
        )
        for one in found:
            yield _refused(one) if isinstance(one, dict) else _told(one)


def _is_one(given: Any) -> bool:
    return isinstance(given, str | Path | bytes) or hasattr(given, "getbands")


def _source(picture: Picture) -> Source:
    """What `ifdl.examine` takes; an image in memory becomes a PNG file's bytes, which keep every pixel."""
    if isinstance(picture, str) and picture.split(":")[0].lower() in ("http", "https", "ftp", "data"):
        raise ValueError(f"{picture[:80]} is an address, and nothing is fetched; save the picture and name its path")
    if isinstance(picture, str | Path | bytes):
        return picture
    if not hasattr(picture, "getbands"):
        raise ValueError(f"a {type(picture).__name__} is no picture; give a path, bytes or a PIL image")
    buffer = io.BytesIO()
    try:
        picture.save(buffer, "PNG")
    except OSError as error:
        raise ValueError(f"an image of mode {picture.mode} cannot be kept as it is; convert it to RGB") from error
    return buffer.getvalue()


def _told(report: Report) -> Answers:
    from ifdl.report.words import state_words

    clue = {finding.id: finding.clue for finding in report.verdict.findings}
    return [
        {
            "label": str(answer.question),
            "state": str(answer.state),
            "word": str(answer.word) if answer.word else None,
            "words": state_words(answer),
            "proposition": answer.proposition,
            "sentence": answer.sentence,
            "log10_ratio": answer.log10_ratio,
            "tests": list(dict.fromkeys(clue[name] for name in answer.findings if name in clue)),
            "mask": _mask(report, answer.regions),
        }
        for answer in report.verdict.answers
    ]


def _mask(report: Report, named: tuple[str, ...]) -> Image | None:
    import numpy as np
    from PIL import Image

    from ifdl.signal.regions import mask_of

    regions = tuple(region for region in report.verdict.regions if region.id in named)
    if not regions:
        return None
    marked = mask_of(regions, (report.item.height, report.item.width))
    return Image.fromarray(np.where(marked, 255, 0).astype(np.uint8))


def _refused(row: dict[str, Any]) -> Answers:
    name, error = row["item"]["name"], row["error"]
    return [
        {"label": "not_examined", "state": "FAILED", "word": None, "words": error["kind"], "mask": None}
        | {"sentence": f"{name}: {error['reason']}"}
    ]
