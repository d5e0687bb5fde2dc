"""Pixel scores for training loops: a torchmetrics metric round the exact tally. Needs the `train` extra."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from ifdl.evaluate.pixel import SCORES, PixelRule, per_picture, pooled
from ifdl.evaluate.tally import LEVELS, Tally
from ifdl.types import Map

NAMES = (*SCORES, "auc", "average_precision")


class PixelScores(Metric):
    """F1, IoU, AUC and the rest under a `PixelRule`, over batches and processes.

    A rule that averages per picture gives the mean of each score over the pictures where it is defined (nan
    if nowhere); a pooled one counts all pixels together. The numbers are those of `ifdl.evaluate.pixel`.
    """

    full_state_update = False
    higher_is_better = None  # false_area is better low
    inside: Tensor
    outside: Tensor
    sums: Tensor
    times: Tensor

    def __init__(self, rule: PixelRule | None = None) -> None:
        super().__init__()
        self.rule = rule or PixelRule()
        chosen = self.rule.threshold == "best_per_picture" or self.rule.polarity == "double"
        if self.rule.averaging == "pooled" and chosen:
            raise ValueError("pooled pixels keep no picture apart, so nothing can be chosen per picture")
        for name in ("inside", "outside"):
            self.add_state(name, torch.zeros(LEVELS, dtype=torch.int64), dist_reduce_fx="sum")
        for name in ("sums", "times"):
            self.add_state(name, torch.zeros(len(NAMES), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, heat: Tensor, truth: Tensor, valid: Tensor | None = None) -> None:
        """Add a batch: `heat` float in [0, 1], `truth` and `valid` bool (or 0 and 1), all B×H×W or B×1×H×W."""
        if heat.shape != truth.shape or (valid is not None and valid.shape != truth.shape):
            raise ValueError(f"heat, truth and valid must have one shape, not {heat.shape} and {truth.shape}")
        for n in range(len(heat)):
            values = heat[n].detach().float().cpu().numpy()
            mask = truth[n].cpu().numpy().astype(bool)
            known = None if valid is None else valid[n].cpu().numpy().astype(bool)
            tally = Tally.of(Map.of(values, mask.shape[-2:]).values, mask, known)
            if self.rule.averaging == "pooled":
                self.inside += torch.from_numpy(tally.inside).to(self.inside.device)
                self.outside += torch.from_numpy(tally.outside).to(self.outside.device)
                continue
            found = per_picture(tally, self.rule)
            row = torch.tensor([found[name] for name in NAMES], dtype=torch.float64, device=self.sums.device)
            self.sums += torch.nan_to_num(row)
            self.times += ~torch.isnan(row)

    def compute(self) -> dict[str, float]:
        """Scores by name."""
        if self.rule.averaging == "pooled":
            merged = Tally(np.asarray(self.inside.cpu()), np.asarray(self.outside.cpu()))
            return pooled([merged], self.rule)
        return dict(zip(NAMES, (self.sums / self.times).tolist(), strict=True))
