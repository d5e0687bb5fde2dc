"""One vision-language model of five families, loaded from this machine alone: prompt, words, loss.

LLaVA-1.5, LLaVA-OneVision, Qwen2.5-VL, Qwen3-VL and SmolVLM by their classes of transformers, all guided by RAVFE
(`ifdl.nets.ravfe`). One picture at a time, as the paper trains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import Tensor, nn

from ifdl.nets import ravfe, vlm_files
from ifdl.nets.ravfe import Ravfe
from ifdl.nets.vlm_geometry import Eyes, View, anyres_size, eyes_of

CLASSES = {
    "llava": "LlavaForConditionalGeneration",
    "llava_onevision": "LlavaOnevisionForConditionalGeneration",
    "qwen2_5_vl": "Qwen2_5_VLForConditionalGeneration",
    "qwen3_vl": "Qwen3VLForConditionalGeneration",
    "smolvlm": "SmolVLMForConditionalGeneration",
}
# {picture} is where the image tokens go. LLaVA's is template `v1`, in which the paper trains.
PROMPTS = {
    "llava": "A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, "
    "detailed, and polite answers to the human's questions. USER: {picture}\n{words} ASSISTANT:",
    "llava_onevision": "<|im_start|>user {picture}\n{words}<|im_end|><|im_start|>assistant\n",
    "qwen2_5_vl": "<|im_start|>user\n<|vision_start|>{picture}<|vision_end|>{words}<|im_end|>\n<|im_start|>assistant\n",
    "qwen3_vl": "<|im_start|>user\n<|vision_start|>{picture}<|vision_end|>{words}<|im_end|>\n<|im_start|>assistant\n",
    "smolvlm": "<|im_start|>User:{picture}{words}<end_of_utterance>\nAssistant:",
}
IGNORED = -100  # labels that transformers leaves out of the loss


@dataclass(eq=False)
class Vlm:
    """A model, its tokeniser and its eyes. `name` says which weights it has."""

    model: Any
    tokens: Any
    eyes: Eyes
    name: str
    how: Ravfe = field(default_factory=Ravfe)

    @property
    def family(self) -> str:
        return str(self.model.config.model_type)

    @property
    def device(self) -> torch.device:
        return torch.device(next(self.model.parameters()).device)

    def words(
        self, picture: NDArray[np.uint8], mask: NDArray[Any] | None, question: str, most: int = 512, seed: int = 0
    ) -> str:
        """What the model answers about a picture as displayed, uint8 H×W×3, with its attention on the mask H×W.

        None is no mask. The likeliest word each time, so the same picture gives the same words. `most` new tokens.
        """
        self.model.eval()
        given, view = self.given(picture, mask, question)
        asked = given["input_ids"].shape[1]
        torch.manual_seed(seed)
        with torch.inference_mode(), self.looking(view, given["input_ids"]):
            said = self.model.generate(
                **given, max_new_tokens=most, do_sample=False, pad_token_id=self.tokens.eos_token_id
            )
        return str(self.tokens.decode(said[0, asked:], skip_special_tokens=True)).strip()

    def loss(self, picture: NDArray[np.uint8], mask: NDArray[Any] | None, question: str, answer: str) -> Tensor:
        """Mean cross-entropy of the answer's tokens, its end included."""
        given, view = self.given(picture, mask, question, answer)
        with self.looking(view, given["input_ids"]):
            return self.model(**given, use_cache=False).loss  # type: ignore[no-any-return, unused-ignore]

    def given(
        self, picture: NDArray[np.uint8], mask: NDArray[Any] | None, question: str, answer: str | None = None
    ) -> tuple[dict[str, Tensor], View]:
        """What the model takes, `labels` too where there is an answer; and the view."""
        view = self.how.look(picture, self.eyes, mask)
        said = self._prompt(question, view)
        before = self.tokens(said)["input_ids"]
        space = " " if said.endswith(":") else ""
        after: list[int] = []
        if answer is not None:
            after = self.tokens(space + self._plain(answer), add_special_tokens=False)["input_ids"]
            after = [*after, self.tokens.eos_token_id]
        ids = torch.tensor([[*before, *after]], device=self.device)
        given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        dtype = next(ravfe.tower(self.model).parameters()).dtype
        given |= ravfe.inputs(view, self.eyes, False, self.device, dtype)
        if self.eyes.layout == "patches":
            given["mm_token_type_ids"] = (ids == self.model.config.image_token_id).long()
        if answer is not None:
            given["labels"] = ids.clone()
            given["labels"][:, : len(before)] = IGNORED
        return given, view

    @contextmanager
    def looking(self, view: View, ids: Tensor) -> Iterator[None]:
        """Inside, the mask of this view guides the model."""
        with ExitStack() as stack:
            stack.enter_context(ravfe.guided(self.model, self.eyes, view, self.how))
            if view.masked is not None and self.how.prior:
                places = torch.nonzero(ids[0] == self.model.config.image_token_id)[:, 0]
                cover = ravfe.token_coverage(self.model, self.eyes, view)
                stack.enter_context(ravfe.attending(self.model, places, cover, self.how.prior))
            yield

    def count(self, view: View) -> int:
        """How many image tokens a view becomes, from its geometry alone."""
        eyes = self.eyes
        per_tile = (eyes.side // eyes.patch) ** 2
        if eyes.layout == "square":
            return per_tile
        if eyes.layout == "patches":
            return view.grid[0] * view.grid[1] // eyes.merge**2
        if eyes.layout == "tiles":
            return len(view.values) * per_tile // eyes.merge**2
        return _packed(view, eyes)

    def _prompt(self, question: str, view: View) -> str:
        token = str(self.tokens.convert_ids_to_tokens(self.model.config.image_token_id))
        many = token * self.count(view)
        if self.family == "smolvlm":
            per_tile = token * ((self.eyes.side // self.eyes.patch) ** 2 // self.eyes.merge**2)
            many = _tiled_prompt(view, per_tile)
        return PROMPTS[self.family].format(picture=many, words=self._plain(question))

    def _plain(self, text: str) -> str:
        """Text in which no word is a special token: findings may quote what a stranger wrote into a file."""
        for special in sorted(self.tokens.get_added_vocab(), key=len, reverse=True):
            text = text.replace(special, " ")
        return text


def load(
    name: str, revision: str | None = None, progress: Callable[[str], None] = print, device: str | None = None
) -> Vlm:
    """A model from a folder or the hub's cache of this machine; nothing is downloaded, nothing is unpickled.

    `progress` is told the memory needed before loading begins. Raises ValueError with the cure where weights, memory
    or the family are missing.
    """
    files = vlm_files.find(name, revision)
    config = transformers.AutoConfig.from_pretrained(files.folder, local_files_only=True)
    if config.model_type not in CLASSES:
        raise ValueError(f"{name} is of the family {config.model_type!r}; families: {', '.join(CLASSES)}")
    eyes = eyes_of(config, files.processor)
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    free = torch.cuda.mem_get_info(where)[0] if where.type == "cuda" else vlm_files.free_memory()
    progress(vlm_files.fits(name, files.bytes, free, str(where)))
    dtype = torch.bfloat16
    tokens = transformers.AutoTokenizer.from_pretrained(files.folder, local_files_only=True)
    progress(f"loading {files.bytes / 1e9:.1f} GB of weights")
    model = getattr(transformers, CLASSES[config.model_type]).from_pretrained(
        files.folder, local_files_only=True, use_safetensors=True, dtype=dtype
    )
    return Vlm(model.to(where).eval(), tokens, eyes, f"{name}@{revision}" if revision else name)


def with_adapter(loaded: Vlm, folder: Path) -> Vlm:
    """The model with what `ifdl train ravfe_llava13b` wrote, folded into its weights.

    Raises ValueError for a folder that holds no adapter, or that of another model.
    """
    import peft

    if not (folder / "adapter_config.json").is_file() or not (folder / "adapter_model.safetensors").is_file():
        raise ValueError(f"{folder} holds no adapter (adapter_config.json and adapter_model.safetensors)")
    try:
        wrapped = peft.PeftModel.from_pretrained(loaded.model, str(folder))
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{folder} is no adapter of {loaded.name}: {str(error).splitlines()[0]}") from error
    merged: Any = wrapped.merge_and_unload()  # type: ignore[operator, unused-ignore]
    return Vlm(merged.eval(), loaded.tokens, loaded.eyes, f"{loaded.name} with {folder.name}", loaded.how)


def language(model: nn.Module) -> tuple[str, ...]:
    """Names of the linear layers of the language model, its output layer left out: what LoRA trains."""
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    return tuple(n for n in names if ".language_model." in f".{n}." or ".text_model." in f".{n}.")


# ---------------------------------------------------------------- helpers


def _packed(view: View, eyes: Eyes) -> int:
    """Tokens of the squashed whole, and of the tiles without padding, each row with its end."""
    side = eyes.side // eyes.patch
    canvas, _ = anyres_size(view.size, eyes)
    rows, columns = canvas[0] // eyes.side * side, canvas[1] // eyes.side * side
    height, width = view.size
    if width / height > columns / rows:
        rows -= 2 * ((rows - int(round(height * (columns / width), 7))) // 2)
    else:
        columns -= 2 * ((columns - int(round(width * (rows / height), 7))) // 2)
    ratio = (rows * columns / (eyes.most * side**2)) ** 0.5
    if ratio > 1.1:
        rows, columns = int(rows // ratio), int(columns // ratio)
    return side**2 + rows * (columns + 1)


def _tiled_prompt(view: View, per_tile: str) -> str:
    """SmolVLM names each tile by row and column, and the whole last."""
    around, whole = "<fake_token_around_image>", "<global-img>"
    rows, columns = view.grid
    said = ""
    for row in range(1, rows + 1):
        said += "".join(f"{around}<row_{row}_col_{column}>{per_tile}" for column in range(1, columns + 1)) + "\n"
    return f"{said}\n{around}{whole}{per_tile}{around}" if rows else f"{around}{whole}{per_tile}{around}"
