"""Judges of explanations: by the forge's record, by likeness to a reference, by a language model; each 0 to 5.

No judge is the truth. The rule judge knows what was done and reads few words; likeness rewards the tone of the
reference; a model has its own taste. So each score is told with its judge's full name, and `agreement` says how far
judges agree. A text is one row of a file: {"image": "images/000001_edited.jpg", "text": "…"}; what is true of it
comes from the manifest that `ifdl forge` wrote, or stands in the row itself ("reference", "record", "mask").

Criteria follow the fields of the explanation data (Huang et al., "SIDA", CVPR 2025), on the 0 to 5 scale on which
the paper lets GPT-5 judge (arXiv 2603.12930, §4); its own prompt is not published.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ifdl import intake
from ifdl.evaluate import grounding, text
from ifdl.evaluate._judge_tfidf import TfIdf
from ifdl.forge.record import Step

CRITERIA = ("type", "areas", "tampered_content", "visual_inconsistencies")
OVERALL = "overall"
BEST = 5.0
RULES = "rules-1"


@dataclass(frozen=True, eq=False)
class Case:
    """A text to judge and what is true of its picture, as far as it is known.

    `reference` is a text in the four fields, None where there is none; `steps` are the forge's record, empty for an
    authentic picture, None where it is not known; `mask` bool H×W in stored pixels. `source` is the photograph by
    which intervals are made.
    """

    id: str
    said: str
    reference: str | None = None
    steps: tuple[Step, ...] | None = None
    mask: NDArray[np.bool_] | None = field(default=None, repr=False)
    source: str = ""
    image: Path | None = None


@dataclass(frozen=True)
class Judged:
    """What one judge says of one text: `scores` 0 to 5 by criterion; a criterion that it cannot judge is missing."""

    id: str
    judge: str
    scores: dict[str, float]
    source: str = ""
    reason: str = ""


def cases(texts: Path, truth: Path | None = None) -> list[Case]:
    """The texts of a JSON Lines file, each with its row of the manifest `truth`, found by its image (or id).

    Raises ValueError, naming file and line, for a row without text or without a known picture.
    """
    known = {str(row.get("image") or row.get("id")): row for _, row in rows(truth)} if truth else {}
    found = []
    for n, row in rows(texts):
        name = str(row.get("image") or row.get("id") or "")
        if not name or not isinstance(row.get("text"), str):
            raise ValueError(f'{texts}, line {n}: a row needs "image" (or "id") and "text"')
        if truth and name not in known:
            raise ValueError(f"{texts}, line {n}: {truth} has no picture {name}")
        folder = (truth or texts).parent
        found.append(
            _case(name, row["text"], known.get(name, {}) | {k: v for k, v in row.items() if k in _OWN}, folder)
        )
    if len({case.id for case in found}) < len(found):
        raise ValueError(f"{texts} has two texts of one picture; a file holds the texts of one explainer")
    return found


def by_rules(case: Case) -> Judged:
    """Against the record, without a model: type; places against the mask; words and cues against what was done.

    Five times the share that is right (F1 where words are compared). Raises ValueError without a record.
    """
    if case.steps is None:
        raise ValueError(f"{case.id} has no record of what was done; the rule judge needs one")
    fields = text.parse(case.said)
    size = case.mask.shape if case.mask is not None else (1, 1)
    found = grounding.against_record(fields, case.steps, size)
    scores = {"type": BEST * found.type}
    if not case.steps:
        scores["areas"] = BEST * float(fields.areas is not None and not grounding.places(fields.areas))
    elif case.mask is not None:
        agreed = grounding.mask_agreement(fields.areas, case.mask)
        total = agreed.pointed + agreed.covered
        scores["areas"] = BEST * (2 * agreed.pointed * agreed.covered / total if total else 0.0)
    else:
        scores["areas"] = BEST * found.areas.f1
    if case.steps:  # nothing was edited in an authentic picture, and the record has no words for that
        scores |= {"tampered_content": BEST * found.content.f1, "visual_inconsistencies": BEST * found.cues.f1}
    return Judged(case.id, RULES, _rounded(scores), case.source)


def embedder(fallback: bool) -> text.Embedder:
    """all-MiniLM-L6-v2; where the extra `text` is missing, TF-IDF only if it was asked for. Raises ImportError."""
    try:
        return text.minilm()
    except ImportError:
        if fallback:
            return TfIdf()
        raise


def by_likeness(every: Sequence[Case], model: text.Embedder) -> list[Judged]:
    """Cosine similarity to the reference, by field, five times what is above 0; empty fields score 0.

    Overall is the plain mean. Raises ValueError for a text without a reference.
    """
    lacking = [case.id for case in every if case.reference is None]
    if lacking:
        raise ValueError(f"{lacking[0]} has no reference text; likeness needs one")
    said = [text.parse(case.said) for case in every]
    true = [text.parse(case.reference or "") for case in every]
    if isinstance(model, TfIdf):
        model = model.fitted([value for f in [*said, *true] for value in vars(f).values() if value])
    table = text.cosine_by_field(said, true, model)
    return [
        Judged(
            case.id,
            f"cosine, {model.name}",
            _rounded({c: BEST * max(0.0, float(table[c][n])) for c in CRITERIA if not np.isnan(table[c][n])}),
            case.source,
        )
        for n, case in enumerate(every)
    ]


def means(judged: Iterable[Judged]) -> dict[str, float]:
    """The mean of each criterion over all texts that have it."""
    every = list(judged)
    names = dict.fromkeys(name for one in every for name in one.scores)
    return {name: float(np.mean([one.scores[name] for one in every if name in one.scores])) for name in names}


def rows(path: Path) -> Iterable[tuple[int, dict[str, Any]]]:
    """Line numbers and objects of a JSON Lines file. Raises ValueError naming file and line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    for n, line in enumerate(lines, 1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(f"{path}, line {n} is not JSON: {error}") from error
            if not isinstance(row, dict):
                raise ValueError(f"{path}, line {n} is not a JSON object")
            yield n, row


_OWN = ("reference", "record", "mask", "source", "caption", "label")


def _case(name: str, said: str, row: dict[str, Any], folder: Path) -> Case:
    steps = _steps(name, row)
    reference = row.get("reference")
    if reference is None and isinstance(row.get("caption"), dict):
        own = row["caption"]
        heads = ("Type", "Areas", "Tampered content", "Visual inconsistencies")
        reference = "\n".join(f"{head}: {own.get(key, '')}" for head, key in zip(heads, CRITERIA, strict=True))
    elif reference is None and row.get("label") == "authentic":
        reference = "Type: Authentic\nAreas: none\nTampered content: none\nVisual inconsistencies: none known"
    image = folder / name
    mask = None
    if isinstance(row.get("mask"), str):
        try:
            mask = intake.load(folder / row["mask"]).pixels[..., 0] > 127
        except intake.IntakeError as error:
            raise ValueError(f"the mask of {name} cannot be read: {error}") from error
    source = str(row.get("source") or name)
    return Case(name, said, reference, steps, mask, source, image if image.is_file() else None)


def _steps(name: str, row: dict[str, Any]) -> tuple[Step, ...] | None:
    record = row.get("record")
    told = record.get("steps") if isinstance(record, dict) else record
    if told is None:
        return () if row.get("label") == "authentic" else None
    try:
        return tuple(
            Step(
                engine=str(step["engine"]),
                action=str(step["action"]),
                content=str(step["content"]),
                target_box=tuple(step["target_box"]),
                traces=tuple(step.get("traces", ())),
                cues=tuple(step.get("cues", ())),
            )
            for step in told
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the record of {name} is not one of the forge: {error}") from error


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    own = {name: round(score, 4) for name, score in scores.items()}
    return own | {OVERALL: round(float(np.mean(list(own.values()))), 4)} if own else own
