"""The numbers of `benchmarks/trace.py` from the rows it wrote, and the tables of docs/trace.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ifdl.signal.stats import upper_bound
from ifdl.trace import prove

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- trace:begin -->", "<!-- trace:end -->"
ENOUGH = 20  # features within the region
# What was seen when every pair was looked at that was proved though the sets name no common source. All count as false;
# those that do share a picture or a scene are told apart. Looked at after the run: nothing was tuned by it.
# Keys: a source of the query, and the name of the archive's file.
SEEN = {
    ("edbd684861", "111.jpg"): "one picture of Jupiter, published twice",
    ("casia1_dev:Au_arc_0062", "Au_arc_0060.jpg"): "one church tower, photographed twice",
    ("casia1_dev:Au_art_0019", "Au_arc_0019.jpg"): "the forgery shows that fountain: its name is wrong",
}


def of_threshold(work: Path) -> dict[str, Any]:
    counts = np.array([json.loads(line)[0] for line in (work / "threshold.jsonl").read_text().splitlines()])
    return {
        "pairs": len(counts),
        "most_inliers": int(counts.max()),
        "pairs_by_inliers": {str(n): int((counts >= n).sum()) for n in range(4, 16)},
    }


def of_absent(work: Path) -> dict[str, Any]:
    """What was said of pictures of which the gallery should hold nothing."""
    rows = [json.loads(line) for line in (work / "absent.jsonl").read_text().splitlines()]
    hits = [(row["name"], h) for row in rows for h in row["hosts"] + row["donors"]]
    return {
        "queries": len(rows),
        "queries_with_anything_listed": len({name for name, _ in hits}),
        "queries_with_a_proof": len({name for name, h in hits if h["state"] == "proved"}),
        "proved": [[name, h["path"], h["inliers"]] for name, h in hits if h["state"] == "proved"],
    }


def share(values: list[bool]) -> dict[str, Any]:
    return {"n": len(values), "rate": round(float(np.mean(values)), 4) if values else None}


def hit_at(hits: list[dict[str, Any]], wanted: str, most: int) -> bool:
    return any(h["source"] == wanted for h in hits[:most])


def summary(work: Path, copy: bool) -> None:
    told: dict[str, Any] = {
        "command": "python benchmarks/trace.py threshold WORK; run WORK; pairs WORK; scale WORK; summary WORK --copy",
        "proved_from": prove.PROVED,
        "looks_like_from": prove.LOOKS_LIKE,
    }
    if (work / "threshold.jsonl").exists():
        told["threshold"] = of_threshold(work)
    if (work / "builds.jsonl").exists():
        told["builds"] = [json.loads(line) for line in (work / "builds.jsonl").read_text().splitlines()]
    wrong = {}
    if (work / "pairs.jsonl").exists():
        wrong = {row["name"]: row for row in map(json.loads, (work / "pairs.jsonl").read_text().splitlines())}
    for file in sorted(work.glob("rows*.jsonl")):
        # By name: two runs at a time write a query twice.
        rows = list({row["name"]: row for row in map(json.loads, file.read_text().splitlines())}.values())
        paired = list(wrong.values()) if file.stem == "rows" else []
        told[file.stem] = {
            name: of_rows([r for r in rows if of(r)], [r for r in paired if of(r)])
            for name, of in (
                ("casia1_dev", lambda r: r["kind"] != "composite"),
                ("composite", lambda r: r["kind"] == "composite"),
            )
        }
    if (work / "absent.jsonl").exists():
        told["absent"] = of_absent(work)
    for file in sorted(work.glob("scale*.json")):
        told[file.stem] = json.loads(file.read_text())
    text = json.dumps(told, indent=1)
    print(text)
    if copy:
        (ROOT / "results" / "trace.json").write_text(text + "\n")
        write_table(told)


def of_rows(rows: list[dict[str, Any]], paired: list[dict[str, Any]]) -> dict[str, Any]:
    """The numbers of one kind of queries; `paired` are those whose wrong pairs were tried."""
    told: dict[str, Any] = {"queries": len(rows)}
    if not rows:
        return told
    for mode in ("blind", "region"):
        own = [(r, r[mode]) for r in rows]
        hosts = [(r, m) for r, m in own if m["host_rank"] is not None]
        spliced = [(r, m) for r, m in own if r["donor"] != r["host"]]
        proved = [any(h["source"] == r["host"] and h["state"] == "proved" for h in m["hosts"]) for r, m in hosts]
        false = [
            [
                h
                for h in m["hosts"] + m["donors"]
                if h["state"] == "proved" and h["source"] not in (r["host"], r["donor"])
            ]
            for r, m in own
        ]
        compared = [m["iou"] for r, m in own if m.get("compared") == r["host"]]
        listed = [(hit_at(m["donors"], r["donor"], 1), hit_at(m["donors"], r["donor"], 5), r) for r, m in spliced]
        donors = {
            "all": list(listed),
            f"at least {ENOUGH} features": [
                x for x in listed if x[2].get("controls", {}).get("region_features", 0) >= ENOUGH
            ],
        }
        told[mode] = {
            "host": {
                "R@1": share([hit_at(m["hosts"], r["host"], 1) for r, m in hosts]),
                "R@5": share([hit_at(m["hosts"], r["host"], 5) for r, m in hosts]),
                "proved": share(proved),
                "candidates R@1": share([m["host_rank"] < 1 for _, m in hosts]),
                "candidates R@5": share([m["host_rank"] < 5 for _, m in hosts]),
            },
            "donor": {
                name: {
                    "R@1": share([x[0] for x in group]),
                    "R@5": share([x[1] for x in group]),
                    "proved": share(
                        [
                            any(h["source"] == x[2]["donor"] and h["state"] == "proved" for h in x[2][mode]["donors"])
                            for x in group
                        ]
                    ),
                    "candidates R@1": share([x[2][mode].get("donor_rank") == 0 for x in group]),
                    "candidates R@5": share(
                        [(x[2][mode].get("donor_rank") or 0) < 5 and "donor_rank" in x[2][mode] for x in group]
                    ),
                }
                for name, group in donors.items()
            },
            "queries_with_a_false_proof": sum(bool(f) for f in false),
            "of_them_shared_after_all": sum(
                bool(f) and all(seen(r, h["path"]) for h in f) for (r, _), f in zip(own, false, strict=True)
            ),
            "false_proofs": [
                [r["name"], h["path"], h["inliers"], seen(r, h["path"])]
                for (r, _), f in zip(own, false, strict=True)
                for h in f
            ],
            "mask_iou_where_the_host_is_proved": {
                "n": len(compared),
                "mean": round(float(np.mean(compared)), 4) if compared else None,
                "median": round(float(np.median(compared)), 4) if compared else None,
                "at_least_0.8": share([x >= 0.8 for x in compared]),
            },
            "cpu_seconds": {
                "queries": len(own),
                "median": round(float(np.median([m["cpu_seconds"] for _, m in own])), 2),
                "most": max(m["cpu_seconds"] for _, m in own),
            },
        }
    watched = [r for r in rows if "controls" in r]
    for role, names in (("host", ("colour", "phash", "votes")), ("donor", ("colour", "votes"))):
        group = [r for r in watched if role == "host" or r["donor"] != r["host"]]
        told[f"controls_{role}"] = {
            name: {
                "R@1": share(
                    [(r["controls"][role][name] or 0) < 1 for r in group if r["controls"][role][name] is not None]
                ),
                "R@5": share(
                    [(r["controls"][role][name] or 0) < 5 for r in group if r["controls"][role][name] is not None]
                ),
            }
            for name in names
        }
    wrong = [(r, pair) for r in paired for pair in r.get("wrong", ())]
    if wrong:
        counts = np.array([pair[0] for _, pair in wrong])
        proved = [(r, pair) for r, pair in wrong if pair[0] >= prove.PROVED]
        told["wrong_pairs"] = {
            "pairs": len(wrong),
            "false_proofs": len(proved),
            "of_them_shared_after_all": sum(bool(seen(r, pair[2])) for r, pair in proved),
            "upper_bound_95": upper_bound(len(proved), len(wrong)),
            "most_inliers": int(counts.max()),
            "pairs_by_inliers": {str(n): int((counts >= n).sum()) for n in range(4, 16)},
            "queries": len(paired),
            "proved": [[r["name"], *pair, seen(r, pair[2])] for r, pair in proved],
            "looked_alike": [[r["name"], *p] for r, p in wrong if p[0] >= prove.LOOKS_LIKE][:40],
        }
    return told


def seen(row: dict[str, Any], name: str) -> str:
    """What a person saw in a pair without a common source that was proved; "" where nothing is shared."""
    return SEEN.get((row["host"], name)) or SEEN.get((row["donor"], name), "")


# ---------------------------------------------------------------- tables


def percent(of: dict[str, Any]) -> str:
    """ "97 % of 103", or a dash."""
    return "–" if of["rate"] is None else f"{100 * of['rate']:.0f} % of {of['n']}"


def table(told: dict[str, Any]) -> str:
    """The tables of docs/trace.md."""
    names = {"casia1_dev": "CASIA v1 (part)", "composite": "composites of the test photographs"}
    kinds = {k: v for k, v in told["rows"].items() if v["queries"]}
    lines = [f"| | {' | '.join(names[k] for k in kinds)} |", "|---|" + "---|" * len(kinds)]

    def row(name: str, say: Any) -> None:
        lines.append(f"| {name} | {' | '.join(say(v) for v in kinds.values())} |")

    enough = f"at least {ENOUGH} features"
    row("queries", lambda v: str(v["queries"]))
    for mode, called in (("blind", "nothing said"), ("region", "region given")):
        row(f"host first ({called})", lambda v, m=mode: percent(v[m]["host"]["R@1"]))
        row(f"host proved ({called})", lambda v, m=mode: percent(v[m]["host"]["proved"]))
        row(f"donor first ({called})", lambda v, m=mode: percent(v[m]["donor"]["all"]["R@1"]))
        row(f"donor first, ≥ {ENOUGH} features ({called})", lambda v, m=mode: percent(v[m]["donor"][enough]["R@1"]))
        row(f"donor proved, ≥ {ENOUGH} features ({called})", lambda v, m=mode: percent(v[m]["donor"][enough]["proved"]))
    controls = (("colour", "colour histogram"), ("phash", "perceptual hash"), ("votes", "plain feature votes"))
    for role in ("host", "donor"):
        for key, called in controls:
            if all(key in v[f"controls_{role}"] for v in kinds.values()):
                row(f"{role} first by {called}", lambda v, k=key, r=role: percent(v[f"controls_{r}"][k]["R@1"]))
    row("queries with a false proof", lambda v: str(v["blind"]["queries_with_a_false_proof"]))
    row("of these, shared after all (see below)", lambda v: str(v["blind"]["of_them_shared_after_all"]))
    kinds = {
        k: {"wrong_pairs": {"false_proofs": 0, "pairs": 0, "of_them_shared_after_all": 0, "proved": []}} | v
        for k, v in kinds.items()
    }
    row("wrong pairs proved", lambda v: "{false_proofs} of {pairs:,}".format(**v["wrong_pairs"]))
    row("of so many queries", lambda v: str(v["wrong_pairs"].get("queries", 0)))
    row("of the proved, shared after all", lambda v: str(v["wrong_pairs"]["of_them_shared_after_all"]))
    iou = "mask_iou_where_the_host_is_proved"
    row("IoU of the difference, host proved: mean / median", lambda v: _pair(v["blind"][iou]))
    row("of these, IoU ≥ .8", lambda v: percent(v["blind"][iou]["at_least_0.8"]))
    row("processor seconds a query: median / most", lambda v: _seconds(v["blind"]["cpu_seconds"]))
    lines += ["", *_false(kinds)]
    if "absent" in told:
        own = told["absent"]
        lines += [
            "",
            f"Of {own['queries']} pictures of which the gallery should hold nothing (composites of Lalonde and Efros), "
            f"{own['queries_with_a_proof']} had something proved and {own['queries_with_anything_listed']} anything "
            "listed.",
        ]
    if "scale" in told:
        lines += ["", *_scale(told["scale"])]
    return "\n".join(lines)


def _pair(of: dict[str, Any]) -> str:
    return "–" if of["mean"] is None else f"{of['mean']:.2f} / {of['median']:.2f}"


def _seconds(of: dict[str, Any]) -> str:
    return f"{of['median']:.1f} / {of['most']:.1f}"


def _false(kinds: dict[str, Any]) -> list[str]:
    """Every pair proved though the sets name no common source, in words."""
    found = {tuple(f[:2]): f[3] for v in kinds.values() for f in v["blind"]["false_proofs"]}
    found |= {(f[0], f[3]): f[4] for v in kinds.values() for f in v["wrong_pairs"]["proved"]}
    if not found:
        return ["No pair without a common source was proved."]
    lines = ["Proved though the sets name no common source:", ""]
    return lines + [f"- {name}, {path}: {why or 'nothing is shared'}" for (name, path), why in sorted(found.items())]


def _scale(found: dict[str, Any]) -> list[str]:
    lines = [
        "| pictures | features | bytes | cells made in | 1,000 features asked: exact / cells | nearest ten found | "
        "first candidate the same | first ten in common |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for c in found["cells"]:
        size = f"| {c['pictures']:,} | {c['features']:,} | {sum(c['bytes'].values()) / 1e6:.0f} MB "
        exact = f"{c['exact_cpu_seconds_per_1000_features']:.2f} s"
        if not c["has_cells"]:
            lines.append(f"{size}| – | {exact} / – | – | – | – |")
            continue
        lines.append(
            f"{size}| {c['cells_cpu_seconds']:.0f} s | {exact} / {c['cells_cpu_seconds_per_1000_features']:.2f} s "
            f"| {100 * c['neighbour_recall_at_10']:.0f} % | {100 * c['same_first_candidate']:.0f} % of "
            f"{c['pictures_asked']} | {100 * c['first_10_candidates_in_common']:.0f} % |"
        )
    return lines


def write_table(told: dict[str, Any]) -> None:
    """Put the tables between the marks of docs/trace.md."""
    file = ROOT / "docs" / "trace.md"
    text = file.read_text()
    before, rest = text.split(BEGIN, 1)
    file.write_text(f"{before}{BEGIN}\n{table(told)}\n{END}{rest.split(END, 1)[1]}")
