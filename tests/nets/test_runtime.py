"""ONNX Runtime must neither report anything nor leave anything behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(line: str, home: Path) -> list[str]:
    home.mkdir()
    own = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "ORT_"))} | {"HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", line], env=own, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return sorted(path.name for path in home.rglob("*") if path.is_file())


def test_examining_leaves_nothing_at_home(tmp_path: Path) -> None:
    line = "import ifdl, sys; ifdl.examine('examples/splice.jpg', clues=['ifdl_small']);"
    assert run(f"{line} assert 'onnxruntime' in sys.modules", tmp_path / "home") == []
