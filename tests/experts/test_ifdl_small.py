"""The shipped expert's network and geometry: gradients, any picture, controls that can fail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("transformers", reason="the train extra is not installed")

from ifdl.experts import ifdl_small  # noqa: E402
from ifdl.intake import decode  # noqa: E402
from ifdl.nets.ifdl_small import IfdlSmall, Matching, Shape  # noqa: E402
from ifdl.types import State  # noqa: E402
from tests.photographs import bundled  # noqa: E402


def truth(count: int, side: int) -> dict[str, torch.Tensor]:
    mask = torch.zeros(count, 1, side, side)
    mask[0, :, 8:24, 8:40] = 1
    label = torch.tensor([1] + [0] * (count - 1))
    return {"mask": mask, "label": label, "known": torch.ones(count, dtype=torch.bool)}


def test_at_most_seven_million_parameters() -> None:
    assert sum(p.numel() for p in IfdlSmall().parameters()) < 7e6


def test_shapes_at_other_sizes_and_gradient_everywhere() -> None:
    expert = ifdl_small.tiny()
    net = expert.net()
    outputs = net(pixels=torch.rand(2, 3, 64, 96))
    assert outputs["map"].shape == outputs["reliability"].shape == (2, 1, 16, 24) and outputs["classes"].shape == (2, 3)
    net.inject.weight.data.normal_()  # zero at first, which holds the gradient behind it back for one step
    known = truth(2, 64)
    terms = expert.loss(net(pixels=torch.rand(2, 3, 64, 64)), known)
    sum(terms.values()).backward()
    idle = {n for n, p in net.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.abs().sum())}
    # The fourth of SAM's queries, and the norms of what is only read before them, answer nothing here.
    assert not {n for n in idle if not n.startswith(("decoder.", "vit."))}, idle


def test_unknown_masks_teach_the_map_nothing() -> None:
    expert = ifdl_small.tiny()
    known = truth(2, 64) | {"known": torch.zeros(2, dtype=torch.bool)}
    outputs = expert.net()(pixels=torch.rand(2, 3, 64, 64))
    terms = expert.loss(outputs, known)
    assert all(float(terms[n].detach()) == 0 for n in ("bce", "dice", "edge", "reliability"))
    assert float(terms["classes"].detach()) > 0


def test_switches_take_a_part_away_and_nothing_else() -> None:
    pixels = torch.rand(1, 3, 64, 64)
    shape = {"width": 16, "noise": (4, 8, 8, 8), "matching": 8, "nearest": 2, "layers": 2}
    whole = IfdlSmall(Shape(**shape)).eval()  # type: ignore[arg-type]
    whole.inject.weight.data.normal_()
    with torch.no_grad():
        full = whole(pixels)["map"]
        for switch in ("use_noise", "use_dense", "use_matching"):
            other = IfdlSmall(Shape(**shape, **{switch: False})).eval()  # type: ignore[arg-type]
            other.load_state_dict(whole.state_dict())
            assert not torch.allclose(other(pixels)["map"], full, atol=1e-5), switch
        prompted = IfdlSmall(Shape(**shape, token_prompt=True)).eval()  # type: ignore[arg-type]
        prompted.load_state_dict(whole.state_dict(), strict=False)
        assert not torch.allclose(prompted(pixels)["map"], full, atol=1e-5)


def test_matching_finds_a_copy_and_not_its_neighbourhood() -> None:
    matching = Matching(8, 8, 2)
    features = torch.randn(1, 8, 12, 12)
    features[:, :, 8:10, 8:10] = features[:, :, 1:3, 1:3]
    with torch.no_grad():
        best = matching(features)[0, 0]
    assert best[1:3, 1:3].min() > 0.999 and best[8:10, 8:10].min() > 0.999
    rest = best.clone()
    rest[1:3, 1:3] = rest[8:10, 8:10] = 0
    assert rest.max() < 0.999


@pytest.mark.parametrize("size", [(5, 7), (70, 90), (200, 300), (300, 420)])
def test_any_size_in_stored_pixels(size: tuple[int, int]) -> None:
    photograph = decode(bundled()[0].data)
    pixels = np.ascontiguousarray(photograph.pixels[: size[0], : size[1]])
    found = ifdl_small.tiny().predict(type(photograph)(pixels, photograph.item, photograph.data))
    assert found.heat.size == size and found.heat.at_full_size().shape == size
    assert found.reliability is not None and sum(found.probabilities.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("longest", "looks"), [(200, [(400, 384)]), (300, [(300, 384), (450, 576)]), (420, [(420, 384)])]
)
def test_small_pictures_are_looked_at_enlarged(
    longest: int, looks: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look: the longest side that is shown, and that of the view of the whole."""
    photograph, seen = decode(bundled()[0].data), []
    pixels = np.ascontiguousarray(photograph.pixels[:96, :longest])
    expert = ifdl_small.tiny()
    look = ifdl_small.IfdlSmall._look

    def watched(self: ifdl_small.IfdlSmall, shown: np.ndarray, whole_side: int = ifdl_small.WHOLE) -> object:
        seen.append((shown.shape[1], whole_side))
        return look(self, shown, whole_side)

    monkeypatch.setattr(ifdl_small.IfdlSmall, "_look", watched)
    found = expert.predict(type(photograph)(pixels, photograph.item, photograph.data))
    assert seen == looks
    assert found.heat is not None
    assert found.heat.values.shape == (24, -(-longest // 4))


def test_one_step_of_training_lowers_the_loss_on_the_same_pictures() -> None:
    expert = ifdl_small.tiny()
    net, known = expert.net(), truth(2, 64)
    pixels = torch.rand(2, 3, 64, 64)
    pixels[0, :, 8:24, 8:40] = 1.0
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3)
    seen = []
    for _ in range(12):
        loss = sum(expert.loss(net(pixels=pixels), known).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seen.append(float(loss.detach()))
    assert seen[-1] < 0.8 * seen[0]


def test_weights_there_and_back(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    shape = {"width": 16, "noise": (4, 8, 8, 8), "matching": 8, "nearest": 2, "layers": 2}
    own = IfdlSmall(Shape(**shape))  # type: ignore[arg-type]
    save_file({k: v.half().contiguous() for k, v in own.state_dict().items()}, tmp_path / "w.safetensors")
    again = ifdl_small.build(tmp_path / "w.safetensors", **shape)
    assert len(again.weights_sha256) == 64
    with torch.no_grad():
        pixels = torch.rand(1, 3, 64, 64)
        assert torch.allclose(own.eval()(pixels)["map"], again.net().eval()(pixels)["map"], atol=0.05)


def test_what_is_no_photograph_is_out_of_its_domain() -> None:
    photograph, expert = decode(bundled()[0].data), ifdl_small.tiny()
    drawing = np.zeros((120, 160, 3), np.uint8)
    drawing[30:80, 40:100] = 255
    said = []
    for pixels in (drawing, photograph.pixels):
        picture = type(photograph)(pixels, photograph.item, photograph.data)
        said.append(expert.findings(expert.predict(picture), picture)[0])
    assert said[0].state == State.OUT_OF_DOMAIN and "98 % of the picture is exactly flat" in said[0].sentence
    assert said[1].state != State.OUT_OF_DOMAIN
