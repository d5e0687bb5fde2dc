"""Pages to forge text on: a receipt, a bill, a label, a form or a letter, drawn and then seen as by a phone or scanner.

A page is laid out and drawn upright in page coordinates, then placed in the picture by one homography (tilt,
slant, narrow or wide type), under the light of the host photograph; sometimes it lies on the host as on a
table. What a forger would have to work out, where each word stands and how it was printed, is kept with it.
The type is Pillow's own (Aileron), so that every machine draws the same page.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ifdl.forge.record import Pixels

Rng = np.random.Generator
Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]
Box = tuple[float, float, float, float]

SIZES = (9, 10, 11, 12, 13, 14, 16, 18, 20, 22, 25, 28, 32, 36, 42, 48, 56, 64)
KINDS = ("receipt", "bill", "label", "form", "letter", "table")
SHOPS = ("Corner Store", "Harbour Books", "Green Grocer", "Station Cafe", "North Bakery", "Mill Pharmacy", "City Hardware",
         "Old Town Deli", "Riverside Bikes", "Garden Centre")  # fmt: skip
ITEMS = ("Bread", "Milk 1 l", "Coffee", "Apples", "Notebook", "Batteries", "Olive oil", "Soap", "Paper A4", "Pencils", "Tea",
         "Rice 500 g", "Light bulb", "Stamps", "Cheese", "Screws", "Honey", "Socks", "Ticket", "Repair")  # fmt: skip
NAMES = ("Anna Keller", "James Ward", "Maria Lopes", "Tom Fischer", "Lena Novak", "David Shaw", "Irene Costa", "Paul Moreau",
         "Nina Berg", "Oscar Lind", "Clara Hughes", "Peter Walsh")  # fmt: skip
STREETS = ("Mill Lane", "High Street", "Station Road", "Park Avenue", "Bridge Street", "Church Hill")
PROSE = ("we confirm that the amount of the account was received on the date given above and that no further payment is due "
         "before the end of the term please keep this letter with your records and quote the reference number in any reply "
         "the work was inspected by our office and found to be complete the deposit will be returned within the period agreed "
         "your contract begins in the month shown and runs for one year unless either side ends it in writing").split()  # fmt: skip


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


@dataclass(frozen=True, eq=False)
class Page:
    """A finished picture of a page. `ink` uint8 H×W is how much of each pixel is printed on; `matrix` takes
    page to picture coordinates; `density` and `softness` (sigma, pixels) are those of the print; `gaps` are
    blank places (left end of the baseline, type size) where a line would fit."""

    pixels: Pixels
    kind: str
    words: tuple[Word, ...]
    gaps: tuple[tuple[float, float, int], ...]
    matrix: Matrix
    ink: NDArray[np.uint8]
    colour: tuple[float, float, float]
    density: float
    softness: float
    noise: float

    @property
    def coarse(self) -> int:
        """The usual type size in pixels."""
        return int(np.median([w.size for w in self.words]))


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
        pen.text((word.x, word.y), word.text, 255, font_of(word.size), anchor="ls", stroke_width=0.35 if word.bold else 0)
    return canvas


def page(host: Pixels, rng: Rng) -> Page:
    """A page in the light of the host photograph, of the host's size."""
    height, width = host.shape[:2]
    on_table = bool(rng.random() < 0.35)
    cover = float(rng.uniform(0.72, 0.9)) if on_table else 1.08
    # Narrow or wide type and a slant are part of the placing, so that one drawing serves all.
    stretch, slant = float(rng.uniform(0.82, 1.12)), float(rng.choice((0.0, 0.0, 0.0, 0.12, 0.2)))
    size = (int(height * cover), int(width * cover / stretch))
    kind = str(rng.choice(KINDS))
    layout = _Layout(size, rng, 0.0 if on_table else 0.06)
    layout.fill(kind)
    matrix = _placing(size, (height, width), stretch, slant if not on_table else 0.0, rng)
    canvas = np.asarray(draw(layout.words, size)).copy()
    for x, y, w, h in layout.bars:
        canvas[max(0, y) : y + h, max(0, x) : x + w] = 255
    softness = float(rng.uniform(0.3, 0.75)) * (1.0 if layout.size < 16 else 1.4)
    ink = cv2.GaussianBlur(cv2.warpPerspective(canvas, matrix, (width, height), flags=cv2.INTER_LINEAR), (0, 0), softness)
    density = float(rng.uniform(0.75, 1.0))
    colour = _INKS[int(rng.integers(len(_INKS)))]
    noise = float(rng.uniform(0.8, 3.2))
    pixels = _seen(host, ink, matrix if on_table else None, size, colour, density, noise, rng)
    return Page(pixels, kind, tuple(layout.words), tuple(layout.gaps), matrix, ink, colour, density, softness, noise)


_INKS = ((28.0, 28.0, 32.0), (45.0, 44.0, 46.0), (70.0, 68.0, 72.0), (30.0, 36.0, 84.0), (64.0, 40.0, 36.0))
_PAPERS = ((250, 249, 246), (244, 243, 240), (247, 240, 224), (232, 238, 246), (246, 226, 206), (240, 232, 140), (226, 240, 224))


def _placing(size: tuple[int, int], frame: tuple[int, int], stretch: float, slant: float, rng: Rng) -> Matrix:
    """Page to picture: stretched, slanted, turned by up to a few degrees, seen slightly from the side, centred."""
    turn = float(np.radians(np.clip(rng.normal(0, 1.6), -4, 4)))
    c, s = np.cos(turn), np.sin(turn)
    to_middle = np.array([[1, 0, -size[1] / 2], [0, 1, -size[0] / 2], [0, 0, 1.0]])
    form = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[stretch, -slant, 0], [0, 1, 0], [0, 0, 1.0]])
    tilt = np.eye(3)
    tilt[2, :2] = rng.normal(0, 0.03, 2) / max(frame)
    back = np.array([[1, 0, frame[1] / 2], [0, 1, frame[0] / 2], [0, 0, 1.0]])
    return np.asarray(back @ tilt @ form @ to_middle, np.float64)


def _seen(
    host: Pixels, ink: NDArray[np.uint8], sheet: Matrix | None, size: tuple[int, int], colour: tuple[float, float, float],
    density: float, noise: float, rng: Rng,
) -> Pixels:  # fmt: skip
    """Paper, ink, light and sensor noise together, saved once as JPEG: the picture before any edit."""
    height, width = host.shape[:2]
    # The host's light without its things: eight by eight means, flattened, smoothly enlarged.
    coarse = cv2.GaussianBlur(cv2.resize(host, (8, 8), interpolation=cv2.INTER_AREA).astype(np.float32) + 8, (0, 0), 1.2)
    coarse = (coarse / coarse.mean()) ** 0.3
    coarse = np.clip(0.4 * coarse + 0.6 * coarse.mean(axis=2, keepdims=True), 0.7, 1.2) * float(rng.uniform(0.78, 0.98))
    light = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    grain = rng.standard_normal((height // 3 + 1, width // 3 + 1), dtype=np.float32) * float(rng.uniform(0.3, 1.6))
    paper = np.array(_PAPERS[int(rng.integers(len(_PAPERS)))], np.float32)
    tone = cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)[..., None] + paper
    cover = ink.astype(np.float32)[..., None] * np.float32(density / 255)
    picture = (tone + (np.array(colour, np.float32) - tone) * cover) * light
    if sheet is not None:
        alpha = cv2.warpPerspective(np.full(size, 255, np.uint8), sheet, (width, height), flags=cv2.INTER_LINEAR)
        alpha = cv2.GaussianBlur(alpha, (0, 0), 0.6)
        reach = max(2, min(height, width) // 40)
        fall = cv2.GaussianBlur(cv2.warpAffine(alpha, np.float32([[1, 0, reach], [0, 1, reach]]), (width, height)), (0, 0), reach)
        table = host * (1 - fall.astype(np.float32)[..., None] * np.float32(0.45 / 255))
        picture = table + (picture - table) * (alpha.astype(np.float32)[..., None] * np.float32(1 / 255))
    static = cv2.GaussianBlur(rng.standard_normal(host.shape, dtype=np.float32), (0, 0), 0.55)
    picture += static * np.float32(noise * 1.4)
    whole = np.clip(picture + 0.5, 0, 255).astype(np.uint8)
    quality = int(rng.integers(78, 99))
    file = cv2.imencode(".jpg", cv2.cvtColor(whole, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR_RGB), np.uint8)


class _Layout:
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
        getattr(self, f"_{kind}")()

    # ---- building blocks

    def room(self, lines: float = 1) -> bool:
        return self.y + (lines - 1) * self.pitch < self.bottom

    def put(self, text: str, place: str = "left", scale: float = 1.0, bold: bool = False, at: float | None = None) -> None:
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
            f"Net weight {self.rng.integers(2, 20) * 50} g", f"Best before {self.date()}", f"LOT L{self.digits(5)}",
            f"Price {self.amount(1, 60)}", f"Packed {self.date()}", f"Art. {self.digits(6)}", f"Energy {self.digits(3)} kJ",
        ]  # fmt: skip
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
            ("Name", self.pick(NAMES)), ("Born", self.date()), ("Number", f"{self.pick(('A', 'K', 'X'))}{self.digits(7)}"),
            ("Issued", self.date()), ("Valid to", self.date()), ("Street", f"{self.pick(STREETS)} {self.rng.integers(1, 90)}"),
            ("Fee", self.amount(10, 300)), ("Points", f"{self.rng.integers(20, 100)} / 100"), ("Class", self.digits(2)),
            ("Phone", f"0{self.digits(3)} {self.digits(6)}"),
        ]  # fmt: skip
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
        start = int(self.rng.integers(len(PROSE)))
        while self.room(2):
            line: list[str] = []
            while True:
                chance = self.rng.random()
                word = self.amount() if chance < 0.06 else self.date() if chance < 0.1 else PROSE[start % len(PROSE)]
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
