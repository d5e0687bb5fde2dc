"""Results side by side: measured ones with their intervals, published ones in a table of their own, plots, the worst.

Numbers are compared only within one protocol on one set. Published ones come from other pictures, thresholds and
sizes; they are shown with their doubts and never ranked with what was measured.
"""

from __future__ import annotations

import base64
import json
import math
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
from jinja2 import Environment

from ifdl import intake
from ifdl.evaluate import plots
from ifdl.evaluate.published import Published, on
from ifdl.intake import IntakeError
from ifdl.signal.orientation import to_display

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
        nameless = [part for part in ("system", "protocol", "data") if not (one[part] or {}).get("name")]
        if nameless:
            raise ValueError(f"{path} lacks the name of its {', '.join(nameless)}")
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
    own.sort(key=lambda r: -_known(r["numbers"].get(first), -math.inf))
    return {"columns": columns, "headline": headline, "rows": own}


def value(number: dict[str, Any] | None) -> str:
    """A number as text, without its interval."""
    return "–" if number is None or number.get("value") is None else f"{number['value']:.3f}"


def printed(number: float) -> str:
    """A published number with as many digits as its source gave, two at least: never 0.998 as 1.00."""
    two = f"{number:.2f}"
    return two if float(two) == number else f"{number:g}"


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
        system = row["system"]["name"].replace("|", "\\|")
        lines.append(f"| {system} | {cells} | {share(row)} |\n")
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
            # Nobody published numbers on pictures that were altered here.
            "published": [] if found["rows"][0]["data"].get("change") else _by_source(on(data, published)),
            "plots": _plots(found["rows"], found["headline"] or found["columns"]),
            "worst": [(r["system"]["name"], [_shown(w, gallery) for w in r["worst"][:6]])
                      for r in found["rows"] if r.get("worst")],
        })  # fmt: skip
    folder = files("ifdl.evaluate") / "templates"
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((folder / "leaderboard.html").read_text(encoding="utf-8"))
    style = (folder / "leaderboard.css").read_text(encoding="utf-8")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(
        template.render(sections=sections, style=style, value=value, interval=interval, share=share, printed=printed),
        encoding="utf-8",
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


def _plots(rows: Sequence[dict[str, Any]], headline: Sequence[str]) -> list[str]:
    """SVG text of every plot that at least one result has something for."""
    made = []
    named = list(zip(_labels(rows), rows, strict=True))
    for key, (title, x, y) in CURVES.items():
        series = {label: r["curves"][key] for label, r in named if (r.get("curves") or {}).get(key)}
        if series:
            made.append(plots.lines(title, series, x, y, diagonal=key.endswith("roc")))
    reliability = {
        label: [[b["said"], b["found"]] for b in r["curves"]["reliability"]]
        for label, r in named
        if (r.get("curves") or {}).get("reliability")
    }
    if reliability:
        made.append(plots.lines("Reliability", reliability, "said", "found", diagonal=True, dots=True))
    for label, row in named:
        made += _sweeps(label, row, headline)
    return made


def _labels(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A name for each result; runs of the same system are told apart by their files."""
    often = Counter(r["system"]["name"] for r in rows)
    shown = [r["system"]["name"] for r in rows]
    return [
        f"{name} ({r.get('file') or f'run {n}'})" if often[name] > 1 else name
        for n, (name, r) in enumerate(zip(shown, rows, strict=True), 1)
    ]


def _known(number: dict[str, Any] | None, otherwise: float = math.nan) -> float:
    found = (number or {}).get("value")
    return otherwise if found is None else float(found)


def _sweeps(label: str, result: dict[str, Any], headline: Sequence[str]) -> list[str]:
    """One plot for each change of a robustness sweep: the first headline number and the states that survive."""
    entries = result.get("robustness") or []
    name = next(iter(headline), "")
    made = []
    for chain in dict.fromkeys(e["chain"] for e in entries if e["chain"] != "none"):
        own = sorted((e for e in entries if e["chain"] == chain), key=lambda e: float(e["level"]))
        levels = [float(e["level"]) for e in own]
        if len(levels) < 2:
            continue
        numbers = [[e["level"], _known(e["numbers"].get(name))] for e in own]
        kept = [[e["level"], _known({"value": e.get("stable")})] for e in own]
        # A number that nothing defines is left out, never drawn as 0.
        defined = {
            k: [p for p in points if not math.isnan(p[1])] for k, points in {name: numbers, "same answer": kept}.items()
        }
        series = {k: points for k, points in defined.items() if points}
        if series:
            made.append(
                plots.lines(f"{label} after {chain}", series, "level", "share", x_range=(levels[0], levels[-1]))
            )
    return made


def _shown(worst: dict[str, Any], gallery: Path | None) -> dict[str, Any]:
    """A picture of the worst with a thumbnail, where there is a folder to find it in."""
    if gallery is None:
        return worst
    path = (gallery / str(worst["image"])).resolve()
    if not path.is_relative_to(gallery.resolve()) or not path.is_file():
        return worst
    try:
        picture = intake.load(path)
    except IntakeError:
        return worst
    pixels = to_display(picture.pixels, picture.item.orientation)
    factor = min(1.0, THUMBNAIL / max(pixels.shape[:2]))
    small = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    data = base64.b64encode(cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1].tobytes()).decode()
    return worst | {"thumbnail": f"data:image/jpeg;base64,{data}"}
