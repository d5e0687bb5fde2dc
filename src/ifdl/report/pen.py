"""Draws on a clear canvas: outlined regions, lettered badges, a scale bar.

Colours are Okabe and Ito's palette (2008) without its green and vermilion; every line has a dark edge,
so that it shows on any picture and in grey print.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ifdl.report.parts import letter

Bytes = NDArray[np.uint8]

COLOURS = ((240, 228, 66), (86, 180, 233), (230, 159, 0), (204, 121, 167), (0, 114, 178))
DARK, LIGHT = (20, 20, 20), (255, 255, 255)
TINT = 0.28


class Pen:
    """A canvas of `size` (height, width) with line and letter sizes to match; coordinates are (x, y).

    A hidden border lets lines run over the edge without any clipping arithmetic.
    """

    def __init__(self, size: tuple[int, int], text: int | None = None) -> None:
        self.line = min(12, max(2, round(max(size) / 450)))
        self.text = text or max(11, round(max(size) / 48))
        self.border = 2 * self.line + 4
        self.height, self.width = size
        self.canvas = Image.new("RGBA", (self.width + 2 * self.border, self.height + 2 * self.border))

    def drawn(self) -> Bytes:
        """What was drawn: uint8 H×W×4."""
        inner = np.asarray(self.canvas)[self.border : -self.border, self.border : -self.border]
        return np.ascontiguousarray(inner)

    def region(self, mask: Bytes, at: tuple[int, int], number: int, tint: bool, lines: bool) -> None:
        """One region from its mask h×w (0 or 255), upper left corner at `at`; `number` picks the colour."""
        colour = COLOURS[number % len(COLOURS)]
        room = np.pad(mask, self.border)
        if tint:
            self._lay(colour, (room * TINT).astype(np.uint8), at)
        if lines:
            outlines, _ = cv2.findContours(room, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
            for ink, width in ((DARK, 2 * self.line), (colour, self.line)):
                drawn = np.zeros_like(room)
                cv2.polylines(drawn, outlines, True, 255, width, cv2.LINE_AA)
                self._lay(ink, drawn, at)

    def letter(self, box: tuple[int, int, int, int], number: int) -> None:
        """A badge above the upper left corner of a box (x, y, width, height), or inside it without room above."""
        name, font, gap = letter(number), ImageFont.load_default(self.text), 2 * self.line
        high = round(self.text * 1.4)
        wide = max(high, round(font.getlength(name) + self.text * 0.7))
        x = min(max(box[0] - self.line, 0), max(0, self.width - wide)) + self.border
        y = (box[1] - gap - high if box[1] - gap >= high else box[1] + gap) + self.border
        colour = COLOURS[number % len(COLOURS)]
        ink = DARK if sum(colour) > 330 else LIGHT
        draw = ImageDraw.Draw(self.canvas)
        draw.rounded_rectangle((x, y, x + wide, y + high), high // 5, colour, DARK, max(1, self.line // 2))
        draw.text((x + wide / 2, y + high / 2), name, ink, font, anchor="mm")

    def scale_bar(self, scale: float) -> None:
        """A bar of a round number of picture pixels, lower left; `scale` is canvas pixels a picture pixel."""
        length = _round_number(0.25 * self.width / scale)
        bar, font, words = max(1, round(length * scale)), ImageFont.load_default(self.text * 0.85), f"{length} px"
        pad, thick = self.text // 2, max(2, self.line)
        wide, high = round(max(bar, font.getlength(words))) + 2 * pad, round(self.text * 2.1)
        if wide + 2 * pad > self.width or high + 2 * pad > self.height:
            return
        x, y = self.border + pad, self.border + self.height - pad - high
        self._lay(DARK, np.full((high, wide), 170, np.uint8), (x, y))
        draw = ImageDraw.Draw(self.canvas)
        draw.text((x + pad, y + 0.72 * self.text), words, LIGHT, font, anchor="lm")
        foot = y + high - pad
        draw.rectangle((x + pad, foot - thick, x + pad + bar - 1, foot - 1), LIGHT)

    def _lay(self, colour: tuple[int, int, int], alpha: Bytes, at: tuple[int, int]) -> None:
        """A flat colour of this alpha h×w, upper left corner at `at` on the bordered canvas."""
        tile = np.empty((*alpha.shape, 4), np.uint8)
        tile[..., :3], tile[..., 3] = colour, alpha
        self.canvas.alpha_composite(Image.fromarray(tile), at)


def _round_number(length: float) -> int:
    """The largest of 1, 2, 5, 10, 20, 50, … that is not above `length`, at least 1."""
    best = step = 1
    while step <= length:
        best = max(n for n in (step, 2 * step, 5 * step) if n <= length)
        step *= 10
    return best
