"""The nouns of ifdl, and nothing else.

Every room speaks these frozen dataclasses; the versioned JSON schema of a report is derived from
them (`ifdl.report.json`). Coordinates are always *stored* pixels, (x, y) from the top-left corner of
the first stored row; arrays are indexed [row, column] = [y, x]. Fields that hold arrays or file
bytes stay in memory and never reach the JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, GetPydanticSchema
from pydantic_core import core_schema

AsIs = GetPydanticSchema(lambda _source, _handler: core_schema.any_schema())
InMemory = Field(exclude=True)
Pixels = Annotated[NDArray[np.uint8], AsIs, InMemory]
Levels = Annotated[NDArray[np.uint16], AsIs, InMemory]
Mask = Annotated[NDArray[np.bool_] | None, AsIs, InMemory]
Number = bool | int | float | str


class State(StrEnum):
    """What became of a question or a test. There is no state that means authentic."""

    SUPPORTED = "SUPPORTED"
    INCONCLUSIVE = "INCONCLUSIVE"
    NO_TRACE_FOUND = "NO_TRACE_FOUND"
    OUT_OF_DOMAIN = "OUT_OF_DOMAIN"
    NOT_RUN = "NOT_RUN"
    FAILED = "FAILED"


class Question(StrEnum):
    """The four questions; SUPPORTED always refers to the proposition in `PROPOSITIONS`."""

    HISTORY = "history"
    LOCAL_EDIT = "local_edit"
    SYNTHETIC_ORIGIN = "synthetic_origin"
    CLAIMS = "claims"


PROPOSITIONS: dict[Question, tuple[str, str]] = {
    Question.HISTORY: (
        "the file was processed or re-saved after capture",
        "the file is as the capturing device first wrote it",
    ),
    Question.LOCAL_EDIT: (
        "some region has another origin than the rest",
        "every region has the same origin",
    ),
    Question.SYNTHETIC_ORIGIN: (
        "the picture was made or filled by a generator",
        "no generator took part in making the picture",
    ),
    Question.CLAIMS: (
        "a statement in the file contradicts another fact",
        "the statements in the file agree with the other facts",
    ),
}


class Word(StrEnum):
    """Verbal scale of likelihood ratios (ENFSI 2015); `ESTABLISHED` marks a fact and carries no ratio."""

    WEAK = "weak"
    MODERATE = "moderate"
    MODERATELY_STRONG = "moderately strong"
    STRONG = "strong"
    VERY_STRONG = "very strong"
    ESTABLISHED = "established"


# ---------------------------------------------------------------- a picture


@dataclass(frozen=True)
class SubImage:
    """Another image inside the same file, listed but not analysed.

    `kind` is thumbnail, preview, mpo_picture, gain_map, frame, page or appended_picture; `offset` and
    `bytes` place it in the file where that is known.
    """

    kind: str
    width: int | None = None
    height: int | None = None
    offset: int | None = None
    bytes: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Container:
    """How the file is built, independent of what its pixels show.

    `quantisation` holds the JPEG tables in row-major (not zigzag) order, 64 numbers each, by table id;
    `component_tables` says which table each colour component uses; `markers` is the JPEG marker
    sequence before the first scan, with the identifier of application segments ("APP1:Exif").
    """

    quantisation: dict[int, tuple[int, ...]] = field(default_factory=dict)
    component_tables: tuple[int, ...] = ()
    subsampling: str | None = None
    progressive: bool = False
    markers: tuple[str, ...] = ()
    sub_images: tuple[SubImage, ...] = ()
    trailing_bytes: int = 0
    trailing_kind: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class MetadataEntry:
    """One statement of the file about itself. `group` is EXIF, GPS, XMP, IPTC, PNG, JPEG or GIF."""

    group: str
    name: str
    value: str
    private: bool = False


@dataclass(frozen=True)
class Metadata:
    """All statements found, in file order. Hostile text: escape it wherever it is shown."""

    entries: tuple[MetadataEntry, ...] = ()
    warnings: tuple[str, ...] = ()

    def get(self, group: str, name: str) -> str | None:
        """Value of the first entry with that group and name, or None."""
        return next((e.value for e in self.entries if e.group == group and e.name == name), None)

    def all(self, *names: str) -> tuple[str, ...]:
        """Values of every entry with one of these names, whatever its group."""
        return tuple(e.value for e in self.entries if e.name in names)


@dataclass(frozen=True)
class Item:
    """Everything known of the examined file but its pixels.

    `width` and `height` are stored pixels; `orientation` is the EXIF code 1-8 that turns them into
    what a viewer shows; `mode` and `bit_depth` are as stored; `conversion` lists every step from the
    stored samples to the 8-bit RGB that the clues measure; `transparent` is the share of pixels that
    are not opaque, None without an alpha channel.
    """

    name: str
    sha256: str
    sha512: str
    bytes: int
    format: str
    media_type: str
    width: int
    height: int
    orientation: int = 1
    mode: str = "RGB"
    bit_depth: int = 8
    conversion: tuple[str, ...] = ()
    transparent: float | None = None
    icc_profile: str | None = None
    decoder: str = ""
    container: Container = field(default_factory=Container)
    metadata: Metadata = field(default_factory=Metadata)


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture: `pixels` uint8 H×W×3 RGB in stored orientation, the file's own bytes, its facts."""

    pixels: Pixels
    item: Item
    data: Annotated[bytes, AsIs, InMemory] = field(default=b"", repr=False)

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])


@dataclass(frozen=True, eq=False)
class Clip:
    """A video: frames as Pictures, `times` in seconds from its start."""

    frames: tuple[Picture, ...]
    times: tuple[float, ...]


# ---------------------------------------------------------------- places


@dataclass(frozen=True)
class Rle:
    """A mask as COCO run-length encoding: column-major runs, `size` = (height, width), compressed `counts`."""

    size: tuple[int, int]
    counts: str


@dataclass(frozen=True)
class Region:
    """A part of the picture. `box` is (x, y, width, height); `area` its mask's share of the picture, 0-1.

    `position` says where it lies *as displayed* ("lower left"), for a reader who sees the picture the
    right way up.
    """

    box: tuple[int, int, int, int]
    area: float
    position: str
    mask: Rle | None = None
    polygon: tuple[tuple[int, int], ...] | None = None
    name: str | None = None
    id: str = ""


@dataclass(frozen=True, eq=False)
class Map:
    """A heat or reliability map kept small: uint16 levels (0-65535 stand for 0-1) on a grid.

    Cell [r, c] covers the stored pixels from (x, y) = (origin[0] + c·stride, origin[1] + r·stride),
    `stride` pixels wide and high. `size` is the picture's (height, width). Where `valid` is False the
    map says nothing; None means valid everywhere the grid reaches.
    """

    values: Levels
    size: tuple[int, int]
    stride: int = 1
    origin: tuple[int, int] = (0, 0)
    valid: Mask = None

    @classmethod
    def of(
        cls,
        heat: NDArray[Any],
        size: tuple[int, int],
        stride: int = 1,
        origin: tuple[int, int] = (0, 0),
        valid: NDArray[np.bool_] | None = None,
    ) -> Map:
        """From a float array in [0, 1] (values outside are clipped, NaN becomes invalid zero)."""
        finite = np.isfinite(heat)
        levels = np.rint(np.clip(np.where(finite, heat, 0.0), 0.0, 1.0) * 65535.0).astype(np.uint16)
        known = valid if finite.all() else (finite if valid is None else valid & finite)
        return cls(levels, size, stride, origin, known)

    def at_full_size(self) -> NDArray[np.uint16]:
        """uint16 H×W in stored pixels, nearest cell; 0 where the grid does not reach or is not valid."""
        height, width = self.size
        levels = self.values if self.valid is None else np.where(self.valid, self.values, np.uint16(0))
        rows = (np.arange(height) - self.origin[1]) // self.stride
        cols = (np.arange(width) - self.origin[0]) // self.stride
        inside_rows = (rows >= 0) & (rows < levels.shape[0])
        inside_cols = (cols >= 0) & (cols < levels.shape[1])
        full = np.zeros((height, width), np.uint16)
        full[np.ix_(inside_rows, inside_cols)] = levels[np.ix_(rows[inside_rows], cols[inside_cols])]
        return full


# ---------------------------------------------------------------- evidence and verdict


@dataclass(frozen=True)
class Innocent:
    """A harmless cause of the same trace, and how a reader can check for it."""

    cause: str
    check: str


@dataclass(frozen=True)
class FalseAlarms:
    """Measured false alarms of a clue: `alarms` of `photographs` independent photographs (sources).

    `upper` is the one-sided 95 % Clopper-Pearson bound of the rate. `measured` False means the set
    cannot show it, and `note` says why.
    """

    data: str
    alarms: int = 0
    photographs: int = 0
    upper: float = 1.0
    measured: bool = True
    note: str = ""


@dataclass(frozen=True)
class Card:
    """What a clue, expert, set or engine is, cites, needs, may be used for, and cannot do."""

    id: str
    title: str
    questions: tuple[Question, ...] = ()
    version: str = "1"
    citation: str = ""
    url: str = ""
    domain: str = ""
    threshold: str = ""
    false_alarms: FalseAlarms | None = None
    look_for: str = ""
    ignore: str = ""
    limits: tuple[str, ...] = ()
    experimental: bool = False
    licence: str = "Apache-2.0"


@dataclass(frozen=True)
class Likeness:
    """Two places of a picture that repeat each other: masks of the whole picture, at any one size.

    `agreement` (0-1) says how well; it need not reach the threshold of the test that found them.
    """

    ends: tuple[Rle, Rle]
    agreement: float


@dataclass(frozen=True, eq=False)
class Finding:
    """One clue's result for one question.

    `strength` in [0, 1] orders findings of the same clue and is not a probability. `map` is the
    statistic before thresholding. `established` marks a deterministic fact. `numbers` hold whatever
    the sentence quotes, so that no sentence rests on nothing. `alike` is for other tests, and in memory only.
    """

    clue: str
    question: Question
    state: State
    sentence: str
    strength: float = 0.0
    established: bool = False
    map: Map | None = None
    regions: tuple[Region, ...] = ()
    numbers: dict[str, Number] = field(default_factory=dict)
    innocent: tuple[Innocent, ...] = ()
    citation: str = ""
    experimental: bool = False
    id: str = ""
    alike: Annotated[tuple[Likeness, ...], InMemory] = field(default=(), repr=False)


@dataclass(frozen=True, eq=False)
class Prediction:
    """A trained expert's result; `probabilities` by class (authentic, edited, synthetic).

    `score` in [0, 1] is of the whole picture, higher where it is more likely edited; None where there is only a map.
    The classes' shares stay in memory: uncalibrated, they would be read as a verdict.
    """

    expert: str
    heat: Map
    reliability: Map | None = None
    probabilities: Annotated[dict[str, float], InMemory] = field(default_factory=dict)
    regions: tuple[Region, ...] = ()
    weights_sha256: str = ""
    score: float | None = None


@dataclass(frozen=True)
class Answer:
    """The answer to one question: `state` and, if SUPPORTED, a graded `word` and why it is not stronger.

    `log10_ratio` is the calibrated, capped likelihood ratio of everything that ran, None without calibration.
    """

    question: Question
    state: State
    word: Word | None
    sentence: str
    cap: str = ""
    findings: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    log10_ratio: float | None = None

    @property
    def proposition(self) -> str:
        return PROPOSITIONS[self.question][0]


@dataclass(frozen=True)
class Coverage:
    """One row of the coverage table: what became of one test, and why."""

    test: str
    title: str
    questions: tuple[Question, ...]
    state: State
    reason: str


@dataclass(frozen=True, eq=False)
class Verdict:
    """Four answers, the regions they point at, what ran, and what they rest on.

    `map` is one of all tests on local edits together, where an expert ran.
    """

    answers: tuple[Answer, ...]
    regions: tuple[Region, ...]
    coverage: tuple[Coverage, ...]
    findings: tuple[Finding, ...]
    predictions: tuple[Prediction, ...] = ()
    map: Annotated[Map | None, InMemory] = None

    def answer(self, question: Question | str) -> Answer:
        """The answer to one of the four questions."""
        return next(a for a in self.answers if a.question == question)


@dataclass(frozen=True)
class Sentence:
    """One sentence of an explanation and the ids of the findings and regions it rests on."""

    text: str
    findings: tuple[str, ...]
    regions: tuple[str, ...] = ()
    question: Question | None = None
    kind: str = "finding"


@dataclass(frozen=True)
class Explanation:
    """Words about a verdict; every sentence names what it rests on."""

    explainer: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True)
class Environment:
    """What produced a report: versions, clues and weights. `pipeline` hashes all that can move a number."""

    ifdl: str
    python: str
    libraries: dict[str, str]
    clues: dict[str, str]
    weights: dict[str, str]
    pipeline: str


@dataclass(frozen=True)
class Event:
    """One entry of the custody log; `previous` is the hash of the entry before, so none can be dropped."""

    at: str
    what: str
    sha256: str
    previous: str


@dataclass(frozen=True)
class Run:
    """All that differs between two runs on the same file: times, dates, and the custody log."""

    started: str
    seconds: dict[str, float]
    custody: tuple[Event, ...]


@dataclass(frozen=True, eq=False)
class Report:
    """Everything a reader needs to follow and repeat the examination. `run` alone changes on a re-run."""

    schema_version: str
    item: Item
    verdict: Verdict
    explanation: Explanation
    environment: Environment
    not_claimed: tuple[str, ...]
    redacted: bool
    run: Run
    picture: Annotated[Picture | None, AsIs, InMemory] = field(default=None, repr=False)


# ---------------------------------------------------------------- training and evaluation


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of how a picture came to be.

    `mask` bool H×W marks edited pixels; None means unknown, all False means authentic. `label` is
    authentic, edited or synthetic; `degree` an optional graded map; `editors` names which editor
    worked where; `steps` the edits in order; `words` what was done in words.
    """

    label: str
    mask: Mask = None
    degree: Map | None = None
    editors: dict[str, Region] = field(default_factory=dict)
    steps: tuple[str, ...] = ()
    words: str = ""


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture, or where to find it, with its Truth, the photograph it comes from, and its terms."""

    picture: Picture | str
    truth: Truth
    source: str
    licence: str
