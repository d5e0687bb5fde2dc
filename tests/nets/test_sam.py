"""SAM's parts: what is kept, what trains, that padding is undone, and that the small decoder exports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
transformers = pytest.importorskip("transformers", reason="the train extra is not installed")

from ifdl.nets import sam  # noqa: E402

CONFIG = {
    "vision_config": {
        "image_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_dim": 48,
        "window_size": 2, "global_attn_indexes": [1], "output_channels": 32, "num_pos_feats": 16,
        "initializer_range": 0.02,
    },
    "prompt_encoder_config": {"hidden_size": 32, "image_size": 64},
    "mask_decoder_config": {"hidden_size": 32, "mlp_dim": 48, "num_attention_heads": 4, "iou_head_hidden_dim": 32},
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def model() -> transformers.SamModel:
    return transformers.SamModel(transformers.SamConfig(**CONFIG)).eval()


def test_positions_are_sams(model: transformers.SamModel) -> None:
    own = sam.positions(model.shared_image_embedding.positional_embedding.detach(), (4, 4))
    # Angles reach hundreds of radians, which float32 knows to 1e-5.
    torch.testing.assert_close(own, model.get_image_wide_positional_embeddings(), atol=1e-4, rtol=0)
    wide = sam.positions(torch.eye(2) / 4, (2, 3))  # sin and cos of π/2·x and π/2·y
    assert wide.shape == (1, 4, 2, 3)
    np.testing.assert_allclose(wide[0, 0], np.sin(np.pi / 2 * np.array([[-2 / 3, 0, 2 / 3]] * 2)), atol=1e-6)
    np.testing.assert_allclose(wide[0, 3], np.cos(np.pi / 2 * np.array([[-0.5] * 3, [0.5] * 3])), atol=1e-6)


def test_odd_pictures_are_padded_and_unpadded(model: transformers.SamModel) -> None:
    """Against SamModel's own parts, with the padding and cropping written out."""
    seen = sam.Sam(model)
    pixels, prompt = torch.rand(2, 3, 41, 64), torch.randn(2, 1, 32)
    padded = torch.zeros(2, 3, 64, 64)
    for c, (mean, std) in enumerate(((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))):
        padded[:, c, :41] = (pixels[:, c] - mean) / std
    features = model.get_image_embeddings(padded)
    torch.testing.assert_close(seen.encode(pixels), features, atol=1e-5, rtol=0)

    _, dense = model.prompt_encoder(None, None, None, None)
    places = model.get_image_wide_positional_embeddings().repeat(2, 1, 1, 1)
    small, _ = model.mask_decoder(features, places, prompt[:, None], dense, multimask_output=False)
    wanted = torch.nn.functional.interpolate(small[:, 0], (64, 64), mode="bilinear", align_corners=False)[:, :, :41]
    found = seen.decode(features, (41, 64), prompt)
    assert found.shape == (2, 1, 41, 64)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="65×64 does not fit"):
        seen.encode(torch.rand(1, 3, 65, 64))


def test_only_what_reaches_the_map_trains() -> None:
    seen = sam.build(**CONFIG)
    features = seen.encode(torch.rand(1, 3, 64, 64, requires_grad=True))
    assert not features.requires_grad
    seen.decode(features, (64, 64), torch.randn(1, 1, 32)).sum().backward()
    reached = {n for n, p in seen.named_parameters() if p.grad is not None}
    assert reached == {n for n, p in seen.named_parameters() if p.requires_grad}
    assert reached and all(n.startswith("decoder.decoder.") for n in reached)
    assert not any("iou_prediction_head" in n or "mlps.1" in n for n in reached)


def test_published_weights_load_from_safetensors_alone(
    model: transformers.SamModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (sam.HUB, len(sam.REVISION)) == ("facebook/sam-vit-huge", 40)
    model.save_pretrained(tmp_path)
    monkeypatch.setattr(sam, "HUB", str(tmp_path))
    pixels, prompt = torch.rand(1, 3, 64, 64), torch.randn(1, 1, 32)
    loaded, own = sam.load_pretrained().eval(), sam.Sam(model)
    for one, other in zip(loaded.state_dict().items(), own.state_dict().items(), strict=True):
        assert one[0] == other[0]
        assert torch.equal(one[1], other[1]), one[0]
    features = own.encode(pixels)
    assert torch.equal(loaded.decode(features, (64, 64), prompt), own.decode(features, (64, 64), prompt))
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(OSError):
        sam.load_pretrained()


@pytest.mark.parametrize(("outputs", "grid"), [(1, (4, 6)), (3, (5, 5))])
def test_small_decoder_shapes_prompts_and_gradients(outputs: int, grid: tuple[int, int]) -> None:
    torch.manual_seed(1)
    decoder = sam.small_decoder(width=32, grid=grid, outputs=outputs, mlp=48)
    features, dense = torch.randn(2, 32, *grid), torch.randn(2, 32, *grid, requires_grad=True)
    plain = decoder(features)
    assert plain.shape == (2, outputs, 4 * grid[0], 4 * grid[1])
    torch.testing.assert_close(decoder(features, dense=torch.zeros_like(features)), plain)
    prompted = decoder(features, torch.randn(2, 3, 32), dense)
    assert (prompted - plain).abs().max() > 1e-3
    prompted.sum().backward()
    assert dense.grad is not None and dense.grad.abs().amin((0, 1)).min() > 0  # every cell's prompt is heard
    trains = {n for n, p in decoder.named_parameters() if p.requires_grad}
    assert trains == {n for n, p in decoder.named_parameters() if p.grad is not None}
    # Where a cell lies matters: the same features elsewhere give another map.
    assert (decoder(features.flip(-1)).flip(-1) - plain).abs().max() > 1e-3


def test_small_decoder_is_small_and_says_what_it_cannot() -> None:
    decoder = sam.small_decoder()
    assert decoder.width == 64
    assert sum(p.numel() for p in decoder.parameters()) < 300_000
    assert torch.equal(sam.small_decoder().positions, decoder.positions)
    with pytest.raises(ValueError, match="1 map or 3, not 2"):
        sam.Decoder(sam.small_decoder(outputs=3).decoder, decoder.positions, decoder.blank, 2)


def test_small_decoder_exports_with_a_dynamic_batch(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="torch exports through onnxscript, which is not installed")
    import onnxruntime as runtime

    decoder = sam.small_decoder(width=32, grid=(4, 6), outputs=2, layers=1, mlp=48).eval()
    batch = torch.export.Dim("batch")
    given = (torch.randn(2, 32, 4, 6), None, torch.randn(2, 32, 4, 6))
    path = tmp_path / "decoder.onnx"
    torch.onnx.export(
        decoder, given, path, dynamo=True, dynamic_shapes=({0: batch}, None, {0: batch}), verbose=False,
        input_names=["features", "dense"], output_names=["map"],
    )  # fmt: skip
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for count in (1, 3):
        features, dense = torch.randn(count, 32, 4, 6), torch.randn(count, 32, 4, 6)
        with torch.no_grad():
            wanted = decoder(features, dense=dense).numpy()
        (found,) = session.run(None, {"features": features.numpy(), "dense": dense.numpy()})
        np.testing.assert_allclose(found, wanted, atol=1e-5)
