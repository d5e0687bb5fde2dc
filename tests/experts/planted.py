"""Pictures with a part of another origin, whose only cue is noise: what weak and graded systems are tried on."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def splices(count: int, side: int = 64, seed: int = 0, noise: float = 14.0) -> tuple[list[Pixels], Any, Any]:
    """(pictures uint8, masks bool N×side×side, labels int64 N): smooth scenes, every other one with a noisy part.

    The part is anywhere, so that its place says nothing; untouched pictures have the same scenes without it.
    """
    rng = np.random.default_rng(seed)
    pictures, masks, labels = [], [], []
    for n in range(count):
        scene = cv2.resize(rng.integers(60, 196, (5, 5, 3), np.uint8), (side, side), interpolation=cv2.INTER_CUBIC)
        values = scene.astype(np.float32) + rng.normal(0, 2, scene.shape)
        mask = np.zeros((side, side), bool)
        if n % 2:
            high, wide = rng.integers(side // 4, side // 2, 2)
            y, x = rng.integers(0, side - high), rng.integers(0, side - wide)
            mask[y : y + high, x : x + wide] = True
            values[mask] += rng.normal(0, noise, (int(mask.sum()), 3))
        pictures.append(np.clip(np.rint(values), 0, 255).astype(np.uint8))
        masks.append(mask)
        labels.append(n % 2)
    return pictures, np.stack(masks), np.array(labels, np.int64)


def learned(expert: Any, steps: int, batch: int = 8, rate: float = 3e-3, shuffled: bool = False) -> Any:
    """The expert's net after so many steps on labels alone; `shuffled` labels are the control."""
    import torch

    torch.manual_seed(0)
    net = expert.net().train()
    optimiser = torch.optim.AdamW(net.parameters(), rate)
    chance = np.random.default_rng(9)
    for step in range(steps):
        pictures, _, labels = splices(batch, seed=1000 + step)
        if shuffled:
            labels = chance.permutation(labels)
        pixels = torch.from_numpy(np.stack([expert.prepare(p)["pixels"] for p in pictures]))
        loss = sum(expert.loss(net(pixels=pixels), {"label": torch.from_numpy(labels)}).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return net.eval()


def maps(expert: Any, net: Any, pictures: list[Pixels]) -> NDArray[np.float32]:
    """Probabilities N×side×side of the net's maps, enlarged to the pictures' size."""
    import torch

    with torch.no_grad():
        pixels = torch.from_numpy(np.stack([expert.prepare(p)["pixels"] for p in pictures]))
        found = net(pixels=pixels)["map"]
    size = pictures[0].shape[:2]
    large = torch.nn.functional.interpolate(found, size, mode="bilinear", align_corners=False)
    return np.asarray(large[:, 0].sigmoid(), np.float32)


def auc(heat: NDArray[Any], masks: NDArray[np.bool_]) -> float:
    """Mean over the pictures of the chance that an edited pixel is hotter than an untouched one."""
    from ifdl.data.shortcuts import auc as between

    found = [between(h.ravel(), m.ravel()) for h, m in zip(heat, masks, strict=True)]
    return float(np.mean([value for value in found if value is not None]))


def centre(count: int, side: int) -> NDArray[np.float32]:
    """The centre prior: a bell over the middle, the same for every picture."""
    at = (np.arange(side) + 0.5) / side - 0.5
    bell = np.exp(-(at[:, None] ** 2 + at[None] ** 2) / (2 * 0.25**2))
    return np.repeat(bell[None].astype(np.float32), count, 0)
