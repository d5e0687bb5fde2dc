"""Several edits of one picture in order: two to four engines, each working on what the one before left.

A real forgery is rarely one stroke: something is pasted, something else painted out, the join softened. Every
edit stays findable: none may cover half of an earlier one. The mask is the union; the steps are in the order in
which they were done.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ifdl import forge as engines
from ifdl.forge.record import Donors, Forgery, Mask, Material
from ifdl.types import Card, Question

Rng = np.random.Generator

CARD = Card(
    id="sequence",
    title="Sequence: two to four edits of other engines, one after another",
    questions=(Question.LOCAL_EDIT,),
    citation="Shao et al., ECCV 2022 (edits detected in their order)",
    domain="Any photograph that the engines copymove, splice, remove and retouch can edit at least twice.",
    limits=(
        "The mask is the union of all edits; which pixel belongs to which is told by the steps' boxes only.",
        "A later edit may cover up to half of an earlier one.",
    ),
)
ENGINES, CHANCES = ("splice", "copymove", "remove", "retouch"), (0.3, 0.25, 0.25, 0.2)
LENGTHS, LENGTH_CHANCES = (2, 3, 4), (0.6, 0.28, 0.12)
MOST_HIDDEN, MOST_EDITED = 0.5, 0.6  # of an earlier edit, of the picture
TRIES = 5  # spare attempts


def forge(host: Material, donors: Donors, rng: Rng) -> Forgery | None:
    """Two to four edits of the host in order; None if fewer than two could be made."""
    wanted = int(rng.choice(LENGTHS, p=LENGTH_CHANCES))
    done: list[Forgery] = []
    masks: list[Mask] = []  # what is left to see of each edit
    sizes: list[int] = []
    current, last = host, ""
    for _ in range(wanted + TRIES):
        name = str(rng.choice(ENGINES, p=CHANCES))
        if name == last:  # the same twice in a row is what that engine does by itself
            continue
        made = engines.load(name).forge(current, donors, rng)
        if made is None or made.pixels.shape != host.pixels.shape:
            continue
        left = [mask & ~made.mask for mask in masks]
        hidden = any(np.count_nonzero(m) < (1 - MOST_HIDDEN) * size for m, size in zip(left, sizes, strict=True))
        union = np.logical_or.reduce([made.mask, *masks])
        if hidden or union.mean() > MOST_EDITED:
            continue
        masks = [*left, made.mask]
        sizes.append(int(np.count_nonzero(made.mask)))
        done.append(made)
        current, last = replace(host, pixels=made.pixels), name
        if len(done) == wanted:
            break
    if len(done) < 2:
        return None
    return Forgery(current.pixels, np.logical_or.reduce(masks), tuple(step for made in done for step in made.steps))
