"""Likeness of texts without a model: TF-IDF of words, as an `ifdl.evaluate.text.Embedder` that says what it is.

It knows no synonyms: "upper right" and "top right" share one word of two. Its numbers are of another kind than those
of a sentence model, which is why its name stands beside them.

Source: Salton & Buckley, "Term-weighting approaches in automatic text retrieval", 1988; smoothed idf.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ifdl.evaluate.text import tokens


@dataclass(frozen=True)
class TfIdf:
    """`weight` is the idf of each word of the texts it was fitted to; the last column is for all other words."""

    name: str = "TF-IDF of words (fallback, not a sentence model)"
    weight: dict[str, float] = field(default_factory=dict, repr=False)

    def fitted(self, texts: Sequence[str]) -> TfIdf:
        """With the weights of a collection: log((1 + N) / (1 + n)) + 1 for a word in n of N texts."""
        seen = Counter(word for words in texts for word in set(tokens(words)))
        return replace(self, weight={w: math.log((1 + len(texts)) / (1 + n)) + 1 for w, n in sorted(seen.items())})

    def __call__(self, texts: list[str]) -> NDArray[np.float32]:
        """float32 N×D rows of unit length; a text without words lies on the last axis alone."""
        own = self if self.weight else self.fitted(texts)
        column = {word: n for n, word in enumerate(own.weight)}
        table = np.zeros((len(texts), len(column) + 1), np.float32)
        for row, words in zip(table, texts, strict=True):
            for word, times in Counter(tokens(words)).items():
                row[column.get(word, -1)] += times * own.weight.get(word, 1.0)
            if not row.any():
                row[-1] = 1.0
        return np.asarray(table / np.linalg.norm(table, axis=1, keepdims=True), np.float32)
