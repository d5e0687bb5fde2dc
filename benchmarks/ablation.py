"""One idea at a time: the same short run of `recipes/small.yaml` with one thing changed, over seeds.

    python benchmarks/ablation.py run OUT [--arms base no_noise ...] [--seeds 0 1 2] [--samples 6000] [--threads 1]
    python benchmarks/ablation.py report OUT        write results/ablation.json and the tables of docs/study.md

Every arm trains on as many samples. Its last weights (averaged) are judged on the forged calibration pictures of the
unchanged recipe, and against a control: the same answers with the masks of other pictures. An arm that is better by
less than the spread over seeds says nothing.
A run that is there is not done again; one that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
BATCH, OWN = 8, 50  # pictures of a step; pictures of a run's own validation at its end
# What each arm changes, as `--set` takes it, and in words.
ARMS: dict[str, tuple[tuple[str, ...], str]] = {
    "base": ((), "the recipe as it is"),
    "no_noise": (("expert.options.use_noise=false",), "no noise stream"),
    "no_matching": (("expert.options.use_matching=false",), "the picture is not compared with itself"),
    "no_dense": (("expert.options.use_dense=false",), "no prompt for the decoder"),
    "token": (
        ("expert.options.use_dense=false", "expert.options.token_prompt=true"),
        "the class token as the only prompt, as in the paper",
    ),
    "both_prompts": (("expert.options.token_prompt=true",), "the class token beside the dense prompt"),
    "frozen": (("expert.options.train_encoder=false", "optim.groups=[]"), "the encoder stays as ImageNet left it"),
    "random": (
        ("expert.init={}", "expert.options.untrained=true", "optim.groups=[]"),
        "the encoder starts from nothing",
    ),
    "size_128": (("data.size=[128,128]",), "crops of 128 pixels"),
    "size_384": (("data.size=[384,384]",), "crops of 384 pixels"),
    "splice_only": (("data.overrides.engines={splice: 1.0}",), "splices alone"),
    "not_laundered": (("data.overrides.strata={none: 1.0}",), "nothing happens to the pictures afterwards"),
    "no_authentic": (("data.authentic=0.0",), "no untouched sibling"),
}


def run(out: Path, arm: str, seed: int, samples: int, threads: int) -> None:
    """Train one arm with one seed, unless it is done."""
    place = out / f"{arm}_{seed}"
    if (place / "judged.json").exists():
        return
    steps = samples // BATCH
    changes = (
        *ARMS[arm][0], f"seed={seed}", f"data.batch={BATCH}", f"schedule.steps={steps}", "schedule.warmup=100",
        f"validation.every={steps}", f"validation.pictures={OWN}", f"save.every={steps}", "tensorboard=false",
        "optim.lr=4e-4",
    )  # fmt: skip
    words = [sys.executable, "-m", "ifdl.serve.cli", "train", "small", "--out", str(place)]
    words += [w for change in changes for w in ("--set", change)] + (["--resume"] if place.exists() else [])
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    subprocess.run(words, cwd=ROOT, env=os.environ | dict.fromkeys(names, str(threads)), check=True)
    (place / "judged.json").write_text(json.dumps(judged(place)) + "\n", encoding="utf-8")
    for weights in place.rglob("*.safetensors"):
        weights.unlink()  # the numbers are what is wanted


def judged(place: Path) -> dict[str, Any]:
    """The run's weights on the validation set of the recipe as it is, and with shuffled masks."""
    import torch
    from safetensors.torch import load_file

    from ifdl.data.manifest import Split
    from ifdl.train import data, loop, recipe, validation

    about = json.loads((place / "weights.json").read_text(encoding="utf-8"))
    base = recipe.load("small")
    held = data.photographs(base.data.places, Split.CALIBRATE)
    shown = data.validation_set(held, base.data, base.validation.seed, base.validation.pictures, place.parent / "base")
    expert = loop.build(recipe.parse(about["recipe"]).expert)
    net = expert.net().eval()
    net.load_state_dict(load_file(place / "weights.safetensors"))
    order = np.random.default_rng(0).permutation(len(shown.masks))
    mixed = data.ValidationSet(shown.edited, shown.untouched, shown.masks[order])
    device = torch.device("cpu")
    told = [validation.validate(expert, net, one, base.validation.batch, device) for one in (shown, mixed)]
    return {"numbers": told[0], "shuffled": told[1]}


def report(out: Path) -> dict[str, Any]:
    """Every arm's numbers, over its seeds."""
    arms: dict[str, Any] = {}
    for place in sorted(out.iterdir()):
        if not (place / "judged.json").exists():
            continue
        arm, _, seed = place.name.rpartition("_")
        rows = [json.loads(line) for line in (place / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        about = arms.setdefault(arm, {"words": ARMS[arm][1], "changes": ARMS[arm][0], "runs": {}})
        own = json.loads((place / "judged.json").read_text(encoding="utf-8"))
        about["runs"][seed] = own | {"samples": max(row.get("samples", 0) for row in rows)}
        about["environment"] = next(r for r in rows if r["kind"] == "start")["environment"]
    for about in arms.values():
        for name in ("iou", "auc", "picture_auc", "flagged"):
            values = [r["numbers"][name] for r in about["runs"].values()]
            about[name] = {"mean": float(np.mean(values)), "spread": float(np.ptp(values)), "runs": len(values)}
        about["shuffled_iou"] = float(np.mean([r["shuffled"]["iou"] for r in about["runs"].values()]))
    return {"command": "python benchmarks/ablation.py", "arms": arms}


def table(told: dict[str, Any]) -> str:
    """The arms in Markdown, the base first, the others by IoU."""
    lines = [
        "| arm | what is changed | runs | IoU (spread) | shuffled masks | pixel AUC | picture AUC |",
        "|---|---|---|---|---|---|---|",
    ]
    order = sorted(told["arms"].items(), key=lambda item: (item[0] != "base", -item[1]["iou"]["mean"]))
    for name, about in order:
        iou = about["iou"]
        spread = f" ({iou['spread']:.3f})" if iou["runs"] > 1 else ""
        lines.append(
            f"| `{name}` | {about['words']} | {iou['runs']} | {iou['mean']:.3f}{spread} "
            f"| {about['shuffled_iou']:.3f} | {about['auc']['mean']:.3f} | {about['picture_auc']['mean']:.3f} |"
        )
    return "\n".join(lines) + "\n"


def curve() -> str:
    """Validation of the shipped expert's last run against pictures seen, in Markdown."""
    rows = json.loads((ROOT / "results" / "ifdl_small.json").read_text(encoding="utf-8"))["curve"]
    lines = ["| pictures seen | IoU | pixel AUC | picture AUC |", "|---|---|---|---|"]
    lines += [
        f"| {row['samples']:,} | {row['iou']:.3f} | {row['auc']:.3f} | {row['picture_auc']:.3f} |" for row in rows
    ]
    return "\n".join(lines) + "\n"


def updated(text: str, told: dict[str, Any]) -> str:
    """docs/study.md with its tables made anew."""
    for name, made in (("ablation", table(told)), ("curve", curve())):
        before, rest = text.split(f"<!-- {name}:begin -->", 1)
        text = f"{before}<!-- {name}:begin -->\n{made}<!-- {name}:end -->{rest.split(f'<!-- {name}:end -->', 1)[1]}"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "report"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--samples", type=int, default=6000)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.what == "run":
        for seed in options.seeds:
            for arm in options.arms:
                run(options.out, arm, seed, options.samples, options.threads)
        return
    told = report(options.out)
    (ROOT / "results" / "ablation.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    study = ROOT / "docs" / "study.md"
    study.write_text(updated(study.read_text(encoding="utf-8"), told), encoding="utf-8")
    print(table(told))


if __name__ == "__main__":
    main()
