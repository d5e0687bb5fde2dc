"""From a record to a caption in the field format of the explanation data: Type, Areas, Tampered content,
Visual inconsistencies; wording varied by the generator, facts never.

Every phrase follows from a step's record: what was done, where, and the cues that the edit should show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ifdl.forge.record import Step
from ifdl.signal.regions import position_words

# What a person could point at, for each cue: several ways to say the same.
PHRASES: dict[str, tuple[str, ...]] = {
    "edges": ("its outline is harder or softer than its surroundings", "the border of the part looks cut or smeared"),
    "lighting": ("it is lit differently from the rest", "light and shade on it do not fit the scene"),
    "shadow": ("its shadow is missing or falls the wrong way", "the shadows do not agree with the rest"),
    "texture": ("its surface texture does not continue the surroundings", "the texture changes at its border"),
    "resolution": ("its detail is coarser or finer than the rest", "it shows another resolution than its surroundings"),
    "noise": ("its noise differs from that of the rest", "the grain of the picture changes inside it"),
    "colour": ("its colours do not match the surroundings", "its colour balance differs from the rest"),
    "perspective": ("its perspective does not fit the scene", "it is seen from another angle than the rest"),
    "proportion": ("its size does not fit what stands around it", "its proportions are out of scale"),
    "repetition": ("the same detail appears twice", "it repeats another part of the picture exactly"),
    "sharpness": ("it is sharper or softer than what lies at the same distance", "its sharpness breaks with the rest"),
    "context": ("something seems to be missing or out of place there", "it does not belong to what happens around it"),
    "reflection": ("its reflections do not match the scene", "the reflections disagree with the surroundings"),
    "text": ("its characters differ in shape, weight or alignment", "the lettering does not line up with the rest"),
}
TYPES = ("Partially edited", "Local edit", "Tampered in part")
OPENINGS = ("{action} at the {place}", "at the {place}, {action}", "{action} in the {place} of the picture")


@dataclass(frozen=True)
class Caption:
    """The four fields of the explanation data."""

    type: str
    areas: str
    tampered_content: str
    visual_inconsistencies: str

    def text(self) -> str:
        """The fields as the explanation data write them, one a line."""
        return (
            f"Type: {self.type}\nAreas: {self.areas}\nTampered content: {self.tampered_content}\n"
            f"Visual inconsistencies: {self.visual_inconsistencies}"
        )


def caption(steps: Sequence[Step], size: tuple[int, int], rng: np.random.Generator) -> Caption:
    """The caption of a forgery of (height, width) `size`; an authentic picture has no steps and says so."""
    if not steps:
        return Caption("Authentic", "none", "none", "none known")
    places, contents, signs = [], [], []
    for step in steps:
        x, y, width, height = step.target_box
        place = position_words(x + width / 2, y + height / 2, size)
        share = 100 * width * height / (size[0] * size[1])
        places.append(f"{place}, x {x}-{x + width}, y {y}-{y + height} (its box covers {share:.2g} % of the picture)")
        contents.append(str(rng.choice(OPENINGS)).format(action=f"{step.content}, {step.action}", place=place))
        for cue in step.cues:
            signs.append(f"{cue}: {rng.choice(PHRASES[cue])}")
    return Caption(
        str(rng.choice(TYPES)),
        "; ".join(places),
        "; ".join(contents),
        "; ".join(dict.fromkeys(signs)) or "none that a person would see",
    )
