"""The numbers of docs/scale.md, all from results/batch.json (`python benchmarks/batch.py docs`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ifdl.serve.batching import cascade
from ifdl.serve.batching.cascade import Plan, Policy
from ifdl.serve.batching.table import STAGES
from ifdl.types import Answer, Question, State, Verdict

ROOT = Path(__file__).resolve().parents[1]
PAGE, RESULTS = ROOT / "docs" / "scale.md", ROOT / "results" / "batch.json"
BEGIN = "<!-- batch:begin (written by benchmarks/batch.py from results/batch.json) -->"
END = "<!-- batch:end -->"
DAY = 86_400
PEAK, USE = 2.5, 2  # the busiest hour over the mean; machines paid over machines busy
CORE_HOUR = 0.04  # dollars, assumed
VOLUMES = ((10e6, "10 M"), (1.8e9, "1.8 B"))


def policies(rows: Sequence[dict[str, Any]], labels: dict[str, str]) -> dict[str, Any]:
    """For each policy: on which share of the untouched pictures the expert runs, and what it finds on the edited ones.

    From rows of the policy `all`. A picture is found if the local edit is SUPPORTED, by the cheap tests alone where the
    policy leaves the expert out.
    """
    told = {}
    of = {label: [r for r in rows if labels.get(Path(r["uri"]).name) == label] for label in ("authentic", "edited")}
    for policy in Policy:
        plan = Plan.of(policy=policy)
        seen = {label: [_wanted(plan, r) for r in group] for label, group in of.items()}
        found = [
            (r["local_edit"] if run else r["clues_alone"])["state"] == State.SUPPORTED
            for label in of
            for r, run in zip(of[label], seen[label], strict=True)
        ]
        untouched = len(of["authentic"])
        told[str(policy)] = {
            "untouched": untouched,
            "expert_runs_on": sum(seen["authentic"]),
            "alarms": sum(found[:untouched]),
            "edited": len(of["edited"]),
            "found": sum(found[untouched:]),
        }
    return told


def _wanted(plan: Plan, row: dict[str, Any]) -> bool:
    """The policy's decision again, from a finished row. A synthetic answer counts only if the clues support it."""
    states = {str(q): State(row[str(q)]["state"]) for q in Question}
    states["local_edit"] = State(row["clues_alone"]["state"])
    if states["synthetic_origin"] is not State.SUPPORTED:  # the expert itself says no more than inconclusive
        states["synthetic_origin"] = State.NOT_RUN
    ratio = row["clues_alone"]["log10_ratio"]
    ratios = {"local_edit": ratio}
    answers = tuple(Answer(Question(q), s, None, "", log10_ratio=ratios.get(q)) for q, s in states.items())
    return cascade.wanted(plan, Verdict(answers, (), (), ()))[0]


def updated(page: str) -> str:
    """The page with the numbers as they now are."""
    told = text(json.loads(RESULTS.read_text(encoding="utf-8"))) if RESULTS.exists() else "Not measured yet."
    head, rest = page.split(BEGIN)
    return f"{head}{BEGIN}\n{told}\n{END}{rest.split(END)[1]}"


def text(results: dict[str, Any]) -> str:
    """Everything measured, as Markdown."""
    return "\n\n".join((_head(results), _sizes(results), _runs(results), _policies(results), _days(results)))


def _head(results: dict[str, Any]) -> str:
    return (
        f"Measured by `{results['command']}` on {results['machine']}: {results['pictures']} pictures, one thread a "
        f"process. The machine's load before it began was {results['load_before']:g}"
        + ("." if results["load_before"] < 0.5 else ": **others were at work on it, so the times are too long.**")
    )


def _sizes(results: dict[str, Any]) -> str:
    lines = [
        "### Seconds of each stage, one worker",
        "",
        "| size | pictures | mean MP | mean MB | " + " | ".join(STAGES) + " | all |",
        "|---" * (5 + len(STAGES)) + "|",
    ]
    for row in results["sizes"]:
        spent = row["seconds"]
        cells = [f"{spent[s]:.4f}" if s in spent else "–" for s in STAGES]
        lines.append(
            f"| {row['size']} | {row['pictures']} | {row['megapixels']:.2f} | {row['megabytes']:.2f} | "
            f"{' | '.join(cells)} | {sum(spent.values()):.2f} |"
        )
    return "\n".join(lines)


def _runs(results: dict[str, Any]) -> str:
    runs, part = results["runs"], results["part"]
    lines = [
        "### Workers and engines",
        "",
        "| run | pictures | wall s | pictures a second | peak MB |",
        "|---|---|---|---|---|",
    ]
    for name, run in runs.items():
        count = run["examined"] + run["failed"]
        lines.append(f"| {name} | {count} | {run['seconds']:.1f} | {count / run['seconds']:.2f} | {run['peak_mb']} |")
    gain = runs["one worker"]["seconds"] / runs["two workers"]["seconds"]
    local, ray = runs["local, part"]["seconds"], runs["ray, part"]["seconds"]
    starts = runs["local, one picture"]["seconds"], runs["ray, one picture"]["seconds"]
    rest = (ray - starts[1]) / (local - starts[0]) - 1
    kept = results["store"]
    lines += [
        "",
        f"Two workers are {gain:.2f} times as fast as one, with the driver on the same two cores. On {part} pictures "
        f"Ray (one process for the cheap tests and one for the expert) took {ray:.0f} s where two local workers took "
        f"{local:.0f} s. Of that, starting and one picture took {starts[1]:.0f} s and {starts[0]:.0f} s; the rest took "
        f"{100 * abs(rest):.0f} % {'longer' if rest > 0 else 'less'}. Peak memory is that of all processes, shared "
        f"pages counted once. The driver takes {kept['rows'] / kept['add_seconds']:,.0f} rows a second and makes the "
        f"table of {kept['rows']:,} rows in {kept['finish_seconds']:.1f} s.",
    ]
    return "\n".join(lines)


def _policies(results: dict[str, Any]) -> str:
    lines = [
        "### What a policy spares, and what it misses",
        "",
        "| policy | expert runs on untouched pictures | their false alarms | edited pictures found |",
        "|---|---|---|---|",
    ]
    for name, row in results["policies"].items():
        runs = f"{row['expert_runs_on']} of {row['untouched']}"
        lines.append(f"| `{name}` | {runs} | {row['alarms']} | {row['found']} of {row['edited']} |")
    return "\n".join(lines)


def _days(results: dict[str, Any]) -> str:
    lines = [
        "### A day of many pictures",
        "",
        "cores = pictures a day × seconds a picture ÷ 86,400. Seconds a picture = read + decode + clues + expert × its "
        f"share of the untouched pictures above. Paid for: × {PEAK} for the busiest hour, × {USE} because machines are "
        f"not always busy; dollars at {CORE_HOUR} for a core hour (an assumption), around the clock.",
    ]
    for row in results["sizes"]:
        if row["size"] not in ("2 MP", "12 MP"):
            continue
        spent = row["seconds"]
        first = sum(spent[s] for s in ("read", "decode", "clues"))
        lines += [
            "",
            f"**{row['size']}** ({row['megabytes']:.2f} MB; read + decode + clues {first:.2f} s, "
            f"expert {spent['expert']:.2f} s)",
            "",
            "| pictures a day | policy | seconds a picture | cores busy | cores paid | $ per million | read a day |",
            "|---|---|---|---|---|---|---|",
        ]
        for volume, words in VOLUMES:
            for name, policy in results["policies"].items():
                share = policy["expert_runs_on"] / max(1, policy["untouched"])
                each = first + share * spent["expert"]
                busy = volume * each / DAY
                paid = busy * PEAK * USE
                dollars = 24 * paid * CORE_HOUR / volume * 1e6
                lines.append(
                    f"| {words} | `{name}` ({100 * share:.0f} %) | {each:.2f} | {busy:,.0f} | {paid:,.0f} | "
                    f"{dollars:,.0f} | {volume * row['megabytes'] / 1e6:,.1f} TB |"
                )
    return "\n".join(lines)
