"""Judge the forge by transfer: one small fixed localiser on each engine alone, on the mix, and on plain ellipses.

    python benchmarks/transfer.py pack OUT [--count 3000] [--size 256]          forge the training packs
    python benchmarks/transfer.py train OUT NAME [--minutes 10] [--threads 1]   train on one pack and evaluate
    python benchmarks/transfer.py report OUT                                    write results/transfer.json

Trained on TRAIN sources of camera and camera_whole only. casia1_dev and lalonde_dev are read for the
pixel AUC alone (per edited picture, averaged); nothing is chosen on them. Needs the train extra.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ifdl import forge  # noqa: E402
from ifdl.forge import material, produce, recipe  # noqa: E402

SHARED = ROOT.parent / "shared" / "data"
VIT = ROOT.parent / "shared" / "weights" / "vit_tiny_in1k" / "model.safetensors"
SETS = ("casia1_dev", "lalonde_dev")
SEED = 7
RATE, BATCH = 1e-3, 8


# ---------------------------------------------------------------- packs


def ellipse(pair: produce.Pair, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The control: the sibling with a plain ellipse of another part of itself, colour shifted, hard edges."""
    pixels = np.asarray(Image.open(io.BytesIO(pair.sibling)).convert("RGB"))
    height, width = pixels.shape[:2]
    y, x = np.mgrid[:height, :width]
    cy, cx = rng.uniform(0.2, 0.8) * height, rng.uniform(0.2, 0.8) * width
    ry, rx = rng.uniform(0.08, 0.3) * height, rng.uniform(0.08, 0.3) * width
    mask = ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 <= 1
    moved = np.roll(pixels, (int(rng.integers(16, height - 16)), int(rng.integers(16, width - 16))), (0, 1))
    moved = np.clip(moved.astype(int) + rng.integers(-20, 21, 3), 0, 255).astype(np.uint8)
    return np.where(mask[:, :, None], moved, pixels), mask


def pack(out: Path, count: int, size: int, workers: int, objects: bool) -> None:
    """One .npz a training set: edited pictures, siblings and masks as uint8."""
    out.mkdir(parents=True, exist_ok=True)
    photographs = material.find(SHARED / "camera") + material.find(SHARED / "camera_whole")
    shipped = recipe.load()
    engines = {name: share for name, share in shipped.engines.items() if name in forge.names()}
    mix = replace(shipped, engines=engines, size=(size, size), objects=objects)
    rng = np.random.default_rng(SEED)
    for name in ("mix", *mix.engines, "ellipse"):
        if (out / f"{name}.npz").exists():
            continue
        one = mix if name in ("mix", "ellipse") else replace(mix, engines={name: 1.0})
        began, rows = time.perf_counter(), []
        for pair in produce.pairs(photographs, one, SEED, range(count), workers):
            sibling = np.asarray(Image.open(io.BytesIO(pair.sibling)).convert("RGB"))
            if name == "ellipse":
                edited, mask = ellipse(pair, rng)
            else:
                edited, mask = np.asarray(Image.open(io.BytesIO(pair.edited)).convert("RGB")), pair.mask
            rows.append((edited, sibling, mask))
        arrays = [np.stack(column) for column in zip(*rows, strict=True)]
        np.savez(out / f"{name}.npz", edited=arrays[0], sibling=arrays[1], mask=arrays[2])
        print(f"{name}: {count} pairs, {count / (time.perf_counter() - began):.1f} a second", flush=True)


# ---------------------------------------------------------------- the localiser


def localiser() -> Any:
    """The same for all: frozen ViT-Tiny tokens of three depths, a small noise stream, a light decoder (0.5 M trained).

    The tokens know things and places, the noise stream sees residuals; both are joined at a sixteenth and
    taken up again with the noise stream's skips.
    """
    import torch
    from torch import nn
    from torch.nn import functional as F

    from ifdl.nets.vit import vit_tiny

    class Localiser(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.seeing = vit_tiny(VIT).requires_grad_(False).eval()
            first = torch.tensor([[0, 0, 0], [0, -1, 1], [0, 0, 0]])
            second = torch.tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]]) / 4
            third = torch.tensor([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]]) / 4
            self.register_buffer("filters", torch.stack([first.float(), second, third])[:, None])
            widths = (6, 24, 48, 64, 96)
            self.down = nn.ModuleList(
                nn.Sequential(
                    nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.GELU(), nn.Conv2d(b, b, 3, 1, 1, groups=b),
                    nn.Conv2d(b, b, 1), nn.BatchNorm2d(b), nn.GELU(),
                )
                for a, b in pairwise(widths)
            )  # fmt: skip
            self.tokens = nn.Sequential(nn.Conv2d(3 * 192, 96, 1), nn.BatchNorm2d(96), nn.GELU())
            self.context = nn.Sequential(nn.Conv2d(192, 96, 3, 1, 1), nn.BatchNorm2d(96), nn.GELU())
            self.up = nn.ModuleList(nn.Conv2d(a + b, b, 3, 1, 1) for a, b in ((96, 64), (64, 48), (48, 24)))
            self.last = nn.Conv2d(24, 1, 1)

        @torch.no_grad()
        def see(self, x: Any) -> Any:
            """Frozen tokens N×576×h×w of pictures whose sides are multiples of 16."""
            seen = self.seeing(x, interpolate_pos_encoding=True, output_hidden_states=True).hidden_states
            layers = torch.cat([F.layer_norm(seen[n][:, 1:].float(), (192,)) for n in (4, 8, 12)], 2)
            return layers.transpose(1, 2).reshape(len(x), -1, x.shape[2] // 16, x.shape[3] // 16)

        def forward(self, x: Any, seen: Any = None) -> Any:
            height, width = x.shape[2:]
            x = F.pad(x, (0, -width % 16, 0, -height % 16), mode="replicate")
            tokens = self.tokens(self.see(x) if seen is None else seen)
            residual = F.conv2d(x.mean(1, keepdim=True), self.filters, padding=1).mul(8).clamp(-3, 3)
            kept, y = [], torch.cat([x, residual], 1)
            for stage in self.down:
                y = stage(y)
                kept.append(y)
            y = self.context(torch.cat([y, tokens], 1))
            for stage, skip in zip(self.up, kept[-2::-1], strict=True):
                y = F.gelu(stage(torch.cat([F.interpolate(y, size=skip.shape[2:], mode="bilinear"), skip], 1)))
            return F.interpolate(self.last(y), size=x.shape[2:], mode="bilinear")[:, :, :height, :width]

    return Localiser()


def train(out: Path, name: str, minutes: float, threads: int) -> None:
    """Train for `minutes` of this process's own computing time, which does not suffer from what else runs."""
    import torch
    from torch.nn import functional as F

    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    data = np.load(out / f"{name}.npz")
    edited, sibling, masks = data["edited"], data["sibling"], data["mask"]
    rng, net = np.random.default_rng(SEED), localiser().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], RATE, weight_decay=1e-2)
    began, seen, losses = time.process_time(), 0, []
    kept: dict[int, Any] = {}
    while True:
        done = (time.process_time() - began) / 60 / minutes
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1, seen / 800) * (0.5 + 0.5 * np.cos(np.pi * done))
        rows = rng.integers(len(edited), size=BATCH)
        # One picture in four is an untouched sibling, so that silence is learnt too.
        own = [(sibling[n], masks[n] * 0) if k % 4 == 3 else (edited[n], masks[n]) for k, n in enumerate(rows)]
        x, y = np.stack([p for p, _ in own]), np.stack([m for _, m in own])
        keys = [int(n) + (k % 4 == 3) * len(edited) for k, n in enumerate(rows)]
        new = [k for k, key in enumerate(keys) if key not in kept]
        if new:
            with torch.autocast("cpu", torch.bfloat16):
                fresh = net.see(torch.from_numpy(x[new]).permute(0, 3, 1, 2).float() / 127.5 - 1)
            kept.update({keys[k]: s.half() for k, s in zip(new, fresh, strict=True)})
        tokens = torch.stack([kept[key] for key in keys]).float()
        if rng.random() < 0.5:
            # Tokens of a mirrored picture are taken to be the mirrored tokens.
            x, y, tokens = x[:, :, ::-1], y[:, :, ::-1], tokens.flip(3)
        net.train()
        net.seeing.eval()
        pictures = torch.from_numpy(np.ascontiguousarray(x)).permute(0, 3, 1, 2).float() / 127.5 - 1
        truth = torch.from_numpy(np.ascontiguousarray(y))[:, None].float()
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(pictures.contiguous(memory_format=torch.channels_last), tokens).float()
        share = logits.sigmoid()
        dice = 1 - (2 * (share * truth).sum((1, 2, 3)) + 1) / ((share + truth).sum((1, 2, 3)) + 1)
        loss = F.binary_cross_entropy_with_logits(logits, truth) + 0.5 * dice[truth.flatten(1).any(1)].mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        seen += BATCH
        losses.append(float(loss.detach()))
    spent = round((time.process_time() - began) / 60, 1)
    row: dict[str, Any] = {"minutes": spent, "threads": threads, "samples_seen": seen, "pairs": len(edited)}
    row |= {"loss_first": float(np.mean(losses[:50])), "loss_last": float(np.mean(losses[-50:]))}
    net.eval()
    for chosen in SETS:
        row[chosen] = evaluate(net, chosen)
    (out / f"{name}.json").write_text(json.dumps(row, indent=1))
    print(name, json.dumps(row), flush=True)


def evaluate(net: Any, name: str) -> dict[str, float | int]:
    """Pixel AUC per edited picture at stored size, averaged."""
    import torch
    from scipy.stats import rankdata

    areas = []
    for line in (SHARED / name / "manifest.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["label"] != "edited":
            continue
        pixels = np.asarray(Image.open(SHARED / name / row["image"]).convert("RGB"))
        truth = np.asarray(Image.open(SHARED / name / row["mask"]).convert("L")) > 127
        if truth.all() or not truth.any():
            continue
        with torch.inference_mode():
            heat = net(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1)[0, 0].numpy()
        ranks, positive = rankdata(heat.ravel()), truth.ravel()
        inside = positive.sum()
        wins = ranks[positive].sum() - inside * (inside + 1) / 2
        areas.append(float(wins / inside / (positive.size - inside)))
    error = 1.96 * float(np.std(areas)) / len(areas) ** 0.5
    return {"pixel_auc": round(float(np.mean(areas)), 4), "plus_minus_95": round(error, 4), "pictures": len(areas)}


def report(out: Path) -> None:
    rows = {path.stem: json.loads(path.read_text()) for path in sorted(out.glob("*.json"))}
    target = ROOT / "results" / "transfer.json"
    target.write_text(json.dumps({"command": "python benchmarks/transfer.py", "packs": rows}, indent=1) + "\n")
    for name, row in rows.items():
        print(name, *(f"{s} {row[s]['pixel_auc']:.3f}" for s in SETS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=("pack", "train", "report"))
    parser.add_argument("out", type=Path)
    parser.add_argument("name", nargs="?")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--objects", action="store_true", help="with the detector")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if options.verb == "pack":
        pack(options.out, options.count, options.size, options.workers, options.objects)
    elif options.verb == "train":
        train(options.out, options.name, options.minutes, options.threads)
    else:
        report(options.out)


if __name__ == "__main__":
    main()
