"""A report as a few lines of text for a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from ifdl.report.words import QUESTIONS, state_words, visible
from ifdl.types import Report, State


def clean(text: str) -> str:
    """Hostile text with its control characters made visible, so that none moves the cursor or turns a line."""
    return visible(text.replace("\n", " "))


def show(report: Report, console: Console) -> None:
    """Write the four answers, the coverage and what is not claimed."""
    item = report.item
    head = Text(clean(item.name), style="bold")
    head.append(f"   {item.format} {item.width}x{item.height}, {item.bytes / 1e6:.2f} MB", style="not bold")
    head.append(f"   sha256 {item.sha256[:12]}…", style="not bold dim")
    console.print(head)
    for answer in report.verdict.answers:
        line = Text(f"{QUESTIONS[answer.question].upper():18}", style="bold")
        line.append(state_words(answer), style="bold" if answer.state == State.SUPPORTED else "")
        console.print(line)
        _indented(console, answer.sentence)
        boxes = [r.box for f in report.verdict.findings for r in f.regions if r.id in answer.regions]
        if boxes:
            shown = "; ".join(f"x {x}-{x + w}, y {y}-{y + h}" for x, y, w, h in boxes[:4])
            more = f"; {len(boxes) - 4} more" if len(boxes) > 4 else ""
            _indented(console, f"in stored pixels: {shown}{more}", "dim")
        if answer.cap:
            _indented(console, answer.cap, "dim")
    tests = report.verdict.coverage
    ran = sum(c.state in (State.SUPPORTED, State.INCONCLUSIVE, State.NO_TRACE_FOUND) for c in tests)
    missing: dict[str, list[str]] = {}
    for row in tests:
        if row.state in (State.NOT_RUN, State.OUT_OF_DOMAIN, State.FAILED):
            missing.setdefault(str(row.state).lower().replace("_", " "), []).append(row.test)
    rest = "; ".join(f"{state}: {', '.join(names)}" for state, names in missing.items())
    console.print(f"Coverage {ran} of {len(tests)} tests{'; ' if rest else ''}{rest}", style="dim")
    console.print(f"Not claimed: {report.not_claimed[0]}; {report.not_claimed[1]}.", style="dim")


def _indented(console: Console, text: str, style: str = "") -> None:
    console.print(Padding(Text(clean(text), style=style), (0, 0, 0, 4)))
