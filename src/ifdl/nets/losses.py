"""Losses of maps and classes. Each is a float32 scalar: first averaged in every picture, then over the known ones.

`logits` are N×1×H×W before the sigmoid, `mask` N×1×H×W in [0, 1] (1 edited) of the same size: interpolate first.
`known` bool N is False where a picture's mask is not known; such a picture adds nothing, whatever its mask holds,
and gets no gradient. If none is known the loss is 0. A mask of zeros is known: it says authentic.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def bce(
    logits: Tensor, mask: Tensor, known: Tensor | None = None, positive: float = 1.0, pixels: Tensor | None = None
) -> Tensor:
    """Binary cross-entropy, mean over the pixels; edited pixels count `positive` times.

    `pixels` N×1×H×W weighs each pixel instead (0: not at all, as for padding); the mean is by the sum of these
    weights, and a picture whose weights are all 0 is left out like an unknown one.
    """
    logits, mask = _prepared(logits, mask, known)
    each = _each(logits, mask, positive)
    if pixels is None:
        return _mean(each.mean((1, 2, 3)), known)
    total = pixels.to(each).sum((1, 2, 3))
    some = total > 0 if known is None else (total > 0) & known
    return _mean((each * pixels).sum((1, 2, 3)) / torch.where(total > 0, total, 1.0), some)


def ce(logits: Tensor, labels: Tensor, known: Tensor | None = None, weights: Sequence[float] | None = None) -> Tensor:
    """Cross-entropy of classes, logits N×K(×H×W) and labels int64 N(×H×W); label −1 is left out.

    `weights` holds one weight per class; as in torch, the mean is by the sum of the weights of the labels met.
    """
    if known is not None:
        labels = torch.where(known.view(-1, *[1] * (labels.dim() - 1)), labels, -1)
    weight = torch.ones(logits.shape[1]) if weights is None else torch.tensor(weights)
    weight = weight.to(logits.device, torch.float32)
    total = (weight[labels.clamp(min=0)] * (labels >= 0)).sum()
    summed = F.cross_entropy(logits.float(), labels, weight, ignore_index=-1, reduction="sum")
    return summed / torch.where(total > 0, total, 1.0)


def dice(logits: Tensor, mask: Tensor, known: Tensor | None = None, smooth: float = 1.0) -> Tensor:
    """Soft Dice per picture: 1 − (2·Σ p·m + s) / (Σ p + Σ m + s), s = `smooth` in pixels.

    An empty mask gives Σ p / (Σ p + s): 0 for a map of nothing, towards 1 for any mark. Source: Milletari et al.,
    "V-Net", 3DV 2016, without their squares. LISA's form (terms divided by 1000, 1e-6 added) is `smooth=1e-3`.
    """
    logits, mask = _prepared(logits, mask, known)
    p = logits.sigmoid()
    shared, both = (p * mask).sum((1, 2, 3)), (p + mask).sum((1, 2, 3))
    return _mean(1 - (2 * shared + smooth) / (both + smooth), known)


def focal(logits: Tensor, mask: Tensor, known: Tensor | None = None, gamma: float = 2.0, alpha: float = 0.25) -> Tensor:
    """Focal loss, mean over the pixels: cross-entropy times alpha·(1 − p)^gamma of the true class.

    `alpha` weighs edited pixels and 1 − alpha the others. Source: Lin et al., "Focal loss for dense object
    detection", ICCV 2017; they divide by the number of positives instead, which an authentic picture has not.
    """
    logits, mask = _prepared(logits, mask, known)
    p = logits.sigmoid()
    wrong = p * (1 - mask) + (1 - p) * mask
    side = alpha * mask + (1 - alpha) * (1 - mask)
    return _mean((side * wrong**gamma * _each(logits, mask)).mean((1, 2, 3)), known)


def edge_band(mask: Tensor, width: int = 7) -> Tensor:
    """Bool N×1×H×W: pixels within `width` // 2 rows or columns of the outline, on both sides of it; `width` is odd.

    The mask dilated by a cross of that width, and its complement dilated likewise, both hold. The border of the
    picture is no outline. Source: Ma et al., "IML-ViT", arXiv 2307.14863.
    """
    if width % 2 == 0:
        raise ValueError(f"a band of {width} pixels has no middle; take an odd width")
    inside = (mask > 0.5).float()
    return (_dilated(inside, width) * _dilated(1 - inside, width)) > 0


def edge(logits: Tensor, mask: Tensor, known: Tensor | None = None, width: int = 7) -> Tensor:
    """Binary cross-entropy inside the edge band alone; a picture without an outline is left out."""
    return bce(logits, mask, known, pixels=edge_band(mask, width).to(torch.float32))


def ohem(logits: Tensor, mask: Tensor, known: Tensor | None = None, share: float = 0.25) -> Tensor:
    """Binary cross-entropy of the hardest `share` of each picture's pixels (at least one).

    Source: Shrivastava et al., "Training region-based object detectors with online hard example mining", CVPR 2016,
    for pixels instead of regions.
    """
    logits, mask = _prepared(logits, mask, known)
    each = _each(logits, mask).flatten(1)
    hardest = each.topk(max(1, round(share * each.shape[1])), 1, sorted=False).values
    return _mean(hardest.mean(1), known)


def _prepared(logits: Tensor, mask: Tensor, known: Tensor | None) -> tuple[Tensor, Tensor]:
    """Float32 of one shape; unknown masks, which may hold anything, become zeros."""
    if logits.shape != mask.shape:
        raise ValueError(f"map {tuple(logits.shape)} and mask {tuple(mask.shape)} differ in shape")
    mask = mask.float()
    if known is not None:
        mask = torch.where(known.view(-1, 1, 1, 1), mask, 0.0)
    return logits.float(), mask


def _each(logits: Tensor, mask: Tensor, positive: float = 1.0) -> Tensor:
    weight = None if positive == 1.0 else logits.new_tensor(positive)
    return F.binary_cross_entropy_with_logits(logits, mask, pos_weight=weight, reduction="none")


def _mean(by_picture: Tensor, known: Tensor | None) -> Tensor:
    if known is None:
        return by_picture.mean()
    return torch.where(known, by_picture, 0.0).sum() / known.sum().clamp(min=1)


def _dilated(mask: Tensor, width: int) -> Tensor:
    flat = F.max_pool2d(mask, (1, width), 1, (0, width // 2))
    return torch.maximum(flat, F.max_pool2d(mask, (width, 1), 1, (width // 2, 0)))
