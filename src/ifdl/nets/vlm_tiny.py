"""Tiny random models of the five families, real classes at small numbers, for tests and `--smoke`."""

from __future__ import annotations

from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from ifdl.nets.vlm import CLASSES, Vlm
from ifdl.nets.vlm_geometry import eyes_of

SPECIAL = {
    "llava": ("<s>", "</s>", "<image>"),
    "llava_onevision": ("<|im_end|>", "<|im_start|>", "<image>"),
    "qwen2_5_vl": ("<|im_end|>", "<|im_start|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"),
    "qwen3_vl": ("<|im_end|>", "<|im_start|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"),
    "smolvlm": ("<end_of_utterance>", "<|im_start|>", "<fake_token_around_image>", "<global-img>", "<image>"),
}
END = {"llava": "</s>", "smolvlm": "<end_of_utterance>"}
IMAGE = {"qwen2_5_vl": "<|image_pad|>", "qwen3_vl": "<|image_pad|>"}
TEXT: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 2, "max_position_embeddings": 4096, "tie_word_embeddings": False,
}  # fmt: skip
SEEN: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 2}
QWEN: dict[str, Any] = {
    "depth": 3, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 32,
    "spatial_merge_size": 2, "temporal_patch_size": 2,
}  # fmt: skip
ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}


def tiny(family: str, seed: int = 0) -> Vlm:
    """A model of some 100,000 random weights, with a tokeniser of bytes. Raises KeyError for an unknown family."""
    tokens = _tokens(family)
    config = _config(family, len(tokens), tokens.convert_tokens_to_ids(IMAGE.get(family, "<image>")))
    torch.manual_seed(seed)
    model = getattr(transformers, CLASSES[family])(config).eval()
    eyes = eyes_of(config, {"size": {"shortest_edge": 16 * 16, "longest_edge": 96 * 96}} if "qwen" in family else None)
    return Vlm(model, tokens, eyes, f"tiny {family}")


def _config(family: str, size: int, image: int) -> Any:
    text = TEXT | {"vocab_size": size}
    if family == "llava":
        seen = SEEN | {"image_size": 28, "patch_size": 7, "model_type": "clip_vision_model"}
        return transformers.LlavaConfig(
            vision_config=seen, text_config=text | {"model_type": "llama"}, image_token_index=image
        )
    if family == "llava_onevision":
        seen = SEEN | {"image_size": 28, "patch_size": 7, "model_type": "siglip_vision_model", "vision_use_head": False}
        places = [[28, 28], [28, 56], [56, 28], [56, 56], [28, 84]]
        return transformers.LlavaOnevisionConfig(
            vision_config=seen, text_config=text | {"model_type": "qwen2"}, image_token_index=image,
            image_grid_pinpoints=places,
        )  # fmt: skip
    if family == "smolvlm":
        seen = SEEN | {"image_size": 32, "patch_size": 8}
        return transformers.SmolVLMConfig(
            vision_config=seen, text_config=text | {"model_type": "llama", "pad_token_id": 0}, image_token_id=image
        )
    text |= {"rope_parameters": ROPE}
    if family == "qwen2_5_vl":
        seen = QWEN | {"patch_size": 7, "window_size": 28, "fullatt_block_indexes": [1]}
        return transformers.Qwen2_5_VLConfig(vision_config=seen, text_config=text, image_token_id=image)
    seen = QWEN | {"patch_size": 8, "num_position_embeddings": 64, "deepstack_visual_indexes": [0, 1]}
    text |= {"head_dim": 16}
    return transformers.Qwen3VLConfig(vision_config=seen, text_config=text, image_token_id=image)


def _tokens(family: str) -> Any:
    """Bytes, and the family's special tokens; SmolVLM's names of tiles too."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: n for n, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[attr-defined]
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[attr-defined]
    special = list(SPECIAL[family])
    if family == "smolvlm":
        special += [f"<row_{r}_col_{c}>" for r in range(1, 5) for c in range(1, 5)]
    make: Any = transformers.PreTrainedTokenizerFast
    fast = make(tokenizer_object=tokenizer, eos_token=END.get(family, "<|im_end|>"))
    fast.add_special_tokens({"additional_special_tokens": special})
    return fast
