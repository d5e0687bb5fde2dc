"""Results side by side: measured ones with their intervals, published ones in a table of their own, plots, the worst.

Numbers are compared only within one protocol on one set. Published ones come from other pictures, thresholds and
sizes; they are shown with their doubts and never ranked with what was measured.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
from jinja2 import Environment

from ifdl.evaluate import plots
from ifdl.evaluate.published import Published, on

SCHEMA = "ifdl-result-1"
CURVES = {
    "roc": ("Whole pictures: ROC", "false-alarm rate", "detection rate"),
    "pr": ("Whole pictures: precision and recall", "recall", "precision"),
    "pixel_roc": ("Pixels of edited pictures: ROC", "false-alarm rate", "detection rate"),
    "pixel_pr": ("Pixels of edited pictures: precision and recall", "recall", "precision"),
}
THUMBNAIL = 160


def load(folder: Path) -> list[dict[str, Any]]:
    """All results below a folder, sorted; other JSON files are passed over. Raises ValueError for a broken result."""
    found = []
    for path in sorted(folder.rglob("*.json")):
        try:
            one = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise ValueError(f"{path} cannot be read: {error}") from error
        if not isinstance(one, dict) or one.get("schema") != SCHEMA:
            continue
        missing = {"system", "protocol", "data", "numbers"} - set(one)
        if missing:
            raise ValueError(f"{path} lacks {', '.join(sorted(missing))}")
        found.append(one | {"file": path.name})
    return sorted(found, key=lambda r: (r["protocol"]["name"], r["data"]["name"], r["system"]["name"]))


def table(results: Sequence[dict[str, Any]], protocol: str, data: str) -> dict[str, Any]:
    """Columns (number names, headline first) and rows of one protocol on one set, best first by the first number."""
    own = [r for r in results if (r["protocol"]["name"], r["data"]["name"]) == (protocol, data)]
    headline = list(own[0]["protocol"].get("headline") or []) if own else []
    columns = [*headline, *(n for r in own for n in r["numbers"] if n not in headline)]
    # What no system has a value for on this set (IoU where nothing is edited) is no column.
    columns = [n for n in dict.fromkeys(columns) if any(value(r["numbers"].get(n)) != "–" for r in own)]
    headline = [n for n in headline if n in columns]
    first = columns[0] if columns else ""
    own.sort(key=lambda r: -((r["numbers"].get(first) or {}).get("value") or 0.0))
    return {"columns": columns, "headline": headline, "rows": own}


def value(number: dict[str, Any] | None) -> str:
    """A number as text, without its interval."""
    return "–" if number is None or number.get("value") is None else f"{number['value']:.3f}"


def interval(number: dict[str, Any] | None) -> str:
    """Its interval, and what was counted where something was; empty without one."""
    if number is None or number.get("low") is None:
        return ""
    return f"[{number['low']:.3f}–{number['high']:.3f}]" + (f" {number['k']} of {number['n']}" if "k" in number else "")


def cell(number: dict[str, Any] | None) -> str:
    """Both on one line."""
    return f"{value(number)} {interval(number)}".rstrip()


def markdown(results: Sequence[dict[str, Any]], protocol: str, data: str) -> str:
    """The headline of one protocol on one set as a Markdown table."""
    found = table(results, protocol, data)
    names = found["headline"] or found["columns"]
    head = f"| system | {' | '.join(names)} | in domain |\n|---|{'---|' * (len(names) + 1)}\n"
    lines = []
    for row in found["rows"]:
        cells = " | ".join(cell(row["numbers"].get(n)) for n in names)
        lines.append(f"| {row['system']['name']} | {cells} | {share(row)} |\n")
    return head + "".join(lines)


def share(result: dict[str, Any]) -> str:
    """How much of the edited pictures the system took for its domain."""
    found = (result.get("in_domain") or {}).get("share")
    return "–" if found is None else f"{found:.0%}"


def compare(a: dict[str, Any], b: dict[str, Any]) -> list[dict[str, Any]]:
    """Numbers that two results share: both, their difference, and whether their intervals overlap."""
    rows = []
    for name in (n for n in a["numbers"] if n in b["numbers"]):
        one, two = a["numbers"][name], b["numbers"][name]
        if one["value"] is None or two["value"] is None:
            continue
        known = all(n.get("low") is not None for n in (one, two))
        apart = known and (one["low"] > two["high"] or two["low"] > one["high"])
        rows.append({"name": name, "a": cell(one), "b": cell(two), "difference": one["value"] - two["value"],
                     "apart": apart if known else None})  # fmt: skip
    return rows


def page(results: Sequence[dict[str, Any]], published: list[Published], out: Path, gallery: Path | None = None) -> Path:
    """Write one self-contained HTML page: no link out, no script needed."""
    groups = sorted({(r["protocol"]["name"], r["data"]["name"]) for r in results})
    sections = []
    for protocol, data in groups:
        found = table(results, protocol, data)
        sections.append({
            "protocol": found["rows"][0]["protocol"],
            "data": found["rows"][0]["data"],
            "table": found,
            "published": _by_source(on(data, published)),
            "plots": _plots(found["rows"]),
            "worst": [(r["system"]["name"], [_shown(w, gallery) for w in r["worst"][:6]])
                      for r in found["rows"] if r.get("worst")],
        })  # fmt: skip
    folder = files("ifdl.evaluate") / "templates"
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((folder / "leaderboard.html").read_text(encoding="utf-8"))
    style = (folder / "leaderboard.css").read_text(encoding="utf-8")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(
        template.render(sections=sections, style=style, value=value, interval=interval, share=share), encoding="utf-8"
    )
    return out


def _by_source(numbers: Sequence[Published]) -> list[dict[str, Any]]:
    """One table for each source: systems as rows, numbers as columns."""
    tables: dict[tuple[str, str, str], dict[str, Any]] = {}
    for n in numbers:
        about = {"source": n.source, "protocol": n.protocol, "doubts": n.doubts, "columns": [], "rows": {}}
        found = tables.setdefault((n.source, n.protocol, n.doubts), about)
        if n.metric not in found["columns"]:
            found["columns"].append(n.metric)
        found["rows"].setdefault(n.system, {})[n.metric] = n.value
    return list(tables.values())


def _plots(rows: Sequence[dict[str, Any]]) -> list[str]:
    """SVG text of every plot that at least one result has something for."""
    made = []
    for key, (title, x, y) in CURVES.items():
        series = {r["system"]["name"]: r["curves"][key] for r in rows if (r.get("curves") or {}).get(key)}
        if series:
            made.append(plots.lines(title, series, x, y, diagonal=key.endswith("roc")))
    reliability = {
        r["system"]["name"]: [[b["said"], b["found"]] for b in r["curves"]["reliability"]]
        for r in rows
        if (r.get("curves") or {}).get("reliability")
    }
    if reliability:
        made.append(plots.lines("Reliability", reliability, "said", "found", diagonal=True, dots=True))
    for row in rows:
        made += _sweeps(row)
    return made


def _sweeps(result: dict[str, Any]) -> list[str]:
    """One plot for each change of a robustness sweep: the first headline number and the states that survive."""
    entries = result.get("robustness") or []
    name = (result["protocol"].get("headline") or list(result["numbers"]))[0]
    made = []
    for chain in dict.fromkeys(e["chain"] for e in entries if e["chain"] != "none"):
        own = sorted((e for e in entries if e["chain"] == chain), key=lambda e: float(e["level"]))
        levels = [float(e["level"]) for e in own]
        if len(levels) < 2:
            continue
        numbers = [[e["level"], e["numbers"][name]["value"] or 0.0] for e in own]
        series = {name: numbers, "same answer": [[e["level"], e["stable"]] for e in own]}
        title = f"{result['system']['name']} after {chain}"
        made.append(plots.lines(title, series, "level", "share", x_range=(levels[0], levels[-1])))
    return made


def _shown(worst: dict[str, Any], gallery: Path | None) -> dict[str, Any]:
    """A picture of the worst with a thumbnail, where there is a folder to find it in."""
    if gallery is None:
        return worst
    path = (gallery / str(worst["image"])).resolve()
    if not path.is_relative_to(gallery.resolve()) or not path.is_file():
        return worst
    pixels = cv2.imread(str(path))
    if pixels is None:
        return worst
    factor = THUMBNAIL / max(pixels.shape[:2])
    small = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    data = base64.b64encode(cv2.imencode(".jpg", small)[1].tobytes()).decode()
    return worst | {"thumbnail": f"data:image/jpeg;base64,{data}"}
