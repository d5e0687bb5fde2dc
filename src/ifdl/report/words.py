"""Fixed words of a report: questions, states, metadata terms; and hostile text made harmless to read."""

from __future__ import annotations

import re

from ifdl.types import Answer, Item, Question, State, Word

QUESTIONS = {
    Question.HISTORY: "History",
    Question.LOCAL_EDIT: "Local edit",
    Question.SYNTHETIC_ORIGIN: "Synthetic origin",
    Question.CLAIMS: "Claims",
}
ASKED = {
    Question.HISTORY: "Was the file processed or re-saved after capture?",
    Question.LOCAL_EDIT: "Has some region another origin than the rest?",
    Question.SYNTHETIC_ORIGIN: "Was the picture made or filled by a generator?",
    Question.CLAIMS: "Does a statement in the file contradict another fact?",
}
# A symbol and words for each state, so that none rests on colour; none is a tick or a cross.
STATES = {
    State.SUPPORTED: ("●", "supported"),
    State.INCONCLUSIVE: ("◐", "inconclusive"),
    State.NO_TRACE_FOUND: ("○", "no trace found"),
    State.OUT_OF_DOMAIN: ("◇", "out of domain"),
    State.NOT_RUN: ("–", "not run"),
    State.FAILED: ("△", "failed"),
}
MEANINGS = {
    State.SUPPORTED: "what was found fits the first proposition better than the second.",
    State.INCONCLUSIVE: "the test ran; what it found is weak, conflicting or unstable.",
    State.NO_TRACE_FOUND: "the test ran where it applies and nothing passed its threshold. "
    "Edits that it cannot see remain possible.",
    State.OUT_OF_DOMAIN: "the test does not apply to a picture like this one and gives no answer.",
    State.NOT_RUN: "the test was not run, for the reason given.",
    State.FAILED: "the test broke off, for the reason given.",
}
# IPTC NewsCodes, digital source type (cv.iptc.org/newscodes/digitalsourcetype).
SOURCE_TYPES = {
    "digitalcapture": "captured by a digital camera",
    "computationalcapture": "captured by a camera that merges several exposures",
    "negativefilm": "digitised from a film negative",
    "positivefilm": "digitised from a film positive",
    "print": "digitised from a print",
    "screencapture": "captured from a screen",
    "virtualrecording": "recorded from a virtual scene",
    "humanedits": "edited by a person",
    "minorhumanedits": "edited slightly by a person",
    "digitalcreation": "created by a person with digital tools",
    "digitalart": "created by a person with digital tools",
    "composite": "put together from several elements",
    "compositecapture": "put together from several captures",
    "compositesynthetic": "put together from elements, some of them synthetic",
    "compositewithtrainedalgorithmicmedia": "partly made by a trained generator",
    "trainedalgorithmicmedia": "made by a trained generator",
    "algorithmicmedia": "made by an algorithm without training data",
    "algorithmicallyenhanced": "enhanced by an algorithm",
    "datadrivenmedia": "drawn from data",
}
# Control characters, and those that reorder or hide the text around them. Joiners stay: scripts need them.
UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """The text with every control, reordering or invisible character replaced by its code point."""
    return UNSEEN.sub(lambda found: f"⟨U+{ord(found.group()):04X}⟩", text)


def shortened(text: str, most: int = 600) -> str:
    """The text cut after `most` characters, with a note of how long it was."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters in all; whole in report.json)"


def state_words(answer: Answer) -> str:
    """The state with its graded word: "weak support", "established as a fact", "inconclusive"."""
    if answer.state != State.SUPPORTED or answer.word is None:
        return STATES[answer.state][1]
    return "established as a fact" if answer.word == Word.ESTABLISHED else f"{answer.word} support"


def source_types(item: Item) -> list[tuple[str, str]]:
    """What the file states of its digital source type: the raw value, and what the term stands for."""
    found = []
    for entry in item.metadata.entries:
        if entry.name.lower().replace("_", "").endswith("digitalsourcetype"):
            term = re.split(r"[/:]", entry.value.rstrip("/ "))[-1].lower()
            found.append((entry.value, SOURCE_TYPES.get(term, "a term this version does not know")))
    return found
