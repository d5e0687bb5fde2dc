"""Who may see masks: a weak batch has no place for one, and what it does not see changes nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("accelerate", reason="the train extra is not installed")

from ifdl.train import loop, recipe, supervision  # noqa: E402
from ifdl.train.data import EDITED, Batch, graded  # noqa: E402
from tests.train import Tiny, photographs, plain  # noqa: E402


def batch(count: int = 4, side: int = 16) -> Batch:
    rng = np.random.default_rng(0)
    masks = rng.random((count, side, side)) < 0.3
    masks[1::2] = False
    pictures = tuple(rng.integers(0, 256, (side, side, 3), np.uint8) for _ in range(count))
    grades = np.where(masks, rng.integers(1, 256, masks.shape), 0).astype(np.uint8)
    return Batch(3, pictures, masks, np.array([1, 0] * (count // 2)), ("a",) * count, grades)


class Weak(Tiny):
    """Learns from labels; told a mask, it would fail."""

    SUPERVISION = "label"

    def loss(self, outputs: Any, truth: Any) -> dict[str, Any]:
        assert truth.keys() == {"label"}
        return {"classes": torch.nn.functional.cross_entropy(outputs["classes"], truth["label"])}


def test_a_weak_batch_has_no_place_for_a_mask() -> None:
    assert {field.name for field in dataclasses.fields(supervision.WeakBatch)} == {"number", "pictures", "labels"}
    with pytest.raises(TypeError):
        supervision.WeakBatch(0, (), np.zeros(0, np.int64), masks=batch().masks)  # type: ignore[call-arg]


def test_shuffled_masks_change_nothing_for_a_weak_system() -> None:
    own = batch()
    other = dataclasses.replace(own, masks=own.masks[::-1], grades=own.grades[::-1])
    one, two = (supervision.tensors_of(Weak(), b, 0) for b in (own, other))
    assert one[1].keys() == {"label"} and torch.equal(one[1]["label"], torch.tensor([1, 0, 1, 0]))
    for side, same in zip(one, two, strict=True):
        assert side.keys() == same.keys() and all(torch.equal(side[name], same[name]) for name in side)
    # The control: a system that may see masks does see the difference.
    strong = [supervision.tensors_of(Tiny(), b, 0)[1]["mask"] for b in (own, other)]
    assert not torch.equal(*strong)


def test_a_mask_never_chooses_a_weak_systems_checkpoint(tmp_path: Path) -> None:
    place = photographs(tmp_path, missing=(8, 9))
    raw = plain(place, tmp_path / "run", schedule={"steps": 2}, validation={"cache": str(tmp_path / "c")})
    with pytest.raises(ValueError, match="iou is measured on masks"):
        loop.train(recipe.parse(raw), Weak())
    raw["validation"]["metric"] = "picture_auc"
    assert loop.train(recipe.parse(raw), Weak()).step == 2


def test_graded_truth_is_the_change_inside_the_mask_and_nothing_outside() -> None:
    before = np.full((4, 6, 3), 100, np.uint8)
    after = before.copy()
    after[:, 3:] = 140
    mask = np.zeros((4, 6), bool)
    mask[:, 4:] = True
    told = graded(before, after, mask)
    assert (told[:, 4:] == 40).all() and (told[:, :4] == 0).all()

    class Graded(Tiny):
        SUPERVISION = "grade"

    own = batch()
    truth = supervision.tensors_of(Graded(), own, 0)[1]
    assert truth["grade"].shape == truth["mask"].shape
    assert float(truth["grade"].max()) == pytest.approx(own.grades.max() / 255)


def test_augmenting_is_seeded_and_may_turn_an_untouched_picture_into_an_edited_one() -> None:
    class Altering(Tiny):
        def augment(self, pixels: Any, mask: Any, rng: np.random.Generator) -> tuple[Any, Any]:
            return pixels, mask | (rng.random(mask.shape) < 0.5)

    one, again, other = (supervision.tensors_of(Altering(), batch(), seed)[1] for seed in (0, 0, 1))
    assert torch.equal(one["mask"], again["mask"]) and not torch.equal(one["mask"], other["mask"])
    assert (one["label"] == EDITED).all()
