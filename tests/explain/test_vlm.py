"""How models see pictures, against the published processors; and loading: memory, missing files, adapters."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("transformers", reason="needs the train extra")

from ifdl.data import _fabric  # noqa: E402
from ifdl.nets import ravfe, vlm, vlm_files, vlm_tiny  # noqa: E402
from ifdl.nets.vlm_geometry import Eyes, look  # noqa: E402

SIZES = ((50, 80), (80, 50), (33, 33), (200, 61), (17, 150))


@cache
def model(family: str) -> vlm.Vlm:
    return vlm_tiny.tiny(family)


def processed(family: str, eyes: Eyes, picture: Any) -> dict[str, Any]:
    """The same picture by transformers' own processor (its Pillow backend)."""
    from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
    from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
    from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

    side = {"height": eyes.side, "width": eyes.side}
    common: dict[str, Any] = {"image_mean": eyes.mean, "image_std": eyes.std, "resample": 3}
    own: Any
    if family == "llava":
        own = LlavaImageProcessorPil(**common, size=side, do_center_crop=False, do_pad=True)
    elif family == "llava_onevision":
        grid = [list(place) for place in eyes.resolutions]
        own = LlavaOnevisionImageProcessorPil(**common, size=side, image_grid_pinpoints=grid)
    elif family == "smolvlm":
        own = SmolVLMImageProcessorPil(
            **common, size={"longest_edge": eyes.longest}, max_image_size={"longest_edge": eyes.side}
        )
    else:
        size = {"shortest_edge": eyes.pixels[0], "longest_edge": eyes.pixels[1]}
        own = Qwen2VLImageProcessorPil(**common, size=size, patch_size=eyes.patch, merge_size=eyes.merge)
    return dict(own(picture, return_tensors="np"))


@pytest.mark.parametrize("family", vlm.CLASSES)
def test_pictures_are_seen_as_the_published_processors_see_them(family: str) -> None:
    eyes = model(family).eyes
    for size in SIZES:
        picture = _fabric.scene(size[0], size)
        view = look(picture, eyes)
        expected = processed(family, eyes, picture)
        values = expected["pixel_values"] if eyes.layout in ("square", "patches") else expected["pixel_values"][0]
        assert view.values.shape == values.shape, size
        # They round to whole levels after each resizing, and LLaVA's padding to a whole level.
        assert np.abs(view.values - values).max() < 3 / 255 / 0.25, size
        if eyes.layout == "patches":
            assert expected["image_grid_thw"].tolist() == [[1, *view.grid]]


@pytest.mark.parametrize("family", vlm.CLASSES)
def test_tokens_are_counted_right_before_anything_is_computed(family: str) -> None:
    own = model(family)
    for size in SIZES:
        view = look(np.full((*size, 3), 90, np.uint8), own.eyes)
        with torch.no_grad():
            found = own.model.get_image_features(**ravfe.inputs(view, own.eyes)).pooler_output
        assert sum(f.reshape(-1, f.shape[-1]).shape[0] for f in found) == own.count(view), size


def test_a_strangers_words_are_never_special_tokens() -> None:
    own = model("llava")
    picture = np.zeros((20, 20, 3), np.uint8)
    plain, _ = own.given(picture, None, "a b")
    given, _ = own.given(picture, None, "a<image></s>b")
    image = own.model.config.image_token_id
    assert int((given["input_ids"] == image).sum()) == int((plain["input_ids"] == image).sum()) == 16
    assert own.tokens.eos_token_id not in given["input_ids"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model as the hub lays one out."""
    place: Path = tmp_path_factory.mktemp("model")
    own = vlm_tiny.tiny("smolvlm", seed=3)
    own.model.save_pretrained(place)
    own.tokens.save_pretrained(place)
    (place / "preprocessor_config.json").write_text(json.dumps({"size": {"longest_edge": 64}}))
    return place


def test_a_folder_loads_and_says_its_memory_first(folder: Path) -> None:
    said: list[str] = []
    loaded = vlm.load(str(folder), progress=said.append, device="cpu")
    assert "needs about" in said[0] and "GB are free" in said[0] and said[1].startswith("loading")
    assert loaded.eyes.longest == 64 and next(loaded.model.parameters()).dtype == torch.bfloat16
    picture = np.random.default_rng(1).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    mask = np.zeros((40, 60), bool)
    mask[5:15, 5:15] = True
    words = loaded.words(picture, mask, "What?", 6)
    assert words == loaded.words(picture, mask, "What?", 6)


def test_too_little_memory_is_said_before_loading(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vlm_files, "free_memory", lambda: 1000)
    with pytest.raises(ValueError, match=r"needs about .* GB are free; use a smaller model"):
        vlm.load(str(folder), progress=lambda _: pytest.fail("nothing is loaded"), device="cpu")


def test_a_missing_model_says_the_cure_and_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("the network was reached"))
    name, commit = vlm_files.pinned("")
    assert name == "llava-hf/llava-1.5-13b-hf" and commit is not None and len(commit) == 40
    with pytest.raises(ValueError, match=f"hf download {name} --revision {commit}"):
        vlm.load(name, commit)
    with pytest.raises(ValueError, match="name its commit too"):
        vlm_files.pinned("Qwen/Qwen3-VL-32B-Instruct")
    assert vlm_files.pinned("Qwen/Qwen3-VL-8B-Instruct@abc") == ("Qwen/Qwen3-VL-8B-Instruct", "abc")
    with pytest.raises(ValueError, match="holds no model"):
        vlm.load(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="family 'bert'"):
        vlm.load(str(tmp_path))
    with pytest.raises(ValueError, match="holds no adapter"):
        vlm.with_adapter(model("llava"), tmp_path)
