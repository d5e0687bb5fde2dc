"""FakeLocator: half the change is half the grade; only untouched pictures are degraded; one sample names a pile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("transformers", reason="the train extra is not installed")

from ifdl.experts import fakelocator  # noqa: E402
from ifdl.nets import fakelocator as nets  # noqa: E402
from ifdl.train import recipe  # noqa: E402
from ifdl.types import Item, Picture  # noqa: E402
from tests.experts.test_wscl import RESNET  # noqa: E402

MOST = 60  # grey levels of the strongest edit


def graded(count: int, seed: int, strength: float | None = None, side: int = 48) -> tuple[Any, NDArray[np.float32]]:
    """Smooth pictures with a chequered part of some strength, and the change in each pixel as a share of 255."""
    rng = np.random.default_rng(seed)
    pattern = np.where(np.indices((side, side)).sum(0) % 2 == 0, 1.0, -1.0)[..., None]
    pictures, grades = [], []
    for _ in range(count):
        scene = cv2.resize(rng.integers(60, 196, (4, 4, 3), np.uint8), (side, side), interpolation=cv2.INTER_CUBIC)
        by = MOST * (rng.uniform(0, 1) if strength is None else strength)
        y, x = rng.integers(0, side - 20, 2)
        mask = np.zeros((side, side), bool)
        mask[y : y + 20, x : x + 20] = True
        pictures.append(np.clip(np.rint(scene + mask[..., None] * pattern * by), 0, 255).astype(np.uint8))
        grades.append(mask * by / 255)
    return pictures, np.stack(grades).astype(np.float32)


def pixels(expert: Any, pictures: Any) -> torch.Tensor:
    return torch.from_numpy(np.stack([expert.prepare(p)["pixels"] for p in pictures]))


@pytest.fixture(scope="module")
def taught() -> Any:
    """A tiny system after 120 steps on parts of every strength, a quarter of the pictures untouched."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    expert = fakelocator.tiny()
    net = expert.net().train()
    optimiser = torch.optim.AdamW(net.parameters(), 4e-3)
    label = torch.tensor([0, 0, 1, 1, 1, 1, 1, 1])
    known = torch.ones(8, dtype=torch.bool)
    for step in range(120):
        parts = (graded(2, step, 0.0), graded(6, 1000 + step))
        grades = torch.from_numpy(np.concatenate([g for _, g in parts]))[:, None]
        truth = {"label": label, "grade": grades, "known": known}
        loss = sum(expert.loss(net(pixels=pixels(expert, parts[0][0] + parts[1][0])), truth).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    net.eval()
    return expert


def test_half_the_change_is_half_the_grade(taught: Any) -> None:
    expert, net = taught, taught.net()
    told = {}
    for strength in (1.0, 0.5, 0.0):
        pictures, grades = graded(16, 9999, strength)
        with torch.no_grad():
            heat = net(pixels=pixels(expert, pictures))["map"].sigmoid()[:, 0].numpy()
        told[strength] = float(heat[grades > 0].mean() if strength else heat.mean())
        assert heat[grades == 0].mean() < 0.02
    assert told[1.0] == pytest.approx(MOST / 255, rel=0.25)
    assert 0.35 < told[0.5] / told[1.0] < 0.65 and told[0.0] < 0.05 * told[1.0], told
    # The control: an untrained net knows no strengths.
    fresh = fakelocator.tiny()
    with torch.no_grad():
        weak, strong = (fresh.net().eval()(pixels=pixels(fresh, graded(16, 9999, s)[0]))["map"] for s in (0.5, 1.0))
    assert abs(float(weak.sigmoid().mean() / strong.sigmoid().mean()) - 1) < 0.2


def test_only_untouched_pictures_are_degraded_and_not_all_of_them() -> None:
    expert = fakelocator.tiny()
    (picture,), _ = graded(1, 0, side=64)
    mask = np.zeros((64, 64), bool)
    changed = [expert.augment(picture, mask, np.random.default_rng(n))[0] for n in range(40)]
    share = np.mean([not np.array_equal(p, picture) for p in changed])
    assert 0.25 < share < 0.75 and all(p.shape == picture.shape and p.dtype == np.uint8 for p in changed)
    mask[3, 3] = True
    for n in range(40):
        same, still = expert.augment(picture, mask, np.random.default_rng(n))
        assert same is picture and still is mask
    ways = {fakelocator.degraded(picture, np.random.default_rng(n)).tobytes() for n in range(12)}
    assert len(ways) == 12


def test_the_loss_by_hand_and_unknown_grades_teach_nothing() -> None:
    outputs = {"map": torch.zeros(2, 1, 2, 2), "classes": torch.zeros(2, 2)}
    truth = {
        "grade": torch.full((2, 1, 2, 2), 0.25),
        "label": torch.tensor([0, 1]),
        "known": torch.tensor([True, False]),
    }
    for power, error in ((1, 0.25), (2, 0.0625)):
        terms = nets.losses(outputs, truth, power, 3.0)
        assert float(terms["grade"]) == pytest.approx(3 * error)
        assert float(terms["classes"]) == pytest.approx(np.log(2))
    truth["known"] = torch.zeros(2, dtype=torch.bool)
    assert float(nets.losses(outputs, truth, 1, 3.0)["grade"]) == 0


def test_attention_gates_what_the_decoder_sees() -> None:
    net = fakelocator.tiny().net().eval()
    seen = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = net(pixels=seen)
        net.attend.look.bias.fill_(-40.0)
        closed = net(pixels=seen)
    assert 0.5 < float(before["attention"].mean()) < 1 and closed["attention"].max() < 1e-9
    assert not torch.allclose(before["map"], closed["map"])


def test_a_face_parsers_map_stands_for_attention_and_stays_frozen(tmp_path: Path) -> None:
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    config = SegformerConfig(
        hidden_sizes=[8, 8, 8, 8], depths=[1] * 4, num_attention_heads=[1] * 4, decoder_hidden_size=8,
        id2label={0: "background", 1: "skin", 2: "cloth", 3: "nose"},
    )  # fmt: skip
    SegformerForSemanticSegmentation(config).save_pretrained(tmp_path)
    expert = fakelocator.build(size="paper", untrained=True, resnet=RESNET, parser=str(tmp_path))
    net = expert.net().train()
    found = net(pixels=torch.rand(2, 3, 64, 96))
    assert net.parser.face == [1, 3] and not net.parser.model.training
    with torch.no_grad():
        shares = net.parser.model((torch.zeros(1, 3, 64, 64) - net.mean) / net.std).logits.softmax(1)
        own = net.parser((torch.zeros(1, 3, 64, 64) - net.mean) / net.std)
    assert torch.allclose(own, shares[:, [1]] + shares[:, [3]])
    assert found["map"].shape == (2, 1, 64, 96) and found["attention"].shape[1] == 1
    found["map"].sum().backward()
    assert not [n for n, p in net.named_parameters() if n.startswith("parser") and p.requires_grad]
    assert net.encoder.body.embedder.embedder.convolution.weight.grad is not None


def test_one_sample_names_a_pile_of_pictures_and_one_kind_is_undecided(taught: Any) -> None:
    def pile(strengths: list[float]) -> list[Picture]:
        """Whole pictures with a generator's chequers, or without."""
        item = Item("a.png", "0" * 64, "0" * 128, 1, "PNG", "image/png", 48, 48)
        pattern = np.where(np.indices((48, 48)).sum(0) % 2 == 0, 1.0, -1.0)[..., None]
        plain = [graded(1, n, 0.0)[0][0] + pattern * MOST * strength for n, strength in enumerate(strengths)]
        return [Picture(np.clip(np.rint(pixels), 0, 255).astype(np.uint8), item) for pixels in plain]

    found = taught.told_apart(pile([0, 1] * 8), known=1)
    assert found is not None and found.tolist() == [False, True] * 8
    assert taught.told_apart(pile([0] * 16), known=1) is None


def test_small_weights_are_small_and_the_map_has_every_pixel(tmp_path: Path) -> None:
    from ifdl.nets.export import save

    own = fakelocator.build(untrained=True)
    save(own.net(), tmp_path / "w.safetensors")
    assert (tmp_path / "w.safetensors").stat().st_size < 1.5e6
    again = fakelocator.build(tmp_path / "w.safetensors")
    (picture,), _ = graded(1, 0, side=90)
    item = Item("a.png", "0" * 64, "0" * 128, 1, "PNG", "image/png", 90, 90)
    found = again.predict(Picture(picture, item))
    assert found.heat.values.shape == (90, 90) and found.heat.stride == 1 and found.weights_sha256
    assert sum(found.probabilities.values()) == pytest.approx(1) and 0 <= (found.score or 0) <= 1


@pytest.mark.parametrize("name", ["fakelocator", "fakelocator_small"])
def test_recipes(name: str) -> None:
    assert recipe.load(name).expert.name == "fakelocator"
