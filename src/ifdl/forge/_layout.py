"""What stands on a page: the words of a receipt, a bill, a label, a form, a letter or a table, set line by line.

Page coordinates are pixels, (x, y) from the upper left corner, y down; words stand on their baseline. The type is
Pillow's own (Aileron), so that every machine draws the same page.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Rng = np.random.Generator
Box = tuple[float, float, float, float]

SIZES = (9, 10, 11, 12, 13, 14, 16, 18, 20, 22, 25, 28, 32, 36, 42, 48, 56, 64)
KINDS = ("receipt", "bill", "label", "form", "letter", "table")
SHOPS = (
    "Corner Store", "Harbour Books", "Green Grocer", "Station Cafe", "North Bakery", "Mill Pharmacy", "City Hardware",
    "Old Town Deli", "Riverside Bikes", "Garden Centre",
)  # fmt: skip
ITEMS = (
    "Bread", "Milk 1 l", "Coffee", "Apples", "Notebook", "Batteries", "Olive oil", "Soap", "Paper A4", "Pencils",
    "Tea", "Rice 500 g", "Light bulb", "Stamps", "Cheese", "Screws", "Honey", "Socks", "Ticket", "Repair",
)  # fmt: skip
NAMES = (
    "Anna Keller", "James Ward", "Maria Lopes", "Tom Fischer", "Lena Novak", "David Shaw", "Irene Costa",
    "Paul Moreau", "Nina Berg", "Oscar Lind", "Clara Hughes", "Peter Walsh",
)  # fmt: skip
STREETS = ("Mill Lane", "High Street", "Station Road", "Park Avenue", "Bridge Street", "Church Hill")
PROSE = (
    "we confirm that the amount of the account was received on the date given above and that no further payment is",
    "due before the end of the term please keep this letter with your records and quote the reference number in any",
    "reply the work was inspected by our office and found to be complete the deposit will be returned within the",
    "period agreed your contract begins in the month shown and runs for one year unless either side ends it in writing",
)


@dataclass(frozen=True)
class Word:
    """A word as printed: its left end and baseline (x, y) in page coordinates, and its type."""

    text: str
    x: float
    y: float
    size: int
    bold: bool = False

    def box(self, first: int = 0, last: int | None = None) -> Box:
        """(left, top, right, bottom) in page coordinates of the characters from `first` up to `last`."""
        left = self.x + width_of(self.text[:first], self.size)
        right = self.x + width_of(self.text[:last], self.size)
        return left, self.y - 0.78 * self.size, right, self.y + 0.24 * self.size


@cache
def font_of(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


@cache
def width_of(text: str, size: int) -> float:
    return float(font_of(size).getlength(text)) if text else 0.0


def size_near(size: float) -> int:
    """The size of type at hand that is nearest: few sizes are ever loaded."""
    return min(SIZES, key=lambda s: abs(s - size))


def draw(words: list[Word], size: tuple[int, int]) -> Image.Image:
    """The words on a blank canvas of (height, width) `size`, mode L: 255 where there is ink."""
    canvas = Image.new("L", (size[1], size[0]))
    pen = ImageDraw.Draw(canvas)
    for word in words:
        pen.text(
            (word.x, word.y), word.text, 255, font_of(word.size), anchor="ls", stroke_width=0.35 if word.bold else 0
        )
    return canvas


class Layout:
    """Lines of words from top to bottom of a page, until it is full."""

    def __init__(self, size: tuple[int, int], rng: Rng, bleed: float) -> None:
        self.height, self.width = size
        self.rng = rng
        self.size = size_near(float(np.clip(self.height / rng.uniform(9, 17) * 0.62, 10, 40)))
        self.pitch = self.size * float(rng.uniform(1.35, 1.7))
        self.margin = (0.05 + bleed + float(rng.uniform(0, 0.05))) * self.width
        self.y = (0.05 + bleed) * self.height + self.size * 1.2
        self.bottom = self.height * (0.96 - bleed)
        self.words: list[Word] = []
        self.gaps: list[tuple[float, float, int]] = []
        self.bars: list[tuple[int, int, int, int]] = []

    def fill(self, kind: str) -> None:
        """A whole page of one of `KINDS`."""
        makers = (self._receipt, self._bill, self._label, self._form, self._letter, self._table)
        makers[KINDS.index(kind)]()

    # ---- building blocks

    def room(self, lines: float = 1) -> bool:
        return self.y + (lines - 1) * self.pitch < self.bottom

    def put(
        self, text: str, place: str = "left", scale: float = 1.0, bold: bool = False, at: float | None = None
    ) -> None:
        """Words of one line; `place` is left, right (at the margin, or ending at `at`) or middle."""
        size = size_near(self.size * scale)
        while width_of(text, size) > self.width - 2 * self.margin and size > SIZES[0]:
            size = SIZES[SIZES.index(size) - 1]
        wide = width_of(text, size)
        x = self.margin if at is None else at
        if place == "right":
            x = (self.width - self.margin if at is None else at) - wide
        elif place == "middle":
            x = (self.width - wide) / 2
        for part in text.split(" "):
            if part:
                self.words.append(Word(part, x, self.y, size, bold))
            x += width_of(part + " ", size)

    def down(self, lines: float = 1.0) -> None:
        self.y += lines * self.pitch

    def rule(self) -> None:
        thick = max(1, self.size // 12)
        y, left = round(self.y - self.pitch * 0.45), round(self.margin)
        self.bars.append((left, y, round(self.width - 2 * self.margin), thick))
        self.down(0.6)

    def gap(self) -> None:
        """A blank line, where another could be put in."""
        if self.room():
            self.gaps.append((self.margin, self.y, self.size))
            self.down()

    def pick(self, words: tuple[str, ...]) -> str:
        return words[int(self.rng.integers(len(words)))]

    def amount(self, least: float = 1, most: float = 400) -> str:
        return f"{float(np.exp(self.rng.uniform(np.log(least), np.log(most)))):.2f}"

    def date(self) -> str:
        day, month, year = self.rng.integers((1, 1, 2015), (29, 13, 2027))
        return f"{day:02d}.{month:02d}.{year}" if self.rng.random() < 0.6 else f"{day:02d}/{month:02d}/{year}"

    def digits(self, count: int) -> str:
        return "".join(str(d) for d in self.rng.integers(0, 10, count))

    def items(self, spare: float, most: float) -> str:
        """Lines of goods and prices until only `spare` lines are left; their sum."""
        cents = 0
        counted = bool(self.rng.random() < 0.5)
        while not cents or self.room(spare):
            price = self.amount(1, most)
            cents += round(100 * float(price))
            self.put((f"{self.rng.integers(1, 9)} x " if counted else "") + self.pick(ITEMS))
            self.put(price, "right")
            self.down()
        return f"{cents / 100:.2f}"

    # ---- kinds of pages

    def _receipt(self) -> None:
        self.put(self.pick(SHOPS), "middle", 1.4, True)
        self.down(1.2)
        self.put(f"{self.rng.integers(1, 120)} {self.pick(STREETS)}", "middle", 0.85)
        self.down()
        self.put(self.date())
        self.put(f"{self.rng.integers(8, 21):02d}:{self.rng.integers(60):02d}", "right")
        self.down()
        self.rule()
        total = self.items(4.5, 60)
        if self.rng.random() < 0.5:
            self.gap()
        self.rule()
        self.put("TOTAL", bold=True, scale=1.15)
        self.put(total, "right", 1.15, True)
        self.down(1.2)
        if self.room():
            self.put(self.pick(("CARD", "CASH", "PAID")))
            self.put(self.digits(4), "right")

    def _bill(self) -> None:
        self.put(self.pick(("INVOICE", "BILL", "ORDER", "QUOTE")), scale=1.5, bold=True)
        self.put(f"No {self.digits(5)}", "right")
        self.down(1.3)
        self.put(self.pick(NAMES))
        self.put(self.date(), "right")
        self.down()
        self.put(f"{self.rng.integers(1, 120)} {self.pick(STREETS)}", scale=0.9)
        self.down()
        self.gap()
        self.rule()
        total = self.items(3.6, 900)
        self.rule()
        self.put("Total due", bold=True)
        self.put(total, "right", 1.1, True)
        self.down(1.1)
        if self.room():
            self.put(f"Account {self.digits(4)} {self.digits(4)} {self.digits(4)}", scale=0.85)

    def _label(self) -> None:
        self.size = size_near(self.size * 1.3)
        self.pitch *= 1.3
        self.put(self.pick(ITEMS).split(" ")[0].upper(), "middle", 1.5, True)
        self.down(1.3)
        self.put(self.pick(SHOPS), "middle", 0.8)
        self.down()
        lines = [
            f"Net weight {self.rng.integers(2, 20) * 50} g",
            f"Best before {self.date()}",
            f"LOT L{self.digits(5)}",
            f"Price {self.amount(1, 60)}",
            f"Packed {self.date()}",
            f"Art. {self.digits(6)}",
            f"Energy {self.rng.integers(100, 999)} kJ",
        ]
        for index in self.rng.permutation(len(lines)):
            if self.room(2.2):
                self.put(lines[index])
                self.down()
        if self.room(1.2):
            x, top = self.margin, round(self.y - 0.6 * self.size)
            tall = round(min(self.bottom - top, 2.2 * self.pitch))
            while x < self.width - self.margin:
                wide = int(self.rng.integers(1, 4)) * max(1, self.size // 10)
                self.bars.append((round(x), top, wide, tall))
                x += wide + int(self.rng.integers(1, 4)) * max(1, self.size // 10)

    def _form(self) -> None:
        self.put(self.pick(("CERTIFICATE", "MEMBER CARD", "PERMIT", "APPLICATION", "REPORT CARD")), "middle", 1.3, True)
        self.down(1.4)
        rows = [
            ("Name", self.pick(NAMES)),
            ("Born", self.date()),
            ("Number", f"{self.pick(('A', 'K', 'X'))}{self.digits(7)}"),
            ("Issued", self.date()),
            ("Valid to", self.date()),
            ("Street", f"{self.pick(STREETS)} {self.rng.integers(1, 90)}"),
            ("Fee", self.amount(10, 300)),
            ("Points", f"{self.rng.integers(20, 100)} / 100"),
            ("Class", str(self.rng.integers(1, 99))),
            ("Phone", f"0{self.digits(3)} {self.digits(6)}"),
        ]
        column = self.margin + width_of("Valid to ", self.size) * 1.3
        first = True
        for index in self.rng.permutation(len(rows)):
            if not self.room():
                break
            self.put(rows[index][0] + ":", scale=0.9)
            self.put(rows[index][1], at=column, bold=first)
            first = False
            self.down(1.1)
        self.gap()

    def _letter(self) -> None:
        self.put(self.pick(NAMES), bold=True)
        self.down()
        self.put(self.date(), "right")
        self.down(1.3)
        self.put(f"Ref. {self.digits(6)}")
        self.down(1.2)
        prose = " ".join(PROSE).split(" ")
        start = int(self.rng.integers(len(prose)))
        while self.room(2):
            line: list[str] = []
            while True:
                chance = self.rng.random()
                word = self.amount() if chance < 0.06 else self.date() if chance < 0.1 else prose[start % len(prose)]
                if width_of(" ".join([*line, word]), self.size) > self.width - 2 * self.margin:
                    break
                line.append(word)
                start += 1
            self.put(" ".join(line))
            self.down(0.95)
            if self.rng.random() < 0.12:
                self.gap()
        self.put(self.pick(NAMES))

    def _table(self) -> None:
        self.put(self.pick(("RESULTS", "TIMETABLE", "STOCK LIST", "MEASUREMENTS", "STATEMENT")), scale=1.3, bold=True)
        self.down(1.3)
        self.rule()
        first = self.margin + 0.34 * (self.width - 2 * self.margin)
        decimals = int(self.rng.integers(3))
        columns = int((self.width - self.margin - first) / width_of(f" {999:.{decimals}f} ", self.size))
        ends = np.linspace(first, self.width - self.margin, min(max(columns, 1), 4) + 1)[1:]
        while self.room():
            self.put(self.pick(ITEMS).split(" ")[0])
            for end in ends:
                self.put(f"{float(self.rng.uniform(10, 999)):.{decimals}f}", "right", at=float(end))
            self.down()
