"""MiT against a transcription of the paper's formulas that reads NVlabs' names; sizes against the paper's table."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("transformers", reason="the train extra is not installed")

from torch.nn import functional as F  # noqa: E402

from ifdl.nets.mit import SIZES, from_nvlabs, mit  # noqa: E402

torch.set_num_threads(1)
# Millions of parameters of the encoders, Table 1 of the paper.
PAPER = {"b0": 3.4, "b1": 13.1, "b2": 24.2, "b3": 44.0, "b4": 60.8, "b5": 81.4}
TINY = SIZES["tiny"]


def nvlabs_state(seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights of a tiny MiT, shaped and named as NVlabs' code names them."""
    made = torch.Generator().manual_seed(seed)
    shapes: dict[str, tuple[int, ...]] = {"head.weight": (10, TINY.channels[3]), "head.bias": (10,)}

    def add(name: str, *shape: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = shape, shape[:1]

    before = 3
    for s, (c, blocks) in enumerate(zip(TINY.channels, TINY.blocks, strict=True), 1):
        add(f"patch_embed{s}.proj", c, before, *([7, 7] if s == 1 else [3, 3]))
        add(f"patch_embed{s}.norm", c)
        for b in range(blocks):
            at = f"block{s}.{b}"
            for norm in ("norm1", "norm2"):
                add(f"{at}.{norm}", c)
            add(f"{at}.attn.q", c, c)
            add(f"{at}.attn.kv", 2 * c, c)
            add(f"{at}.attn.proj", c, c)
            if (ratio := (8, 4, 2, 1)[s - 1]) > 1:
                add(f"{at}.attn.sr", c, c, ratio, ratio)
                add(f"{at}.attn.norm", c)
            add(f"{at}.mlp.fc1", 4 * c, c)
            add(f"{at}.mlp.dwconv.dwconv", 4 * c, 1, 3, 3)
            add(f"{at}.mlp.fc2", c, 4 * c)
        add(f"norm{s}", c)
        before = c
    state = {}
    for name, shape in shapes.items():
        fan = math.prod(shape[1:]) or 1
        state[name] = torch.randn(*shape, generator=made) / math.sqrt(fan) + ("norm" in name and "weight" in name)
    return state


def paper(state: dict[str, torch.Tensor], x: torch.Tensor) -> list[torch.Tensor]:
    """The encoder as the paper writes it, straight from NVlabs' names."""

    def w(name: str) -> tuple[torch.Tensor, torch.Tensor]:
        return state[f"{name}.weight"], state[f"{name}.bias"]

    def norm(t: torch.Tensor, name: str, eps: float) -> torch.Tensor:
        mean, variance = t.mean(-1, keepdim=True), t.var(-1, keepdim=True, unbiased=False)
        return (t - mean) / (variance + eps).sqrt() * w(name)[0] + w(name)[1]

    found = []
    for s in range(1, 5):
        heads, ratio = TINY.heads[s - 1], (8, 4, 2, 1)[s - 1]
        x = F.conv2d(x, *w(f"patch_embed{s}.proj"), stride=4 if s == 1 else 2, padding=3 if s == 1 else 1)
        n, c, height, width = x.shape
        t = norm(x.flatten(2).mT, f"patch_embed{s}.norm", 1e-5)
        for b in range(TINY.blocks[s - 1]):
            at = f"block{s}.{b}"
            seen = norm(t, f"{at}.norm1", 1e-6)
            q, source = F.linear(seen, *w(f"{at}.attn.q")), seen
            if ratio > 1:
                reduced = F.conv2d(seen.mT.reshape(n, c, height, width), *w(f"{at}.attn.sr"), stride=ratio)
                source = norm(reduced.flatten(2).mT, f"{at}.attn.norm", 1e-5)
            # NVlabs: kv.reshape(n, tokens, 2, heads, c // heads).permute(2, 0, 3, 1, 4)
            kv = F.linear(source, *w(f"{at}.attn.kv")).reshape(n, -1, 2, heads, c // heads).permute(2, 0, 3, 1, 4)
            q = q.reshape(n, -1, heads, c // heads).transpose(1, 2)
            mixed = (q @ kv[0].mT / math.sqrt(c // heads)).softmax(-1) @ kv[1]
            t = t + F.linear(mixed.transpose(1, 2).reshape(n, -1, c), *w(f"{at}.attn.proj"))
            wide = F.linear(norm(t, f"{at}.norm2", 1e-6), *w(f"{at}.mlp.fc1"))
            spread = wide.mT.reshape(n, 4 * c, height, width)
            spread = F.conv2d(spread, *w(f"{at}.mlp.dwconv.dwconv"), padding=1, groups=4 * c)
            t = t + F.linear(F.gelu(spread.flatten(2).mT), *w(f"{at}.mlp.fc2"))
        x = norm(t, f"norm{s}", 1e-6).mT.reshape(n, c, height, width)
        found.append(x)
    return found


@pytest.mark.parametrize("size", [(64, 64), (45, 83)])
def test_nvlabs_weights_give_the_papers_features(size: tuple[int, int], tmp_path: Path) -> None:
    from safetensors.torch import save_file

    state = nvlabs_state()
    save_file(state, tmp_path / "mit.safetensors")
    net = mit("tiny", tmp_path / "mit.safetensors").eval()
    pixels = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        features, expected = net(pixels), paper(state, pixels)
    for stride, c, feature, truth in zip((4, 8, 16, 32), net.channels, features, expected, strict=True):
        assert feature.shape == (2, c, -(-size[0] // stride), -(-size[1] // stride))
        assert torch.allclose(feature, truth, atol=1e-4)


def test_the_key_map_is_complete_and_names_strangers() -> None:
    assert set(from_nvlabs(nvlabs_state())) == set(mit("tiny").body.state_dict())
    for stranger in ("block5.0.norm1.weight", "decode_head.weight", "norm1.mean"):
        with pytest.raises(KeyError, match="no parameter of a Mix Transformer"):
            from_nvlabs({stranger: torch.zeros(1)})
    with pytest.raises(ValueError, match="b5"):
        mit("b6")


@pytest.mark.parametrize(("name", "millions"), list(PAPER.items()))
def test_sizes_are_the_papers(name: str, millions: float) -> None:
    with torch.device("meta"):
        count = sum(p.numel() for p in mit(name).parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.15)


def test_gradients_reach_every_weight_and_other_inputs_are_possible() -> None:
    net = mit("tiny", inputs=5)
    sum(f.square().mean() for f in net(torch.rand(1, 5, 32, 40))).backward()
    assert all(p.grad is not None for p in net.parameters())
