"""Pictures for the small study of explanations: forged, looked at by the expert under four masks, and kept on disk.

Training forges by other engines, of other photographs, than testing does. What is kept of a picture are the expert's
patch tokens, mean-pooled to 8 × 8: plain, and of what each mask lets through (masked pixels at the mean colour, as the
paper has it). An empty mask lets everything through, which is the paper's rule for untouched pictures.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from ifdl import experts, intake
from ifdl.data.manifest import Split
from ifdl.experts.ifdl_small import IfdlSmall
from ifdl.forge import produce
from ifdl.forge import recipe as forging
from ifdl.forge.caption import Caption, caption
from ifdl.train import data

ROOT = Path(__file__).resolve().parents[1]
PLACES = [ROOT.parent / "shared" / "data" / name for name in ("camera", "camera_whole")]
WEIGHTS = ROOT / "src" / "ifdl" / "weights" / "ifdl_small.safetensors"
SIDE, CELLS = 256, 8
VIEWS = ("plain", "true", "predicted", "random")
SEEN = {"splice": 0.45, "copymove": 0.33, "remove": 0.17, "text": 0.05}  # engines of training
UNSEEN = {"retouch": 0.5, "sequence": 0.5}  # engines held out
# An eye of 8 × 8 tokens cannot tell pixels, and no judge here reads them: they would be half of what is learned.
COORDINATES = re.compile(r", x \d+-\d+, y \d+-\d+ \(its box covers [^)]*\)")
UNTOUCHED = 4  # of so many pictures one is the untouched sibling


@dataclass(frozen=True)
class Part:
    """`count` pictures by these engines from photographs of this split."""

    name: str
    split: Split
    engines: dict[str, float]
    seed: int


PARTS = (
    Part("train", Split.TRAIN, SEEN, 31),
    Part("seen", Split.TEST, SEEN, 32),
    Part("unseen", Split.TEST, UNSEEN, 33),
)


@dataclass(frozen=True, eq=False)
class Examples:
    """N pictures uint8 N×256×256×3 RGB; masks bool N×256×256 by view ("plain" is missing); tokens float16 N×4×64×576
    in the order of `VIEWS`; and a row of facts each."""

    pictures: NDArray[np.uint8]
    masks: dict[str, NDArray[np.bool_]]
    tokens: NDArray[np.float16]
    rows: list[dict[str, Any]]

    def view(self, name: str) -> NDArray[np.float16]:
        return np.asarray(self.tokens[:, VIEWS.index(name)])


def load(folder: Path, most: int | None = None) -> Examples:
    """What `make` left in a folder, at most so many; tokens are read from disk as they are used."""
    with np.load(folder / "masks.npz", allow_pickle=False) as kept:
        masks = {name: np.unpackbits(kept[name][:most], axis=2, count=SIDE).astype(bool) for name in VIEWS[1:]}
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [row | {"text": COORDINATES.sub("", row["text"])} for row in rows]
    pictures, tokens = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("pictures", "tokens"))
    return Examples(pictures[:most], masks, tokens[:most], rows[:most])


def make(part: Part, count: int, folder: Path, workers: int) -> None:
    """Forge a part and look at it, unless that is done."""
    if (folder / "tokens.npy").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    pictures, masks, rows = [], [], []
    for picture, mask, row in _forged(part, count, workers):
        pictures.append(picture)
        masks.append(mask)
        rows.append(row)
    every, true = np.stack(pictures), np.stack(masks)
    expert = experts.module("ifdl_small").build(WEIGHTS)
    shown = {"true": true, "predicted": _predicted(expert, every), "random": _others(true, part.seed)}
    tokens = np.stack([_tokens(expert, every, None), *(_tokens(expert, every, m) for m in shown.values())], 1)
    np.save(folder / "pictures.npy", every)
    packed: dict[str, Any] = {name: np.packbits(m, axis=2) for name, m in shown.items()}
    np.savez(folder / "masks.npz", **packed)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(text, encoding="utf-8")
    np.save(folder / "tokens.npy", tokens)


def _forged(part: Part, count: int, workers: int) -> Iterator[tuple[Any, Any, dict[str, Any]]]:
    found = data.photographs(PLACES, part.split)
    recipe = replace(forging.load(), size=(SIDE, SIDE), engines=part.engines)
    for n, pair in enumerate(produce.pairs(found, recipe, part.seed, range(count), workers)):
        edited = n % UNTOUCHED != 0
        file = pair.edited if edited else pair.sibling
        mask = pair.mask if edited else np.zeros_like(pair.mask)
        said = pair.caption if edited else caption((), mask.shape, np.random.default_rng(n))
        steps = [asdict(step) for step in pair.steps] if edited else []
        about = {"id": f"{part.name}-{n:05d}", "engine": pair.engine if edited else "untouched"}
        yield (
            intake.decode(file).pixels,
            mask,
            about
            | {
                "source": pair.sources[0],
                "steps": steps,
                "caption": asdict(said),
                "text": Caption(**asdict(said)).text(),
            },
        )


def _predicted(expert: IfdlSmall, pictures: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where the expert marks in one plain pass; nothing where it says authentic with 0.5 or more."""
    marked = []
    with torch.inference_mode():
        for batch in np.array_split(pictures, -(-len(pictures) // 16)):
            out = expert.net().eval()(_pixels(batch))
            heat = F.interpolate(out["map"], (SIDE, SIDE), mode="bilinear", align_corners=False)[:, 0].sigmoid()
            found = heat.numpy() >= expert.THRESHOLD
            marked.append(found & (out["classes"].softmax(1)[:, :1].numpy() < 0.5)[..., None])
    return np.concatenate(marked)


def _others(masks: NDArray[np.bool_], seed: int) -> NDArray[np.bool_]:
    """For every picture the true mask of another edited one: as likely a shape, and of no use."""
    rng = np.random.default_rng(seed)
    edited = np.flatnonzero(masks.any((1, 2)))
    chosen = rng.choice(edited, len(masks))
    same = chosen == np.arange(len(masks))
    chosen[same] = edited[(np.searchsorted(edited, chosen[same]) + 1) % len(edited)]
    return np.asarray(masks[chosen])


def _tokens(expert: IfdlSmall, pictures: NDArray[np.uint8], masks: NDArray[np.bool_] | None) -> NDArray[np.float16]:
    """N×64×576: the expert's patch tokens, three depths side by side, means of 2 × 2."""
    kept = []
    with torch.inference_mode():
        for n in range(0, len(pictures), 16):
            pixels = _pixels(pictures[n : n + 16])
            if masks is not None:
                shown = torch.from_numpy(masks[n : n + 16])[:, None].float()
                shown[shown.sum((1, 2, 3)) == 0] = 1.0
                pixels = 0.5 + (pixels - 0.5) * shown  # the mean colour is 0 for the network
            seen, _, _ = expert.net().eval().look(pixels)
            side = SIDE // 16
            grid = torch.cat(seen, 2).transpose(1, 2).reshape(len(pixels), -1, side, side)
            kept.append(F.avg_pool2d(grid, side // CELLS).flatten(2).transpose(1, 2).half().numpy())
    return np.concatenate(kept)


def _pixels(pictures: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 255
