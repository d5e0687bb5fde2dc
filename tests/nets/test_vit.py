"""ViT-Tiny: weights under timm's names mean what timm's formulas say."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("transformers", reason="the train extra is not installed")

from ifdl.nets.vit import from_timm, vit_tiny  # noqa: E402


def timm_state(generator: torch.Generator) -> dict[str, torch.Tensor]:
    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator) * 0.05

    state = {"cls_token": draw(1, 1, 192), "pos_embed": draw(1, 197, 192), "norm.weight": draw(192) + 1,
             "norm.bias": draw(192), "patch_embed.proj.weight": draw(192, 3, 16, 16),
             "patch_embed.proj.bias": draw(192)}  # fmt: skip
    shapes = {"attn.qkv": (576, 192), "attn.proj": (192, 192), "mlp.fc1": (768, 192), "mlp.fc2": (192, 768)}
    for n in range(12):
        for part, shape in shapes.items():
            state[f"blocks.{n}.{part}.weight"], state[f"blocks.{n}.{part}.bias"] = draw(*shape), draw(shape[0])
        for norm in ("norm1", "norm2"):
            state[f"blocks.{n}.{norm}.weight"], state[f"blocks.{n}.{norm}.bias"] = draw(192) + 1, draw(192)
    return state


def by_formula(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """Dosovitskiy et al.'s formulas on timm's names, written down independently."""
    F = torch.nn.functional
    patches = F.conv2d(x, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=16)
    y = torch.cat([state["cls_token"].expand(len(x), -1, -1), patches.flatten(2).transpose(1, 2)], 1)
    y = y + state["pos_embed"]
    for n in range(12):
        own = {k.removeprefix(f"blocks.{n}."): v for k, v in state.items() if k.startswith(f"blocks.{n}.")}
        z = F.layer_norm(y, (192,), own["norm1.weight"], own["norm1.bias"], 1e-6)
        q, k, v = (
            (z @ own["attn.qkv.weight"].T + own["attn.qkv.bias"]).reshape(len(x), -1, 3, 3, 64).permute(2, 0, 3, 1, 4)
        )
        z = ((q @ k.transpose(-1, -2)) / 8).softmax(-1) @ v
        y = y + z.transpose(1, 2).reshape(len(x), -1, 192) @ own["attn.proj.weight"].T + own["attn.proj.bias"]
        z = F.layer_norm(y, (192,), own["norm2.weight"], own["norm2.bias"], 1e-6)
        z = F.gelu(z @ own["mlp.fc1.weight"].T + own["mlp.fc1.bias"]) @ own["mlp.fc2.weight"].T + own["mlp.fc2.bias"]
        y = y + z
    return F.layer_norm(y, (192,), state["norm.weight"], state["norm.bias"], 1e-6)


def test_equals_the_formulas_under_timm_names() -> None:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    state = timm_state(generator)
    model = vit_tiny().eval()
    model.load_state_dict(from_timm(state), strict=True)
    x = torch.randn(1, 3, 224, 224, generator=generator)
    with torch.no_grad():
        assert torch.allclose(model(x).last_hidden_state, by_formula(state, x), atol=2e-4)


def test_other_sizes_and_foreign_keys() -> None:
    model = vit_tiny().eval()
    with torch.no_grad():
        seen = model(torch.zeros(1, 3, 64, 96), interpolate_pos_encoding=True).last_hidden_state
    assert seen.shape == (1, 1 + 4 * 6, 192)
    with pytest.raises(KeyError, match=r"head\.weight"):
        from_timm({"head.weight": torch.zeros(1)})
