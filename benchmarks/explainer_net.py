"""The small explainer of the study: the expert's patch tokens, a projector, and a causal decoder that writes a caption.

What the paper does at 13 B parameters, at 5.4 million: tokens of the plain and the masked picture are blended (RAVFE,
`ifdl.nets.ravfe.blend`), projected, and stand before the words. The joint arm is to find and to explain at once, as
SIDA does: a vector asked for before the first word is compared with the projected tokens, which gives its mask.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM

from ifdl.nets.contrast import Contrast
from ifdl.nets.ravfe import blend

PAD, BEGIN, END = 0, 1, 2
PIECE = re.compile(r"\n| ?[^\W\d_]+| ?\d|[^\w\s]|\s")


class Words:
    """Text ↔ numbers by words and single digits, a space belonging to what follows; what was never seen is left out."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.pieces = ["", "", "", *sorted({piece for text in texts for piece in PIECE.findall(text)})]
        self.number = {piece: n for n, piece in enumerate(self.pieces) if n > END}

    def encode(self, text: str, most: int) -> list[int]:
        """At most `most` numbers, the end among them unless the text is cut."""
        return [*(self.number[p] for p in PIECE.findall(text) if p in self.number), END][:most]

    def decode(self, numbers: Sequence[int]) -> str:
        """The text up to the end."""
        own = list(numbers)
        return "".join(self.pieces[n] for n in (own[: own.index(END)] if END in own else own))


@dataclass(frozen=True)
class Shape:
    """Widths: about 5.6 million parameters in all as they stand."""

    tokens: int = 576
    width: int = 256
    layers: int = 6
    heads: int = 4
    most: int = 160  # words of a caption


class Explainer(nn.Module):
    """`seen` N×64×576 → words. `joint` adds the asked-for mask, logits N×64."""

    def __init__(self, words: int, shape: Shape = Shape(), joint: bool = False) -> None:
        super().__init__()
        self.shape = shape
        width = shape.width
        self.project = nn.Sequential(nn.Linear(shape.tokens, width), nn.GELU(), nn.Linear(width, width))
        config = LlamaConfig(
            vocab_size=words, hidden_size=width, intermediate_size=3 * width, num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads, max_position_embeddings=512, tie_word_embeddings=True, pad_token_id=PAD,
            bos_token_id=BEGIN, eos_token_id=END,
        )  # fmt: skip
        self.decoder = LlamaForCausalLM(config)
        self.ask = nn.Linear(width, width) if joint else None

    def forward(self, seen: Tensor, words: Tensor) -> tuple[Tensor, Tensor | None]:
        """Mean cross-entropy of `words` int64 N×L (after the beginning, padded with 0), and the mask if it is asked."""
        before = self.project(seen)
        begin = torch.full_like(words[:, :1], BEGIN)
        embed = self.decoder.get_input_embeddings()
        given = torch.cat([before, embed(torch.cat([begin, words[:, :-1]], 1))], 1)
        hidden = self.decoder.model(inputs_embeds=given).last_hidden_state[:, before.shape[1] :]
        scores = self.decoder.lm_head(hidden)
        loss = F.cross_entropy(scores.flatten(0, 1).float(), words.flatten(), ignore_index=PAD)
        return loss, self._mask(hidden[:, 0], before)

    def _mask(self, hidden: Tensor, before: Tensor) -> Tensor | None:
        if self.ask is None:
            return None
        return torch.einsum("nd,nld->nl", self.ask(hidden), before).float() / self.shape.width**0.5

    @torch.inference_mode()
    def say(self, seen: Tensor) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
        """The likeliest words, int N×L, and the mask's logits N×64 if it is asked."""
        before = self.project(seen)
        embed = self.decoder.get_input_embeddings()
        begin = embed(torch.full((len(seen), 1), BEGIN))
        given = torch.cat([before, begin], 1)
        hidden = self.decoder.model(inputs_embeds=given).last_hidden_state[:, -1]
        mask = self._mask(hidden, before)
        said = self.decoder.generate(
            inputs_embeds=given,
            attention_mask=torch.ones(given.shape[:2], dtype=torch.long),
            max_new_tokens=self.shape.most,
            do_sample=False,
            pad_token_id=PAD,
            eos_token_id=END,
        )
        return said.numpy(), None if mask is None else mask.numpy()

    @torch.inference_mode()
    def say_under_contrast(self, seen: Tensor, view: Tensor, alpha: float) -> NDArray[Any]:
        """The likeliest words, int N×L, when `view` N×64×576 helps to choose between those that `seen` finds likely."""
        embed = self.decoder.get_input_embeddings()
        begin = embed(torch.full((len(seen), 1), BEGIN))
        kept: list[Any] = [None, None]  # each picture's keys and values
        given = [torch.cat([self.project(own), begin], 1) for own in (seen, view)]
        scores: list[Tensor] = []
        rule = Contrast(lambda _: scores[1], alpha)
        words, going = torch.empty((len(seen), 0), dtype=torch.long), torch.ones(len(seen), dtype=torch.bool)
        while words.shape[1] < self.shape.most and bool(going.any()):
            scores.clear()
            for n, own in enumerate(given):
                told = self.decoder(inputs_embeds=own, past_key_values=kept[n], use_cache=True)
                kept[n] = told.past_key_values
                scores.append(told.logits[:, -1])
            chosen = rule(words, scores[0]).argmax(-1)
            words = torch.cat([words, torch.where(going, chosen, PAD)[:, None]], 1)
            going &= chosen != END
            given = [embed(chosen[:, None])] * 2
        return words.numpy()


@dataclass(frozen=True)
class Budget:
    """The same for every arm."""

    steps: int = 300
    batch: int = 16
    rate: float = 1e-3
    warmup: int = 50
    alpha: float = 0.5  # share of the plain picture


def seen_of(plain: NDArray[np.float16], masked: NDArray[np.float16] | None, alpha: float) -> Tensor:
    """Tokens as the projector takes them: blended with those of the masked picture where there is a mask."""
    own = torch.from_numpy(np.asarray(plain, np.float32))
    return own if masked is None else blend(own, torch.from_numpy(np.asarray(masked, np.float32)), alpha)


def batches(lengths: NDArray[Any], size: int, rng: np.random.Generator) -> list[NDArray[Any]]:
    """Rows of one round in chance order, those of a batch alike in length, so that little is padding."""
    order = rng.permutation(len(lengths))
    groups = [order[n : n + 16 * size] for n in range(0, len(order), 16 * size)]
    sorted_groups = [group[np.argsort(lengths[group], kind="stable")] for group in groups]
    made = [np.sort(g[n : n + size]) for g in sorted_groups for n in range(0, len(g) - size + 1, size)]
    rng.shuffle(made)
    return made


def train(
    net: Explainer,
    plain: NDArray[np.float16],
    masked: NDArray[np.float16] | None,
    words: Sequence[list[int]],
    cells: NDArray[np.float32],
    budget: Budget,
    seed: int,
) -> list[float]:
    """Train in place; losses of every step. `cells` N×64: how much of each cell is edited, for the joint arm."""
    rng = np.random.default_rng([seed, 5])
    optimiser = torch.optim.AdamW(net.parameters(), budget.rate, (0.9, 0.95), weight_decay=0.05)
    losses: list[float] = []
    ready: list[Any] = []
    lengths = np.array([len(own) for own in words])
    net.train()
    for step in range(budget.steps):
        if not ready:
            ready = batches(lengths, budget.batch, rng)
        rows = ready.pop()
        done = step / budget.steps
        share = min(1.0, (step + 1) / budget.warmup) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * done)))
        for group in optimiser.param_groups:
            group["lr"] = budget.rate * share
        seen = seen_of(plain[rows], None if masked is None else masked[rows], budget.alpha)
        longest = max(len(words[n]) for n in rows)
        told = torch.tensor([words[n] + [PAD] * (longest - len(words[n])) for n in rows])
        with torch.autocast("cpu", torch.bfloat16):
            loss, mask = net(seen, told)
        if mask is not None:
            loss = loss + F.binary_cross_entropy_with_logits(mask, torch.from_numpy(cells[rows]))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
    net.eval()
    return losses
