"""IFDL-VLM's stage 1 against its formulas written down independently from the record of the released code."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ifdl.experts import ifdl_vlm
from ifdl.experts._base import Expert
from ifdl.types import Item, Picture

Floats = NDArray[np.float64]


def picture(height: int, width: int, seed: int = 0) -> Picture:
    """Smooth colours and a little noise."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 7, 3), np.uint8)).resize((width, height), 3)
    pixels = np.clip(np.asarray(small, int) + rng.integers(-9, 10, (height, width, 3)), 0, 255).astype(np.uint8)
    return Picture(pixels, Item("a.png", "0" * 64, "0" * 128, 1, "PNG", "image/png", width, height))


def tiny(preset: str = "clean", **options: Any) -> Any:
    expert: Any = ifdl_vlm.tiny(preset)
    expert.config = replace(expert.config, **options)
    return expert


@pytest.fixture
def torch() -> Any:
    pytest.importorskip("transformers", reason="the train extra is not installed")
    torch = pytest.importorskip("torch", reason="the train extra is not installed")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return torch


def shaken(torch: Any, net: Any) -> Any:
    """Every parameter moved, so that nothing is zero or one by chance of its initial value."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return net.eval()


# ---------------------------------------------------------------- the formulas, in numpy float64


def softmax(x: Floats) -> Floats:
    odds = np.exp(x - x.max(-1, keepdims=True))
    return odds / odds.sum(-1, keepdims=True)


def norm(x: Floats, w: dict[str, Floats], at: str) -> Floats:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * w[f"{at}.weight"] + w[f"{at}.bias"]


def linear(x: Floats, w: dict[str, Floats], at: str) -> Floats:
    return x @ w[f"{at}.weight"].T + w[f"{at}.bias"]


def attention(q: Floats, k: Floats, v: Floats, heads: int) -> Floats:
    """Queries T×C over keys and values S×C, already projected."""
    split = [x.reshape(len(x), heads, -1).transpose(1, 0, 2) for x in (q, k, v)]
    weights = softmax(split[0] @ split[1].transpose(0, 2, 1) / np.sqrt(split[0].shape[-1]))
    return (weights @ split[2]).transpose(1, 0, 2).reshape(len(q), -1)


def clip_states(pixels: Floats, w: dict[str, Floats]) -> Floats:
    """CLIP's vision transformer (Radford et al., 2021): pre-norm, x·σ(1.702x), no norm at the end (§1.1)."""
    mean, std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    x = (pixels - np.array(mean)[:, None, None]) / np.array(std)[:, None, None]
    cells = [x[:, r : r + 14, c : c + 14].ravel() for r in range(0, 28, 14) for c in range(0, 28, 14)]
    patches = np.stack(cells) @ w["embeddings.patch_embedding.weight"].reshape(32, -1).T
    y = np.vstack([w["embeddings.class_embedding"], patches]) + w["embeddings.position_embedding.weight"]
    y = norm(y, w, "pre_layrnorm")
    for layer in ("encoder.layers.0", "encoder.layers.1"):
        z = norm(y, w, f"{layer}.layer_norm1")
        q, k, v = (linear(z, w, f"{layer}.self_attn.{name}_proj") for name in "qkv")
        y = y + linear(attention(q, k, v, 2), w, f"{layer}.self_attn.out_proj")
        z = linear(norm(y, w, f"{layer}.layer_norm2"), w, f"{layer}.mlp.fc1")
        y = y + linear(z / (1 + np.exp(-1.702 * z)), w, f"{layer}.mlp.fc2")
    return y


def prompt_of(hidden: Floats, w: dict[str, Floats]) -> tuple[Floats, Floats]:
    """Class logits in the paper's order and the one prompt: mean(S) + a (§1.1, §1.2)."""
    scores = linear(np.maximum(linear(hidden[0], w, "detect.0"), 0), w, "detect.2")
    patches = np.maximum(linear(hidden[1:], w, "project.0"), 0)
    query = linear(scores, w, "ask")[None]
    wq, wk, wv = np.split(w["attend.in_proj_weight"], 3)
    bq, bk, bv = np.split(w["attend.in_proj_bias"], 3)
    attended = attention(query @ wq.T + bq, patches @ wk.T + bk, patches @ wv.T + bv, 4)
    return scores, patches.mean(0) + linear(attended, w, "attend.out_proj")[0]


@pytest.mark.parametrize("preset", ["clean", "paper_code"])
def test_net_equals_its_formulas(torch: Any, preset: str) -> None:
    expert = tiny(preset)
    net = shaken(torch, expert.net())
    weights = {n: p.detach().double().numpy() for n, p in net.named_parameters()}
    clip = {n.removeprefix("clip."): p for n, p in weights.items() if n.startswith("clip.")}
    inputs = {k: torch.from_numpy(v)[None] for k, v in expert.prepare(picture(45, 70).pixels).items()}
    with torch.no_grad():
        outputs = net(**inputs)
        hidden = clip_states(inputs["clip"][0].double().numpy(), clip)
        scores, prompt = prompt_of(hidden, weights)
        given = net.prompts(*(torch.from_numpy(x).float()[None] for x in (scores, hidden[1:])))
        # From here on transformers' own decoder: its prompt is one token, its dense prompt "no mask".
        features = net.sam.encode(inputs["sam"])
        own = net.sam.decoder
        low, _ = own.decoder(
            features, own.positions, torch.from_numpy(prompt).float().view(1, 1, 1, -1), own.blank, False
        )
        wanted = torch.nn.functional.interpolate(low[:, 0], (64, 64), mode="bilinear", align_corners=False)[:, :, :41]
    real, synthetic, tampered = scores  # §1.3
    np.testing.assert_allclose(outputs["classes"][0], [real, tampered, synthetic], atol=1e-5)
    np.testing.assert_allclose(given[0, 0], prompt, atol=1e-5)
    assert outputs["map"].shape == (1, 1, 41, 64)
    assert outputs["map"].dtype == torch.float32
    torch.testing.assert_close(outputs["map"], wanted, atol=1e-5, rtol=1e-5)


def test_loss_equals_its_formulas(torch: Any) -> None:
    rng = np.random.default_rng(0)
    logits, classes = rng.normal(0, 2, (4, 1, 6, 8)), rng.normal(0, 1, (4, 3))
    mask = (rng.random((4, 1, 12, 16)) < 0.4).astype(float)
    label, known = np.array([1, 0, 1, 1]), np.array([True, True, True, False])
    tensors = {"map": torch.tensor(logits).float(), "classes": torch.tensor(classes).float()}
    truth = {"mask": torch.tensor(mask).float(), "label": torch.tensor(label), "known": torch.tensor(known)}
    found = tiny().loss(tensors, truth)

    soft = mask.reshape(4, 6, 2, 8, 2).mean((2, 4))  # bilinear, halved: the mean of four
    bce, dice = [], []
    for n in (0, 2):  # tampered, with a mask
        p, g = 1 / (1 + np.exp(-logits[n, 0])), soft[n]
        bce.append(-(g * np.log(p) + (1 - g) * np.log(1 - p)).mean())
        dice.append(1 - (2 * (p / 1000 * g).sum() + 1e-6) / ((p / 1000).sum() + (g / 1000).sum() + 1e-6))
    assert float(found["ce"]) == pytest.approx(-np.log(softmax(classes)[range(4), label]).mean(), abs=1e-5)
    assert float(found["bce"]) == pytest.approx(np.mean(bce), abs=1e-5)
    assert float(found["dice"]) == pytest.approx(np.mean(dice), abs=1e-5)
    assert found.keys() == {"ce", "bce", "dice"}
    halved = tiny(cls_loss_weight=0.5, mask_loss_weight=0.25).loss(tensors, truth)
    assert float(halved["ce"]) == pytest.approx(0.5 * float(found["ce"]))
    assert float(halved["bce"] + halved["dice"]) == pytest.approx(0.25 * float(found["bce"] + found["dice"]))
    none = tiny().loss(tensors, truth | {"label": torch.tensor([0, 2, 0, 2])})
    assert float(none["bce"]) == float(none["dice"]) == 0  # masks of other classes are not looked at


@pytest.mark.parametrize("queries", [0, 1, 3])
def test_gradient_reaches_exactly_what_trains(torch: Any, queries: int) -> None:
    net = shaken(torch, tiny("paper_code", queries=queries).net())
    before = {n: t.clone() for n, t in net.state_dict().items()}
    optimiser = torch.optim.AdamW((p for p in net.parameters() if p.requires_grad), lr=1e-2, weight_decay=0.0)
    outputs = net(torch.rand(2, 3, 28, 28), torch.rand(2, 3, 64, 40))
    truth = {"mask": torch.rand(2, 1, 50, 30), "label": torch.tensor([1, 0]), "known": torch.tensor([True, True])}
    torch.stack(list(tiny().loss(outputs, truth).values())).sum().backward()
    optimiser.step()

    trains = {n for n, p in net.named_parameters() if p.requires_grad}
    assert trains == {n for n, p in net.named_parameters() if p.grad is not None}
    expected = {n for n in before if n.split(".")[0] in ("clip", "detect", "project", "ask", "attend", "tokens")}
    expected -= {"clip.post_layernorm.weight", "clip.post_layernorm.bias"}
    # The decoder but for its head of IoU and those of the three masks that are not asked for.
    unused = (".iou_prediction_head.", "_mlps.1.", "_mlps.2.", "_mlps.3.")
    expected |= {n for n in before if n.startswith("sam.decoder.decoder.") and not any(u in n for u in unused)}
    assert trains == expected
    assert ("tokens" in trains) == bool(queries)
    after = net.state_dict()
    moved = {n for n in before if not torch.equal(before[n], after[n])}
    still = trains - moved
    # A key's bias shifts all weights of a softmax alike, so that its gradient is zero but for rounding.
    assert moved <= trains and all("k_proj.bias" in n for n in still), (moved - trains, still)


def test_mask_loss_teaches_the_classes_through_the_prompt(torch: Any) -> None:
    """The logits are projected as they are, not detached (§1.1): the mask's loss moves the detection head."""
    net = shaken(torch, tiny().net())
    net(torch.rand(1, 3, 28, 28), torch.rand(1, 3, 64, 64))["map"].square().sum().backward()
    assert net.detect[2].weight.grad.abs().max() > 0


def test_several_queries_keep_what_pooling_loses(torch: Any) -> None:
    for queries, prompts in ((0, 1), (1, 1), (3, 3)):
        net = shaken(torch, tiny(queries=queries).net())
        made = net.prompts(torch.randn(2, 3), torch.randn(2, 4, 32))
        assert made.shape == (2, prompts, 32)
    assert (made[:, 0] - made[:, 1]).abs().max() > 1e-2


def test_full_size_is_the_papers(torch: Any) -> None:
    """1,052,931 new parameters; CLIP 303 M, ViT-H with decoder 641 M, of which 4.06 M are the decoder's (§1.1)."""
    from ifdl.nets import ifdl_vlm as nets

    with torch.device("meta"):
        net = nets.build(ifdl_vlm.CLIP_L14, ifdl_vlm.SAM_H)

    def count(*parts: Any) -> int:
        return sum(p.numel() for part in parts for p in part.parameters())

    assert count(net.detect, net.project, net.ask, net.attend) == 1_052_931
    assert round(count(net.clip) / 1e6) == 303
    assert round(count(net.sam.decoder) / 1e6, 2) == 4.06
    assert 636e6 < count(net.sam.encoder) < 638e6
    assert (net.sam.side, net.sam.decoder.width, net.clip.config.patch_size) == (1024, 256, 14)


# ---------------------------------------------------------------- weights


def test_published_clip_is_read_from_the_whole_model(
    torch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub holds CLIP with its text side; only the vision side is taken."""
    import transformers

    from ifdl.nets import ifdl_vlm as nets
    from ifdl.nets import sam

    config = tiny().config
    text = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
            "vocab_size": 9, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}  # fmt: skip
    whole = transformers.CLIPModel(transformers.CLIPConfig(text_config=text, vision_config=dict(config.clip)))
    whole.save_pretrained(tmp_path / "clip")
    transformers.SamModel(transformers.SamConfig(**config.sam)).save_pretrained(tmp_path / "sam")
    assert nets.HUB == "openai/clip-vit-large-patch14" and len(nets.REVISION) == 40
    monkeypatch.setattr(nets, "HUB", str(tmp_path / "clip"))
    monkeypatch.setattr(sam, "HUB", str(tmp_path / "sam"))
    expert = tiny(pretrained=True)
    own = whole.vision_model.state_dict()
    for name, tensor in expert.net().clip.state_dict().items():
        assert torch.equal(tensor, own[name]), name
    with pytest.raises(ValueError, match="no trained weights of IFDL-VLM are published"):
        expert.predict(picture(8, 8))


def test_own_weights_load_strictly(torch: Any, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    first = tiny()
    state = shaken(torch, first.net()).state_dict()
    path = tmp_path / "own.safetensors"
    save_file(state, path)
    second = ifdl_vlm.build(path, **{k: getattr(first.config, k) for k in ("clip", "sam", "hidden", "heads")})
    shown = picture(30, 50)
    assert np.array_equal(first.predict(shown).heat.values, second.predict(shown).heat.values)
    assert len(second.predict(shown).weights_sha256) == 64

    names = sorted(state)
    save_file({n: state[n] for n in names[:9]}, tmp_path / "a.safetensors")
    save_file({n: state[n] for n in names[9:]}, tmp_path / "b.safetensors")
    index = {n: "a.safetensors" if n in names[:9] else "b.safetensors" for n in names}
    (tmp_path / "own.safetensors.index.json").write_text(str({"weight_map": index}).replace("'", '"'))
    sharded = ifdl_vlm.IFDLVLMExpert(first.config, tmp_path / "own.safetensors.index.json").net().state_dict()
    assert all(torch.equal(state[n], sharded[n]) for n in names)

    save_file({n: t for n, t in state.items() if n != "ask.bias"}, path)
    with pytest.raises(RuntimeError, match=r"ask\.bias"):
        ifdl_vlm.IFDLVLMExpert(first.config, path).net()


def test_build_names_what_is_wrong() -> None:
    assert ifdl_vlm.build().THRESHOLD == 0.5
    with pytest.raises(ValueError, match="there are: clean, paper_code"):
        ifdl_vlm.build(preset="papercode")
    with pytest.raises(TypeError, match="querys"):
        ifdl_vlm.build(querys=2)


# ---------------------------------------------------------------- geometry


@pytest.mark.parametrize(("height", "width"), [(301, 450), (37, 53), (224, 224), (500, 223), (1100, 1300)])
def test_views_equal_the_published_processors(torch: Any, height: int, width: int) -> None:
    import transformers

    expert: Any = ifdl_vlm.build(preset="paper_code")
    pixels = picture(height, width).pixels
    made = expert.prepare(pixels)
    plain = {"do_normalize": False, "return_tensors": "np"}
    clip = transformers.CLIPImageProcessorPil()(pixels, **plain)["pixel_values"][0]
    sam = transformers.SamImageProcessorPil()(pixels, **plain)["pixel_values"][0]
    assert made["clip"].shape == (3, 224, 224) and made["clip"].dtype == made["sam"].dtype == np.float32
    # Only what stays is resized: the same places, but Pillow may round differently between its two passes.
    assert np.abs(made["clip"] - clip).max() < 2.01 / 255
    assert np.abs(made["clip"] - clip).mean() < 0.25 / 255
    rows, columns = made["sam"].shape[1:]
    assert max(rows, columns) == 1024
    np.testing.assert_allclose(made["sam"], sam[:, :rows, :columns], atol=1e-6)
    assert not sam[:, rows:].any() and not sam[:, :, columns:].any()


def test_clean_view_shows_the_whole_picture() -> None:
    pixels = np.zeros((100, 300, 3), np.uint8)
    pixels[:, :40] = 255  # a side that the crop loses
    crop, pad, squash = (ifdl_vlm.clip_view(Image.fromarray(pixels), v, 224) for v in ("crop", "pad", "squash"))
    assert crop.max() == 0
    assert squash[:, :, :25].min() == 1 and squash[:, :, 35:].max() == 0
    assert pad[:, :75, :25].min() == 1 and pad[:, :75, 35:].max() == 0
    np.testing.assert_allclose(pad[:, 75:].mean((1, 2)), ifdl_vlm.PAD, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "wanted"),
    [((768, 1024), (768, 1024)), ((333, 500), (682, 1024)), ((1, 5000), (1, 1024)), ((9, 3), (1024, 341))],
)
def test_fitted_by_hand(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert ifdl_vlm.fitted(size, 1024) == wanted


def test_extreme_pictures_are_prepared() -> None:
    for shape in ((1, 1), (1, 4000), (4000, 1)):
        for preset in ("clean", "paper_code"):
            made = ifdl_vlm.build(preset=preset).prepare(np.full((*shape, 3), 51, np.uint8))
            assert made["clip"].shape == (3, 224, 224)
            np.testing.assert_allclose(made["sam"], 0.2, atol=1e-6)


@pytest.mark.parametrize(("size", "stride"), [((41, 63), 1), ((401, 203), 7), ((128, 64), 2)])
def test_maps_come_back_to_where_they_belong(size: tuple[int, int], stride: int) -> None:
    """A view that says where its own pixels lie in the stored picture says so in every cell of the map."""
    rows, columns = ifdl_vlm.fitted(size, 64)
    y = (np.arange(rows) + 0.5) / rows * size[0]
    x = (np.arange(columns) + 0.5) / columns * size[1]
    for values, axis in ((np.repeat(y[:, None], columns, 1), 0), (np.repeat(x[None], rows, 0), 1)):
        found = ifdl_vlm.on_grid(values.astype(np.float32), size, stride)
        assert found.shape == (-(-size[0] // stride), -(-size[1] // stride))
        centres = (np.arange(found.shape[axis]) + 0.5) * stride
        edge = size[axis] / (rows, columns)[axis] / 2  # beyond the outermost pixels' centres nothing is known
        wanted = np.clip(centres, edge, size[axis] - edge)
        # OpenCV knows places to 1/32 of a pixel.
        np.testing.assert_allclose(np.moveaxis(found, axis, 0)[:, 0], wanted, atol=edge / 8)


def test_restore_finds_the_region_in_stored_pixels() -> None:
    expert, shown = tiny(), picture(200, 320)
    logits = np.full((1, 40, 64), -6, np.float32)
    logits[0, 10:20, 32:48] = 6
    edited = {"map": logits, "classes": np.array([0, 2, 1], np.float32)}
    found = expert.restore(edited, shown)
    assert (found.heat.size, found.heat.stride, found.expert) == ((200, 320), 5, "ifdl_vlm")
    assert [r.box for r in found.regions] == [(160, 50, 80, 50)]
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert found.probabilities["edited"] == pytest.approx(np.e**2 / (1 + np.e + np.e**2))

    other = edited | {"classes": np.array([0, 1, 2], np.float32)}  # synthetic is the likeliest
    assert expert.restore(other, shown).regions == () and not expert.restore(other, shown).heat.values.any()
    assert tiny("paper_code").restore(other, shown).regions == found.regions  # the test code does not gate (§4.1)


@pytest.mark.parametrize("preset", ["clean", "paper_code"])
def test_predicts_odd_sizes_without_a_label(torch: Any, preset: str) -> None:
    expert: Expert = tiny(preset, gate=False)
    for height, width in ((37, 91), (130, 64), (1, 3)):
        found = expert.predict(picture(height, width))
        assert found.heat.at_full_size().shape == (height, width)
        assert (found.heat.values > 0).all()  # the grid reaches everywhere; a sigmoid is never zero
        assert set(found.probabilities) == {"authentic", "edited", "synthetic"}


# ---------------------------------------------------------------- the paper's training


def test_rates_by_hand() -> None:
    clean, paper = (ifdl_vlm.PRESETS[name].training for name in ("clean", "paper_code"))
    assert [clean.rate(u) for u in (0, 50, 100, 5050, 10_000, 10_500)] == [0, 0.5, 1, 0.5, 0, 0]
    # Stepped twice an update: all is over by 5,000 updates.
    assert [paper.rate(u) for u in (0, 25, 50, 2525, 5000, 9999)] == [0, 0.5, 1, 0.5, 0, 0]
    assert paper.rate(4999) > 0


def test_micro_batches_hold_one_class() -> None:
    labels = [0] * 9 + [1] * 4 + [2] * 7
    batches = list(ifdl_vlm.single_class_batches(labels, 4, np.random.default_rng(0)))
    assert sorted(labels[b[0]] for b in batches) == [0, 0, 1, 2]  # remainders dropped
    assert all(len(b) == 4 and len({labels[i] for i in b}) == 1 for b in batches)
    used = [i for b in batches for i in b]
    assert len(set(used)) == len(used)
    again = list(ifdl_vlm.single_class_batches(labels, 4, np.random.default_rng(0)))
    other = list(ifdl_vlm.single_class_batches(labels, 4, np.random.default_rng(1)))
    assert again == batches != other


def test_card_claims_no_reproduction_and_needs_no_torch() -> None:
    assert "loader and shapes verified on a tiny random configuration" in ifdl_vlm.CARD.limits
    assert "reproduced" not in repr(ifdl_vlm.CARD)
    blocked = "import sys; sys.modules['torch'] = sys.modules['transformers'] = None; "
    program = (
        "from ifdl.experts import ifdl_vlm as e; import numpy as n; e.build().prepare(n.zeros((9, 8, 3), 'uint8'))"
    )
    subprocess.run([sys.executable, "-c", blocked + program], check=True)
