"""How well claims that were planted in texts are told apart: precision, recall and true claims dropped, by kind.

    python benchmarks/claims.py tests/explain/planted.jsonl [MORE.jsonl …]

A row is {"picture": "splice", "text": "…", "true": false, "kind": "position"} on one of the bundled examples; "true"
means that the picture's findings bear it out. A text counts as caught if any of its sentences would be dropped.
Writes results/claims.json.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import ifdl  # noqa: E402
from ifdl.evaluate.intervals import clopper_pearson  # noqa: E402
from ifdl.explain import claims  # noqa: E402
from ifdl.types import Report  # noqa: E402

OUT = ROOT / "results" / "claims.json"


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def measure(rows: list[dict[str, Any]], reports: dict[str, Report]) -> dict[str, Any]:
    """Counts and shares of one file of planted claims, with the texts that were judged wrongly."""
    kinds: dict[str, dict[str, int]] = defaultdict(lambda: {"false": 0, "caught": 0, "true": 0, "dropped": 0})
    wrong = []
    for row in rows:
        report = reports[row["picture"]]
        assert report.picture is not None
        unsupported = [c for c in claims.check(row["text"], report.picture, report.verdict) if not c.supported]
        count = kinds[row["kind"]]
        count["true" if row["true"] else "false"] += 1
        if unsupported:
            count["dropped" if row["true"] else "caught"] += 1
        if bool(unsupported) == bool(row["true"]):
            wrong.append({**row, "why": [f"{c.kind}: {c.text}: {c.why}" for c in unsupported]})
    total = {key: sum(k[key] for k in kinds.values()) for key in ("false", "caught", "true", "dropped")}
    flagged = total["caught"] + total["dropped"]
    return {
        **total,
        "recall": _share(total["caught"], total["false"]),
        "precision": _share(total["caught"], flagged),
        "true_dropped": _share(total["dropped"], total["true"]),
        "kinds": {kind: kinds[kind] for kind in sorted(kinds)},
        "wrong": wrong,
    }


def examined(names: set[str]) -> dict[str, Report]:
    return {name: ifdl.examine(ROOT / "examples" / f"{name}.jpg") for name in sorted(names)}


def _share(k: int, n: int) -> dict[str, float | int] | None:
    if not n:
        return None
    low, high = clopper_pearson(k, n)
    return {"value": round(k / n, 4), "low": round(low, 4), "high": round(high, 4), "of": n}


def main(paths: list[str]) -> None:
    files = {Path(p).name: rows_of(Path(p)) for p in paths}
    reports = examined({row["picture"] for rows in files.values() for row in rows})
    measured = {name: measure(rows, reports) for name, rows in files.items()}
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    command = "python benchmarks/claims.py " + " ".join(paths)
    told = {
        "command": command,
        "commit": commit,
        "intervals": "Clopper-Pearson 95 %, each text taken as independent, which texts of four pictures are not",
        "files": measured,
    }
    OUT.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for name, result in measured.items():
        print(
            f"{name}: {result['caught']} of {result['false']} false claims caught, "
            f"{result['dropped']} of {result['true']} true ones dropped"
        )
        for kind, count in result["kinds"].items():
            print(f"  {kind}: {count['caught']}/{count['false']} caught, {count['dropped']}/{count['true']} dropped")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
