"""Tables of `benchmarks/leaderboard.py`: results/leaderboard.json, what `ifdl models` shows, docs/leaderboard.md.

A row says "undertrained" where the system is not better than the better of the controls on that set: where the interval
of its paired difference to it, by photograph, is not above 0. Numbers that may choose between a map and its inverse say
so in their name.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.leaderboard import CONTROLS, PLAIN, ROOT, STREAM, arms
from ifdl import experts
from ifdl.data.manifest import write_text
from ifdl.evaluate import leaderboard, protocol, published
from ifdl.evaluate.intervals import Paired, paired
from ifdl.evaluate.result import environment

SHOWN = ("casia1_dev", "lalonde_dev")  # inpaint_dev is a look, not a score
BOARD, DOCS = ROOT / "results" / "leaderboard.json", ROOT / "docs" / "leaderboard.md"
MEASURED = ROOT / "src" / "ifdl" / "weights" / "measured.json"
NATIVE = "native-1"
PLACES = ("boards", "parts", "costs", "robust", "published")
SHIPPED = ROOT / "results" / NATIVE / f"{SHOWN[0]}-ifdl_small.json"
# What the cards of these systems say of their published numbers goes with each of them; other sets are not ours.
SYSTEMS = {"MMFusion": "mmfusion", "IML-ViT": "imlvit", "RelayFormer": "relayformer", "MFPT": "mfpt", "WSCL": "wscl"}


def report(out: Path) -> None:
    """Write all three from the results below OUT."""
    told = gathered(out)
    write_text(BOARD, json.dumps(told, indent=1) + "\n")
    write_text(MEASURED, json.dumps(measured(told), indent=1) + "\n")
    text = DOCS.read_text(encoding="utf-8")
    write_text(DOCS, updated(text, told))
    print("\n\n".join(f"{name}\n{table}" for name, table in tables(told).items()))


def gathered(out: Path) -> dict[str, Any]:
    """Every arm's numbers, costs and differences to the better control."""
    found: dict[str, Any] = {}
    plain = [_results(out / name) for name in PLAIN]
    for name in (*PLAIN, *arms()):
        results = _results(out / name)
        if not results:
            continue
        about = found[name] = {"costs": _json(out / name / "cost.json"), "chosen": _json(out / name / "chosen.json")}
        about["speed"] = _json(out / name / "speed.json")
        about["words"] = CONTROLS[name].words if name in CONTROLS else ""
        about |= _trained(out / name) if name not in PLAIN else {}
        about["results"] = {
            k: row(one, [p[k] for p in plain]) for k, one in results.items() if all(k in p for p in plain)
        }
    return {
        "command": "python benchmarks/leaderboard.py run OUT; python benchmarks/leaderboard.py report OUT",
        "stream": STREAM,
        "environment": environment("python benchmarks/leaderboard.py report"),
        "systems": found,
        "parts": {
            name: _part(_results(out / _whole(name)), _results(out / name)) for name in CONTROLS if name in found
        },
    }


def _whole(name: str) -> str:
    """The system that a control is without its part: "mmfusion" of "mmfusion_rgb"."""
    return name.rsplit("_", 1)[0]


def _part(whole: dict[str, Any], without: dict[str, Any]) -> dict[str, Any]:
    """What the part adds to IoU and pixel AUC (native-1) on each set, paired by picture and drawn by photograph."""
    added: dict[str, Any] = {}
    for key in (f"{data}-{NATIVE}" for data in SHOWN):
        if key in whole and key in without:
            added[key] = {n: vars(difference(whole[key], without[key], n)) for n in ("iou", "auc")}
    return added


def difference(one: dict[str, Any], other: dict[str, Any], number: str) -> Paired:
    """How far a number of one result is above that of another, over the pictures that both have."""
    values = {r["image"]: r["values"].get(number) for r in other["rows"]}
    pairs = [(r["values"].get(number), values.get(r["image"]), r["source"]) for r in one["rows"]]
    known = [(a, b, s) for a, b, s in pairs if a is not None and b is not None]
    return paired([k[0] for k in known], [k[1] for k in known], [k[2] for k in known])


def _results(place: Path) -> dict[str, dict[str, Any]]:
    return {path.stem: _json(path) for path in sorted((place / "results").glob("*.json"))}


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _trained(place: Path) -> dict[str, Any]:
    """Pictures seen, parameters and bytes of what is stored, and the stream's hash."""
    from safetensors import safe_open

    about, weights = _json(place / "run" / "weights.json"), place / "weights.safetensors"
    with safe_open(weights, "np") as held:
        sizes = [int(np.prod(held.get_slice(name).get_shape())) for name in held.keys()]  # noqa: SIM118
    batch = about["recipe"]["data"]["batch"]
    return {
        "samples": about["recipe"]["schedule"]["steps"] * batch,
        "stored_parameters": sum(sizes),
        "stored_bytes": weights.stat().st_size,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "data_sha256": about["data_sha256"],
    }


def row(one: dict[str, Any], plain: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The numbers of a result, and its headline's difference to that of the better control, paired by picture."""
    headline = one["protocol"]["headline"][0]
    control = max(plain, key=lambda p: p["numbers"][headline]["value"] or 0.0)
    apart = difference(one, control, headline)
    kept = {n: {k: v for k, v in number.items() if k != "what"} for n, number in one["numbers"].items()}
    return {
        "protocol": one["protocol"]["name"],
        "data": one["data"]["name"],
        "headline": headline,
        "numbers": kept,
        "pictures": one["data"]["pictures"],
        "control": control["system"]["name"],
        "above_control": {"difference": apart.difference, "low": apart.low, "high": apart.high, "p": apart.p_value},
        "undertrained": not apart.low > 0,
    }


def measured(told: dict[str, Any]) -> dict[str, Any]:
    """What `ifdl models` shows: native-1 on the first set, of every system; of ifdl_small's as shipped, not as here."""
    systems = {}
    if shipped := _json(SHIPPED):
        number = shipped["numbers"]["iou"]
        systems["ifdl_small"] = {"number": "IoU", "data": SHOWN[0], "protocol": NATIVE, "undertrained": False}
        systems["ifdl_small"] |= {k: number[k] for k in ("value", "low", "high")}
        systems["ifdl_small"] |= {"weights_sha256": shipped["system"]["weights_sha256"]}
    for name, about in told["systems"].items():
        row = about["results"].get(f"{SHOWN[0]}-{NATIVE}")
        if row is None or name in (*PLAIN, *CONTROLS, "ifdl_small"):
            continue
        number = row["numbers"][row["headline"]]
        systems[name] = {"number": named(NATIVE, row["headline"]), "data": SHOWN[0], "protocol": NATIVE}
        systems[name] |= {k: number[k] for k in ("value", "low", "high")}
        systems[name] |= {"undertrained": row["undertrained"], "weights_sha256": about["sha256"]}
    return {"command": "python benchmarks/leaderboard.py report OUT", "systems": systems}


# ---------------------------------------------------------------- Markdown


def named(protocol_name: str, number: str) -> str:
    """The number's name as a table prints it: with the mode, where it may choose between a map and its inverse."""
    about = protocol.load(protocol_name).numbers[number]
    parts = [about.metric.replace("_", " ") if about.pixel else number.replace("_", " ")]
    if about.pixel and about.threshold == "best_per_picture":
        parts.append("best threshold of each picture")
    if about.polarity != "plain":
        parts.append({"double": "better of map and inverse", "inverted": "of the inverse"}[about.polarity])
    if about.gated:
        parts.append("only where it says edited")
    words = {"iou": "IoU", "f1": "F1", "auc": "pixel AUC"}
    return ", ".join(words.get(part, part) for part in parts)


def tables(told: dict[str, Any]) -> dict[str, str]:
    """Every table of the page by the name of its place."""
    made = {"costs": costs(told), "parts": parts(told), "robust": robust(told), "published": literature(told)}
    keys = dict.fromkeys(key for about in told["systems"].values() for key in about["results"])
    chosen = [(key, s, p) for s in SHOWN for key in keys for p in protocol.names() if key == f"{s}-{p}"]
    boards = [f"**{s}, {p}**\n\n{board(told, key)}" for key, s, p in chosen]
    made["boards"] = "\n\n".join(boards)
    return made


def board(told: dict[str, Any], key: str) -> str:
    """One protocol on one set: the headline with intervals, what is above the control, and what is undertrained."""
    rows = {name: about["results"][key] for name, about in told["systems"].items() if key in about["results"]}
    first = next(iter(rows.values()))
    numbers = [n for n in protocol.load(first["protocol"]).headline if n != "false_area"]
    heads = [named(first["protocol"], n) for n in numbers]
    lines = [f"| system | {' | '.join(heads)} | above the better control by |", f"|---{'|---' * (len(numbers) + 1)}|"]
    order = sorted(rows, key=lambda n: -(rows[n]["numbers"][first["headline"]]["value"] or 0.0))
    for name in order:
        row, apart = rows[name], rows[name]["above_control"]
        cells = [leaderboard.cell(row["numbers"].get(n)) for n in numbers]
        said = f"{apart['difference']:+.3f} [{apart['low']:+.3f}, {apart['high']:+.3f}]"
        if name in PLAIN:
            said = "a control: " + {"centre": "the middle of every picture"}.get(name, "all of every picture")
        elif row["undertrained"]:
            said += ", undertrained"
        lines.append(f"| {_shown(name, told)} | {' | '.join(cells)} | {said} |")
    return "\n".join(lines)


def costs(told: dict[str, Any]) -> str:
    """What each system saw, holds and takes."""
    lines = [
        "| system | training pictures | parameters stored | file, MB | training, CPU s | its memory, MB "
        "| predicting, CPU s a megapixel | its memory, MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, about in told["systems"].items():
        if name in PLAIN:
            continue
        training, judging = about["costs"].get("training", {}), about["costs"].get("judging", {})
        speed = about["speed"]
        pace = f"{speed['cpu_seconds'] / speed['megapixels']:.2f}" if speed else "–"
        cells = [f"{about['samples']:,}", f"{about['stored_parameters']:,}", f"{about['stored_bytes'] / 1e6:.2f}"]
        cells += [f"{training.get('cpu_seconds', 0):,.0f}", f"{training.get('peak_mb', 0):,.0f}", pace]
        lines.append(f"| {_shown(name, told)} | {' | '.join(cells)} | {judging.get('peak_mb', 0):,.0f} |")
    return "\n".join(lines)


def parts(told: dict[str, Any]) -> str:
    """What each system gains by the part it is named for."""
    keys = [f"{data}-{NATIVE}" for data in SHOWN]
    heads = [f"{words}, {key.removesuffix(f'-{NATIVE}')}" for key in keys for words in ("IoU", "pixel AUC")]
    lines = [f"| the part | {' | '.join(heads)} |", f"|---{'|---' * len(heads)}|"]
    for name, added in told.get("parts", {}).items():
        cells = []
        for about in (added.get(key, {}).get(n) for key in keys for n in ("iou", "auc")):
            cells.append(f"{about['difference']:+.3f} [{about['low']:+.3f}, {about['high']:+.3f}]" if about else "–")
        lines.append(f"| `{_whole(name)}` against {CONTROLS[name].words} | {' | '.join(cells)} |")
    return "\n".join(lines)


def robust(told: dict[str, Any]) -> str:
    """native-1's first number on a part of the first set, as it is changed."""
    keys = dict.fromkeys(k for a in told["systems"].values() for k in a["results"] if re.match(rf"{SHOWN[0]}-\w+\d", k))
    keys = dict.fromkeys(k for k in keys if k.endswith(NATIVE) and k != f"{SHOWN[0]}-{NATIVE}")
    heads = [k.removeprefix(f"{SHOWN[0]}-").removesuffix(f"-{NATIVE}") for k in keys]
    lines = [f"| system | {' | '.join(heads)} |", f"|---{'|---' * len(heads)}|"]
    for name, about in told["systems"].items():
        cells = [
            leaderboard.cell(about["results"][k]["numbers"]["iou"]) if k in about["results"] else "–" for k in keys
        ]
        lines.append(f"| {_shown(name, told)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def literature(told: dict[str, Any]) -> str:
    """What was published of these systems, on its own sets and by its own count, beside what was measured here."""
    lines = [
        "| system | published | on | source and doubts | here, IoU (native-1, casia1_dev) |",
        "|---|---|---|---|---|",
    ]
    for one in published.load():
        name = SYSTEMS.get(one.system)
        if name is None:
            continue
        row = told["systems"].get(name, {}).get("results", {}).get(f"{SHOWN[0]}-{NATIVE}")
        here = (
            leaderboard.cell(row["numbers"]["iou"]) + (", undertrained" if row["undertrained"] else "") if row else "–"
        )
        what = f"{one.metric.replace('_', ' ')} {leaderboard.printed(one.value)}"
        about = f"{one.source}; {one.protocol}" + (f"; {one.doubts}" if one.doubts else "")
        lines.append(f"| {one.system} | {what} | {one.data} | {about} | {here} |")
    return "\n".join(lines)


def _shown(name: str, told: dict[str, Any]) -> str:
    words = told["systems"][name]["words"]
    return f"`{name}` ({words})" if words else f"`{name}`"


def updated(text: str, told: dict[str, Any], names: Sequence[str] = PLACES) -> str:
    """docs/leaderboard.md with its tables made anew."""
    made = tables(told)
    for name in names:
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{made[name]}\n{end}{rest.split(end)[1]}"
    return text


# ---------------------------------------------------------------- weights


def ship(out: Path) -> None:
    """Copy the small weights of the published systems to weights/, and say which are undertrained.

    Their hashes, and where they mark and from which score they speak, are written into the systems' own files.
    """
    place = ROOT / "weights"
    place.mkdir(exist_ok=True)
    for name, about in gathered(out)["systems"].items():
        row = about["results"].get(f"{SHOWN[0]}-{NATIVE}")
        if name in (*PLAIN, "ifdl_small") or name in CONTROLS or row is None:
            continue
        if about["stored_bytes"] > 1_500_000:
            raise SystemExit(f"{name}: {about['stored_bytes']} bytes of weights are more than 1.5 MB")
        shutil.copyfile(out / name / "weights.safetensors", place / f"{name}_small.safetensors")
        source = Path(str(experts.module(name).__file__))
        write_text(source, pinned(source.read_text(encoding="utf-8"), about["sha256"], about["chosen"]))
        print(f"{name}: weights/{name}_small.safetensors, pinned" + (", undertrained" if row["undertrained"] else ""))


def pinned(code: str, sha256: str, chosen: dict[str, Any]) -> str:
    """A system's file with the hash of its weights and, in its first class, their exact threshold and gate."""
    code = re.sub(r'^WEIGHTS_SHA256 = "[0-9a-f]*"', f'WEIGHTS_SHA256 = "{sha256}"', code, count=1, flags=re.M)
    levels = f"    LEVELS = (WEIGHTS_SHA256, {chosen['threshold']!r}, {chosen['gate']!r})\n"
    own = re.compile(r"^    CARD = CARD\n(?:    LEVELS = .*\n)?", re.M)
    return own.sub(f"    CARD = CARD\n{levels}", code, count=1)
