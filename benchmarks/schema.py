"""Let schemathesis look for requests that the service answers otherwise than its OpenAPI description says.

    python benchmarks/schema.py [--out results/schemathesis.json]

All checks, 200 examples for each operation, against `ifdl serve` with an archive and with --allow-urls. Pictures are
sent as bodies where the description allows any bytes (tests/serve/web/schema_hooks.py); what is not a picture is the
affair of the hostile files in the tests.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from ifdl.trace.index import Index, pictures

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.serve.web.running import KEY, served  # noqa: E402
from tests.trace.pictures import archive  # noqa: E402

OPTIONS = ["--checks", "all", "--seed", "1", "--max-response-time", "300", "--request-timeout", "300", "--no-color"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--examples", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        archive(Path(place) / "a")
        with Index(Path(place) / "i", write=True) as made:
            made.update(pictures(Path(place) / "a"))
        with served("--index", f"{place}/i", "--allow-urls", "--queue", "16", key=KEY) as service:
            command = [sys.executable, "-m", "schemathesis.cli"]
            command += ["--config-file", "tests/serve/web/schemathesis.toml", "run", f"{service.home}/v1/openapi.json"]
            command += ["-H", f"Authorization: Bearer {KEY}", "--max-examples", str(options.examples), *OPTIONS]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    print(done.stdout, done.stderr)
    said = done.stdout
    summary = re.search(r"Test cases:\n\s+(.*)", said)
    result = {
        "command": "python benchmarks/schema.py",
        "schemathesis": version("schemathesis"),
        "options": f"--max-examples {options.examples} {' '.join(OPTIONS)}",
        "operations": int(re.search(r"Tested: (\d+)", said).group(1)) if "Tested:" in said else 0,  # type: ignore[union-attr]
        "phases": {
            name.lower(): mark == "✅"
            for mark, name in re.findall(r"^  (✅|❌) (Coverage|Fuzzing|Stateful)$", said, re.M)
        },
        "cases": summary.group(1) if summary else "",
        "failures": re.findall(r"^- (ST\d+ .*)$", said, re.M),
        "warnings": re.findall(r"^  ⚠️ (.*)$", said, re.M),
        "passes": done.returncode == 0,
    }
    if options.out:
        options.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
