"""RAVFE on tiny random models of the real classes: the formula, the identity, the gradient, the alignment."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("transformers", reason="needs the train extra")

from ifdl.nets import ravfe, vlm, vlm_tiny  # noqa: E402
from ifdl.nets.ravfe import Ravfe  # noqa: E402

FAMILIES = tuple(vlm.CLASSES)
PICTURE = np.random.default_rng(0).integers(0, 255, (50, 80, 3), dtype=np.uint8)  # not square
MASK = np.zeros((50, 80), bool)
MASK[10:20, 50:70] = True

every_family = pytest.mark.parametrize("family", FAMILIES)


@cache
def model(family: str) -> vlm.Vlm:
    return vlm_tiny.tiny(family)


def entering(loaded: vlm.Vlm, mask: Any, how: Ravfe, masked: bool = False) -> list[Any]:
    """What each projector is given for a picture with a mask; `masked`: for the masked picture alone."""
    view = how.look(PICTURE, loaded.eyes, mask)
    taken: list[Any] = []
    modules = ravfe.projectors(loaded.model)
    with torch.no_grad():
        if masked:
            with ravfe._hooked(modules, lambda _, given: taken.append(given[0])):
                loaded.model.get_image_features(**ravfe.inputs(view, loaded.eyes, True))
        else:
            with (
                ravfe.guided(loaded.model, loaded.eyes, view, how),
                ravfe._hooked(modules, lambda _, given: taken.append(given[0])),
            ):
                loaded.model.get_image_features(**ravfe.inputs(view, loaded.eyes))
    return taken


@every_family
def test_alpha_reaches_the_encoder_by_the_formula(family: str) -> None:
    own = model(family)
    plain = entering(own, None, Ravfe())
    behind = entering(own, MASK, Ravfe(), masked=True)
    assert len(plain) == (3 if family == "qwen3_vl" else 1)
    assert all((p - b).abs().max() > 1e-4 for p, b in zip(plain, behind, strict=True))
    for alpha in (0.0, 0.25, 0.5, 1.0):
        for mixed, p, b in zip(entering(own, MASK, Ravfe(alpha)), plain, behind, strict=True):
            assert mixed.shape == p.shape, "the number of tokens does not change"
            assert torch.allclose(mixed, alpha * p + (1 - alpha) * b, atol=1e-6)
    assert Ravfe().alpha == 0.5


@every_family
@pytest.mark.parametrize("how", [Ravfe(), Ravfe(0.3, "coverage", "blur", True)])
def test_a_whole_mask_and_no_mask_are_the_identity(family: str, how: Ravfe) -> None:
    own = model(family)
    plain = entering(own, None, how)
    for whole, p in zip(entering(own, np.ones_like(MASK), how), plain, strict=True):
        assert torch.equal(whole, p)


@every_family
def test_the_mask_changes_what_the_model_says(family: str) -> None:
    own = model(family)
    given, view = own.given(PICTURE, MASK, "What is there?", "A patch.")
    with torch.no_grad(), own.looking(view, given["input_ids"]):
        guided = own.model(**given).logits
    with torch.no_grad():
        plain = own.model(**given).logits
    assert guided.shape == plain.shape and (guided - plain).abs().max() > 1e-5


@every_family
def test_masked_pixels_are_zero_after_normalisation(family: str) -> None:
    own = model(family)
    view = Ravfe().look(PICTURE, own.eyes, MASK)
    assert view.masked is not None and view.coverage is not None
    outside = view.masked == 0
    assert outside.any() and np.array_equal(view.masked[~outside], view.values[~outside])


@every_family
def test_mask_and_picture_stay_aligned(family: str) -> None:
    """A picture that is white where the mask is comes out as white as the mask comes out kept, padding aside."""
    own = model(family)
    white = np.where(MASK[..., None], np.uint8(255), np.uint8(0)).repeat(3, axis=2)
    levels = unit_levels(Ravfe().look(white, own.eyes, None).values, own.eyes)
    all_white = Ravfe(soft=True).look(np.full_like(white, 255), own.eyes, MASK)
    assert all_white.masked is not None
    there = all_white.values != 0
    kept = np.divide(all_white.masked, all_white.values, where=there, out=np.ones_like(all_white.values))
    inside = unit_levels(all_white.values, own.eyes) > 0.999
    assert np.abs(levels - kept)[inside].max() < 1e-3 and 0.005 < kept[inside].mean() < 0.2


def unit_levels(values: Any, eyes: Any) -> Any:
    """Normalised values back to 0-1."""
    shape = (1, 3, 1) if eyes.layout == "patches" else (1, 3, 1, 1)
    shaped = values.reshape(len(values), 3, -1) if eyes.layout == "patches" else values
    return (shaped * np.reshape(eyes.std, shape) + np.reshape(eyes.mean, shape)).reshape(values.shape)


@every_family
def test_coverage_weights_follow_the_projectors_order(family: str) -> None:
    """With coverage weights only tokens of patches the mask touches differ from the plain ones."""
    own = model(family)
    view = Ravfe().look(PICTURE, own.eyes, MASK)
    assert view.coverage is not None
    order = ravfe._in_order(own.model, own.eyes, view, ravfe.inputs(view, own.eyes, True)).reshape(-1)
    plain = entering(own, None, Ravfe())[-1]
    mixed = entering(own, MASK, Ravfe(weights="coverage"))[-1]
    changed = (mixed - plain).abs().reshape(len(order), -1).amax(1) > 0
    assert torch.equal(changed, order > 0) and 0 < int(changed.sum()) < len(order)
    if family == "qwen2_5_vl":  # windows: the projector's order is not the picture's
        assert not np.array_equal(order.numpy(), view.coverage.reshape(-1))


def test_windows_of_qwen_are_where_they_are_said_to_be() -> None:
    """Independently of the formula: the first layer's input shows which patch each place holds."""
    own = model("qwen2_5_vl")
    view = Ravfe().look(PICTURE, own.eyes, MASK)
    given = ravfe.inputs(view, own.eyes)
    taken: list[Any] = []
    handle = own.model.model.visual.blocks[0].register_forward_pre_hook(lambda _, args: taken.append(args[0]))
    with torch.no_grad():
        own.model.get_image_features(**given)
        embedded = own.model.model.visual.patch_embed(given["pixel_values"])
    handle.remove()
    places = torch.cdist(taken[0], embedded).argmin(1)
    assert view.coverage is not None
    order = ravfe._in_order(own.model, own.eyes, view, given)
    assert torch.equal(order, torch.from_numpy(view.coverage)[places])


@every_family
def test_the_gradient_reaches_exactly_what_trains(family: str) -> None:
    own = vlm_tiny.tiny(family)
    own.model.requires_grad_(False)
    trains = {n: p for n, p in own.model.named_parameters() if "lm_head" in n or ("q_proj" in n and "layers.1" in n)}
    seen = next(n for n, _ in own.model.named_parameters() if "patch_embed" in n)
    trains[seen] = dict(own.model.named_parameters())[seen]  # and through both pictures into the tower
    for parameter in trains.values():
        parameter.requires_grad_(True)
    own.loss(PICTURE, MASK, "What?", "A patch.").backward()
    reached = {n for n, p in own.model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert reached == set(trains)


@every_family
def test_the_prior_lowers_attention_outside_the_mask(family: str) -> None:
    own = model(family)
    given, view = own.given(PICTURE, MASK, "What?")
    cover = ravfe.token_coverage(own.model, own.eyes, view)
    places = torch.nonzero(given["input_ids"][0] == own.model.config.image_token_id)[:, 0]
    assert len(cover) == len(places) and 0 < cover.mean() < 1

    def logits(prior: float | None, covered: Any = cover) -> Any:
        with torch.no_grad():
            if prior is None:
                return own.model(**given).logits
            with ravfe.attending(own.model, places, covered, prior):
                return own.model(**given).logits

    assert torch.allclose(logits(2.0, np.ones_like(cover)), logits(None), atol=1e-5)
    assert (logits(2.0) - logits(None)).abs().max() > 1e-5
    with ravfe.attending(own.model, places, cover, 1e9), torch.no_grad():  # tokens outside are then not seen at all
        hidden = own.model(**given).logits[:, -1]
    own_ids = given["input_ids"].clone()
    with torch.no_grad():
        dark = given | {"pixel_values": torch.where(given["pixel_values"] == 0, 0.1, given["pixel_values"])}
        with ravfe.attending(own.model, places, cover, 1e9):
            assert torch.allclose(own.model(**dark).logits[:, -1], hidden, atol=1e-5)
    assert torch.equal(own_ids, given["input_ids"])


def test_mistakes_are_said() -> None:
    own = model("llava")
    with pytest.raises(ValueError, match="empty"):
        own.words(PICTURE, np.zeros_like(MASK), "What?", 1)
    with pytest.raises(ValueError, match="the mask is"):
        own.words(PICTURE, MASK[:20], "What?", 1)
    with pytest.raises(ValueError, match="alpha"):
        Ravfe(1.5)
    with pytest.raises(ValueError, match="another picture"):
        ravfe.blend(torch.zeros(2, 3), torch.zeros(3, 3), 0.5)
    view = Ravfe().look(PICTURE, own.eyes, MASK)
    with pytest.raises(RuntimeError, match="never reached"), ravfe.guided(own.model, own.eyes, view, Ravfe()):
        pass


def test_a_mask_of_one_pixel_survives() -> None:
    eyes = model("llava").eyes
    dot = np.zeros((400, 640), bool)
    dot[100, 300] = True
    view = Ravfe().look(np.full((400, 640, 3), 9, np.uint8), eyes, dot)
    assert view.masked is not None and 0 < np.count_nonzero(view.masked[0, 0, 5:23]) < 28 * 18
