"""A room imports only from rooms to its left, and the rooms of the plain install never import torch."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "ifdl"
ORDER = (
    {"types"},
    {"signal"},
    {"intake"},
    {"evidence", "nets", "data"},
    {"experts", "forge", "trace", "ask", "explain", "joint"},
    {"report"},
    {"verdict"},
    {"spine"},
    {"many"},
    {"pipelines"},
    {"train", "evaluate"},
    {"serve"},
)
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
NEVER_TORCH = {"types", "signal", "intake", "evidence", "joint", "explain", "report", "verdict", "spine"}
# Forged pictures are samples of data; training validates with the evaluator that everybody is measured by.
NEIGHBOURS = {("forge", "data"), ("train", "evaluate")}


def imports_of(path: Path) -> set[str]:
    """Full names of all modules a file imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
    return found


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "ifdl" and len(parts) > 1 and parts[1] in RANK else None


def test_rooms_import_only_from_their_left() -> None:
    wrong = []
    for path in sorted(SOURCE.rglob("*.py")):
        own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if own == "__init__":  # the front door, whose imports are lazy
            continue
        assert own in RANK, f"{path} is in no room of house.md"
        for other in {room for module in imports_of(path) if (room := room_of(module))} - {own}:
            if RANK[other] >= RANK[own] and (own, other) not in NEIGHBOURS:
                wrong.append(f"{path.relative_to(SOURCE)} imports {other}")
    assert not wrong, wrong


def test_rule_notices_a_wrong_import(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f():\n    from ifdl.serve import cli\n")
    assert "serve" in {room_of(m) for m in imports_of(tmp_path / "a.py")}


def test_plain_install_never_imports_torch() -> None:
    for path in SOURCE.rglob("*.py"):
        if path.relative_to(SOURCE).parts[0].removesuffix(".py") in NEVER_TORCH:
            assert not {m for m in imports_of(path) if m.split(".")[0] in ("torch", "transformers")}, path


def test_nothing_unpickles_or_loads_truncated_pictures() -> None:
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not {m.split(".")[0] for m in imports_of(path)} & {"pickle", "marshal", "shelve", "joblib"}, path
        assert "LOAD_TRUNCATED_IMAGES = True" not in text and "torch.load(" not in text, path
