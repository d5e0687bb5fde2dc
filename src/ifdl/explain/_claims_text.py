"""From free text to sentences and clauses: markdown, lists and the four headings of the explanation data included."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEADING = re.compile(
    r"^(type|areas?|where|location|tampered[ _-]contents?|visual[ _-]inconsistenc(?:y|ies)|summary|findings?|"
    r"conclusion|evidence|limits?|note)\s*(?:[:=]\s*|$)",
    re.I,
)
_MARKS = re.compile(r"[*_`#>\"“”|{}]+|^\s*(?:[-•+–]|\d{1,2}[.)])\s+", re.M)
_ENDS = re.compile(r"(?<=[.!?])\s+(?=[\"'(A-Z0-9])|\n+")
_CLAUSES = re.compile(
    r";\s+|,\s+(?=(?:and|but|while|whereas|though|although|which|so|yet)\b)|"
    r"\s+(?=but\b|whereas\b|without (?!a |any )\w)"
)


@dataclass(frozen=True)
class Line:
    """One sentence as written, without marks; `heading` is the field that it stands under ("areas"), or ""."""

    text: str
    heading: str = ""

    @property
    def clauses(self) -> tuple[str, ...]:
        """Its clauses in lower case, without the heading and end marks."""
        words = plain(_HEADING.sub("", self.text))
        return tuple(part for clause in _CLAUSES.split(words) if (part := clause.strip(" .,:;!?")))


def lines(text: str) -> tuple[Line, ...]:
    """Every sentence and list item in order. A heading holds until the next one; one that stands alone says nothing."""
    found: list[Line] = []
    heading = ""
    for part in _ENDS.split(_MARKS.sub(_kept, text)):
        words = part.strip(" \t;,")
        match = _HEADING.match(words)
        if match:
            heading = re.sub(r"[ _-]+", " ", match[1].lower())
        if re.search(r"\w", words[match.end() :] if match else words):
            found.append(Line(words, heading))
    return tuple(found)


def plain(text: str) -> str:
    """Lower case, straight quotes and hyphens, one blank between words."""
    for odd, even in (("’", "'"), ("–", "-"), ("—", ", "), ("‑", "-"), (" ", " "), ("×", "x")):
        text = text.replace(odd, even)
    return re.sub(r"\s+", " ", text).strip().lower()


def words(clause: str) -> list[str]:
    """Words with letters in them, hyphens apart, possessives bare."""
    return [word.removesuffix("'s") for word in re.findall(r"[^\W\d_]+(?:'[a-z]+)?", clause)]


def _kept(match: re.Match[str]) -> str:
    return "" if "\n" not in match[0] else "\n"
