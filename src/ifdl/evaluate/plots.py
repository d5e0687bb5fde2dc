"""Small line plots as SVG text: axes, ticks, legend. Colours are Okabe and Ito's, and lines differ in dash too."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

Points = Sequence[Sequence[float]]
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "currentColor")
DASHES = ("", "6 3", "2 3", "8 3 2 3")
WIDTH, HEIGHT = 420, 320
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 30, 44


def lines(
    title: str,
    series: Mapping[str, Points],
    x: str,
    y: str,
    *,
    x_range: tuple[float, float] = (0.0, 1.0),
    y_range: tuple[float, float] = (0.0, 1.0),
    diagonal: bool = False,
    dots: bool = False,
) -> str:
    """One plot of named series of (x, y); `diagonal` draws what chance or perfect agreement would be."""
    inner = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM)

    def place(px: float, py: float) -> tuple[float, float]:
        across = (px - x_range[0]) / ((x_range[1] - x_range[0]) or 1)
        up = (py - y_range[0]) / ((y_range[1] - y_range[0]) or 1)
        return LEFT + across * inner[0], TOP + (1 - up) * inner[1]

    parts = [f'<text class="title" x="{LEFT}" y="18">{escape(title)}</text>']
    for n in range(6):
        vx, vy = (low + n / 5 * (high - low) for low, high in (x_range, y_range))
        (px, _), (_, py) = place(vx, y_range[0]), place(x_range[0], vy)
        parts.append(f'<line class="grid" x1="{px:.1f}" x2="{px:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{py:.1f}" y2="{py:.1f}"/>')
        parts.append(f'<text class="tick" x="{px:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{vx:.3g}</text>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{py + 4:.1f}" text-anchor="end">{vy:.3g}</text>')
    if diagonal:
        (ax, ay), (bx, by) = place(x_range[0], y_range[0]), place(x_range[1], y_range[1])
        parts.append(f'<line class="chance" x1="{ax:.1f}" y1="{ay:.1f}" x2="{bx:.1f}" y2="{by:.1f}"/>')
    for n, (name, points) in enumerate(series.items()):
        colour, dash = COLOURS[n % len(COLOURS)], DASHES[n // len(COLOURS) % len(DASHES)]
        at = [place(float(p[0]), float(p[1])) for p in points if math.isfinite(p[0]) and math.isfinite(p[1])]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in at)
        style = f'stroke="{colour}" stroke-dasharray="{dash}"'
        parts.append(f'<polyline fill="none" stroke-width="2" {style} points="{path}"/>')
        if dots or len(at) < 12:
            parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colour}"/>' for px, py in at]
        row = HEIGHT + 6 + 16 * n
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + 28}" y1="{row}" y2="{row}" stroke-width="2" {style}/>')
        parts.append(f'<text class="tick" x="{LEFT + 36}" y="{row + 4}">{escape(name)}</text>')
    parts.append(
        f'<text class="axis" x="{LEFT + inner[0] / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x)}</text>'
    )
    middle = TOP + inner[1] / 2
    parts.append(
        f'<text class="axis" transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">{escape(y)}</text>'
    )
    label = escape(f"{title}: {y} against {x}")
    full = HEIGHT + 16 * len(series) + 4
    return f'<svg viewBox="0 0 {WIDTH} {full}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
