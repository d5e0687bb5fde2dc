"""The grammar of a model's answer: Type, Areas, Tampered content, Visual inconsistencies; asked for, and read back.

The four fields are those of the explanation data (Huang et al., SIDA, CVPR 2025). A model rambles, thinks aloud,
repeats itself and is cut short; the reader takes what is there and makes nothing up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ASK = (
    "Answer in four lines and nothing else:\n"
    "Type: what kind of change it is\n"
    "Areas: where it lies, and how large it is\n"
    "Tampered content: what was changed there\n"
    "Visual inconsistencies: what shows it"
)
NAMES = ("Type", "Areas", "Tampered content", "Visual inconsistencies")

_HEADING = re.compile(
    r"""(?:^[ \t>#*-]*(?:\d+[.)])?[ \t]*)?["'*_]*"""  # a list mark belongs to the heading, not to the field before
    r"""\b(?:(type)|(areas?)|(tampered[ _-]contents?)|(visual[ _-]inconsistenc(?:y|ies)))\b["'*_]*\s*[:=]""",
    re.I | re.M,
)
_EDGES = " \t\r\n;,*_#\"'{}"


@dataclass(frozen=True)
class Fields:
    """What a text says under each heading; None where the heading is missing or nothing follows it."""

    type: str | None = None
    areas: str | None = None
    tampered_content: str | None = None
    visual_inconsistencies: str | None = None


def parse(text: str) -> Fields:
    """The fields of "Type: …; Areas: …" or one a line, in any order, among other talk, in markdown, or cut short.

    A heading counts with a capital, or at the start of a line or clause; of the same heading twice, the first that
    says something.
    """
    headings = [match for match in _HEADING.finditer(text) if _is_heading(text, match)]
    starts = [match.start() for match in headings] + [len(text)]
    values: list[str | None] = [None] * 4
    for match, end in zip(headings, starts[1:], strict=True):
        field = (match.lastindex or 1) - 1
        values[field] = values[field] or text[match.end() : end].strip(_EDGES) or None
    return Fields(*values)


def write(fields: Fields) -> str:
    """The fields that say something, one a line."""
    said = (fields.type, fields.areas, fields.tampered_content, fields.visual_inconsistencies)
    return "\n".join(f"{name}: {value}" for name, value in zip(NAMES, said, strict=True) if value)


# ---------------------------------------------------------------- what a model adds to its answer


_THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)|\A.*?</think(?:ing)?>", re.S | re.I)
_SENTENCE = re.compile(r"[^\n]*?[.!?](?=[\s\"')\]]|\Z)[\"')\]]*|[^\n]+")


def answer(text: str, cut: bool = False) -> str:
    """The text without thoughts aloud and without sentences said before; `cut` drops a last one without an end."""
    kept: list[str] = []
    seen: set[str] = set()
    for line in _THOUGHT.sub("", text).splitlines():
        said = []
        for sentence in (match[0].strip() for match in _SENTENCE.finditer(line)):
            key = re.sub(r"\W+", " ", sentence).strip().lower()
            if key and key not in seen:
                seen.add(key)
                said.append(sentence)
        if said:
            kept.append(" ".join(said))
    whole = "\n".join(kept)
    if cut and kept and not kept[-1].endswith((".", "!", "?", '"', ")")):
        ends = [match.end() for match in re.finditer(r"[.!?](?=\s)|\n", whole)]
        whole = whole[: ends[-1]] if ends else ""
    return whole.strip()


def _is_heading(text: str, match: re.Match[str]) -> bool:
    before = text[: match.start()].rstrip(" \t")
    return match[match.lastindex or 0][0].isupper() or not before or before[-1] in "\n;:.,!?|{}"
