"""From a map to a score: how a map N×1×h×w of logits or heat becomes one number per picture, N.

`valid` bool N×1×h×w excludes padding; every picture must have a valid cell. Unlike the plain mean, these see a small
edit in a large picture.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def maximum(values: Tensor, valid: Tensor | None = None) -> Tensor:
    """The largest value: sees one cell, and one wrong cell too."""
    cells, counted = _cells(values, valid)
    return cells.masked_fill(~counted, -math.inf).amax(1)


def top_share(values: Tensor, share: float = 0.02, valid: Tensor | None = None) -> Tensor:
    """The mean of the largest `share` of the valid cells, rounded up to at least one cell."""
    cells, counted = _cells(values, valid)
    # The subtrahend keeps 0.07 × 100 = 7.000000000000001 from being 8 cells.
    wanted = (counted.sum(1) * share - 1e-4).ceil().clamp(min=1)
    ordered = cells.masked_fill(~counted, -math.inf).sort(1, descending=True).values
    chosen = torch.arange(cells.shape[1], device=cells.device) < wanted[:, None]
    return ordered.masked_fill(~chosen, 0.0).sum(1) / wanted


def otsu(values: Tensor) -> Tensor:
    """The mean of the upper group of a map's values, split where the two groups vary least (Otsu, 1979).

    The upper group is at most half of the cells: how many count is the picture's own affair, not a constant.
    Source: Zhai et al., "Towards generic image manipulation detection with weakly-supervised self-consistency
    learning", ICCV 2023 (adaptive pooling).
    """
    ordered = values.flatten(1).sort(1, descending=True).values
    count = ordered.shape[1]
    with torch.no_grad():
        sums, squares = ordered.double().cumsum(1), ordered.double().square().cumsum(1)
        above = torch.arange(1, max(1, count // 2) + 1, device=values.device)
        upper, rest = sums[:, above - 1], sums[:, -1:] - sums[:, above - 1]
        below = (count - above).clamp(min=1)  # a map of one cell is its own upper group
        within = squares[:, -1:] - upper.square() / above - rest.square() / below
        kept = above[within.argmin(1)]
    chosen = torch.arange(count, device=values.device) < kept[:, None]
    return ordered.masked_fill(~chosen, 0.0).sum(1) / kept


def gem(values: Tensor, power: Tensor | float = 3.0, valid: Tensor | None = None, least: float = 1e-6) -> Tensor:
    """Generalised mean (mean of v^p)^(1/p) of values of 0 and above: 1 is the mean, infinity the maximum.

    For probabilities, not logits: values below `least` are raised to it. `power` may be a parameter to learn.
    Source: Radenović et al., "Fine-tuning CNN image retrieval with no human annotation", TPAMI 2019.
    """
    cells, counted = _cells(values, valid)
    raised = cells.clamp(min=least).pow(power).masked_fill(~counted, 0.0)
    mean = raised.sum(1) / counted.sum(1)
    return mean.pow(1 / power)


def log_sum_exp(values: Tensor, sharpness: float = 1.0, valid: Tensor | None = None) -> Tensor:
    """log(mean(exp(r·v))) / r with r = `sharpness`: the mean for r → 0, the maximum for r → ∞.

    Source: Pinheiro and Collobert, "From image-level to pixel-level labeling", CVPR 2015.
    """
    cells, counted = _cells(values, valid)
    summed = (sharpness * cells).masked_fill(~counted, -math.inf).logsumexp(1)
    return (summed - counted.sum(1).log()) / sharpness


def statistics(values: Tensor, log_weight: Tensor | None = None, valid: Tensor | None = None) -> Tensor:
    """Soft minimum, soft maximum, mean and mean square of a map, N×4, its cells weighted by softmax(`log_weight`).

    Soft maximum is log Σ w·exp(v), soft minimum −log Σ w·exp(−v), both between the mean and the extreme.
    """
    cells, counted = _cells(values, valid)
    logs = torch.zeros_like(cells) if log_weight is None else log_weight.flatten(1)
    logs = logs.masked_fill(~counted, -math.inf).log_softmax(1)
    weights = logs.exp()
    return torch.stack(
        [
            -(logs - cells).logsumexp(1),
            (logs + cells).logsumexp(1),
            (weights * cells).sum(1),
            (weights * cells.square()).sum(1),
        ],
        1,
    )


def confidence_weighted(values: Tensor, reliability: Tensor, valid: Tensor | None = None) -> Tensor:
    """What TruFor's detector reads, N×8: `statistics` of the reliability logits, then of the map weighted by them.

    `values` is the map's logit (edited minus authentic), `reliability` a logit N×1×h×w: a cell weighs as much as
    it is trusted. Source: Guillaro et al., "TruFor", CVPR 2023, section 3.3, as `MMFusion` uses it.
    """
    return torch.cat([statistics(reliability, None, valid), statistics(values, F.logsigmoid(reliability), valid)], 1)


def _cells(values: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """Cells N×P and which of them count; what does not is set to 0, so that padding may hold anything."""
    cells = values.flatten(1)
    if valid is None:
        return cells, torch.ones_like(cells, dtype=torch.bool)
    counted = valid.flatten(1).bool()
    return cells.masked_fill(~counted, 0.0), counted
