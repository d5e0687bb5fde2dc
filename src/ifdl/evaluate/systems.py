"""What can be evaluated: a clue, the fused verdict, an expert, saved maps, or a stranger's command.

Each is a callable from a picture to an `Output`, with an identity by which predictions are cached. Higher
scores mean "more likely edited". Maps are on the stored pixels, however they were computed.
"""

from __future__ import annotations

import hashlib
import json
import math
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

import ifdl
from ifdl import evidence, experts, joint, spine
from ifdl.evaluate import maps
from ifdl.experts.ifdl_small import IfdlSmall
from ifdl.signal.regions import mask_of
from ifdl.types import Finding, Map, Picture, Prediction, Question, State
from ifdl.verdict import battery
from ifdl.verdict.fuse import PRECEDENCE

# Rooms whose code can move a system's numbers, beside its stated version.
CLUE_ROOMS = ("signal", "intake", "evidence")
EXPERT_ROOMS = ("signal", "intake", "nets", "experts", "weights")
ROOMS = (*CLUE_ROOMS, "nets", "experts", "verdict", "weights")
SAID = {"authentic": State.NO_TRACE_FOUND, "edited": State.SUPPORTED, "synthetic": State.NO_TRACE_FOUND}


class SystemFailed(RuntimeError):
    """A system could not answer for one picture; the message says why."""


@dataclass(frozen=True, eq=False)
class Output:
    """What a system said of one picture.

    `heat` may be None where it has no map. `marked` bool H×W are the pixels it marks itself; None leaves
    that to a threshold on the map. `score` is of the whole picture; `state` its answer to whether some
    region has another origin; `said` the class it names, None if it names none. `parts` are the outputs of
    the clues that a verdict rests on, so that they need not run again to be scored alone.
    """

    state: State
    score: float | None = None
    heat: Map | None = None
    marked: NDArray[np.bool_] | None = None
    said: str | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    parts: dict[str, Output] = field(default_factory=dict)


class System(Protocol):
    """A named system. `threshold` (0-1) is its shipped one, None where it marks regions itself."""

    name: str
    kind: str
    version: str
    weights_sha256: str
    threshold: float | None
    identity: str

    def __call__(self, picture: Picture) -> Output:
        """Raises SystemFailed for a picture it cannot answer for."""


@dataclass(frozen=True)
class Named:
    """A system made of a function and what has to be known about it."""

    name: str
    kind: str
    version: str
    identity: str
    run: Callable[[Picture], Output]
    threshold: float | None = None
    weights_sha256: str = ""

    def __call__(self, picture: Picture) -> Output:
        return self.run(picture)


@dataclass(frozen=True)
class Spec:
    """What to build a system from; plain words, so that worker processes can each build their own.

    `kind` is clue, verdict, expert, maps or command; `what` its name, folder or command line.
    """

    kind: str
    what: str = ""
    threshold: float = 0.5
    scores: str | None = None
    name: str | None = None

    def build(self) -> Named:
        """The system. Raises KeyError, ValueError or FileNotFoundError that says what is wrong."""
        if self.kind == "clue":
            return clue(self.what)
        if self.kind == "verdict":
            return verdict()
        if self.kind == "expert":
            return expert(self.what)
        if self.kind == "maps":
            scores = Path(self.scores) if self.scores else None
            return saved(Path(self.what), self.threshold, scores, self.name)
        if self.kind == "command":
            return command(self.what, self.threshold, name=self.name)
        raise ValueError(f"{self.kind!r} is no kind of system")


# ---------------------------------------------------------------- ours


def clue(name: str) -> Named:
    """One clue's finding on local edits. Raises KeyError for an unknown clue, ValueError for one without such a say."""
    card = evidence.load(name).CARD
    if Question.LOCAL_EDIT not in card.questions:
        raise ValueError(f"{name} does not answer whether a region was edited, so there is nothing to score")

    def run(picture: Picture) -> Output:
        return _of_findings([f for f in evidence.run(name, picture) if f.question == Question.LOCAL_EDIT], picture)

    return Named(name, "clue", card.version, _identity("clue", name, card.version, code(CLUE_ROOMS)), run)


def verdict() -> Named:
    """The fused answer on local edits, as `ifdl examine` gives it; its map is thresholded whatever the answer.

    Experimental tests, which count for nothing, are left out.
    """
    tests = [t for t in battery.names() if not battery.card(t).experimental]

    def run(picture: Picture) -> Output:
        found = spine.examine_picture(picture, clues=tests).verdict
        answer = found.answer(Question.LOCAL_EDIT)
        own = [f for f in found.findings if f.question == Question.LOCAL_EDIT and not f.experimental]
        fused = _of_findings(own, picture)
        marked = mask_of(found.regions if answer.state == State.SUPPORTED else (), (picture.height, picture.width))
        parts = {}
        predictions = {p.expert: p for p in found.predictions}
        for name in dict.fromkeys(f.clue for f in own if f.clue not in joint.names()):
            said = [f for f in own if f.clue == name]
            with suppress(SystemFailed):
                known = predictions.get(name)
                parts[name] = _of_findings(said, picture) if known is None else _of_prediction(known, said)
        score = fused.score if answer.log10_ratio is None else answer.log10_ratio
        if found.map is not None:
            return Output(answer.state, score, found.map, reason=answer.sentence, parts=parts)
        return Output(answer.state, score, fused.heat, marked, reason=answer.sentence, parts=parts)

    identity = _identity("verdict", ifdl.__version__, code())
    return Named("verdict", "verdict", ifdl.__version__, identity, run, IfdlSmall.THRESHOLD)


def expert(name: str) -> Named:
    """A trained expert, with its own score and gate; its map is thresholded whether it speaks or not."""
    chosen = experts.load(name)

    def run(picture: Picture) -> Output:
        prediction = chosen.predict(picture)
        return _of_prediction(prediction, chosen.findings(prediction, picture))

    weights = chosen.weights_sha256
    identity = _identity("expert", name, chosen.CARD.version, weights, code(EXPERT_ROOMS))
    return Named(name, "expert", chosen.CARD.version, identity, run, chosen.THRESHOLD, weights)


def part(name: str) -> Named:
    """A clue or an expert by its name, as the verdict runs them all."""
    return expert(name) if name in experts.names() else clue(name)


def _of_prediction(prediction: Prediction, findings: list[Finding]) -> Output:
    """An expert's prediction and its findings as one output; whoever scores it thresholds the map.

    It says "edited" where it passes its gate, whatever its likeliest class; a likeliest class of synthetic stays.
    """
    shares = prediction.probabilities
    local = next(f for f in findings if f.question == Question.LOCAL_EDIT)
    likeliest = max(shares, key=lambda k: shares[k]) if shares else None
    said = likeliest if likeliest == "synthetic" else "edited" if local.state == State.SUPPORTED else "authentic"
    return Output(local.state, local.strength, prediction.heat, None, said, dict(shares), local.sentence)


def _of_findings(findings: list[Finding], picture: Picture) -> Output:
    """Findings of one question as one output; the map is the highest of all, those above threshold above the others."""
    if not findings:
        return Output(State.NOT_RUN, reason="no clue had a say")
    state = next(s for s in PRECEDENCE if any(f.state == s for f in findings))
    if state == State.FAILED:
        raise SystemFailed("; ".join(f.sentence for f in findings if f.state == state))
    size = (picture.height, picture.width)
    levels = np.zeros(size, np.uint16)
    for finding in findings:
        if finding.map is not None:
            own = finding.map.at_full_size()
            # A clue below its threshold may order pixels, but never outbid one above it.
            levels = np.maximum(levels, own // 2 + (32768 if finding.state == State.SUPPORTED else 0) * (own > 0))
    held = [f for f in findings if f.state == State.SUPPORTED]
    marked = mask_of(tuple(r for f in held for r in f.regions), size)
    if not any(f.map is not None for f in findings):
        levels = marked.astype(np.uint16) * 65535
    said = max(findings, key=lambda f: (f.state == state, f.strength))
    heat = Map(levels.astype(np.uint16), size)
    return Output(state, max(f.strength for f in findings), heat, marked, reason=said.sentence)


# ---------------------------------------------------------------- strangers'


def saved(folder: Path, threshold: float = 0.5, scores: Path | None = None, name: str | None = None) -> Named:
    """Maps saved by anybody, found by the picture's path in its set, or its name, without extension: npy, npz, png.

    `scores` is a JSON object from picture name to score; without it a map's score is the mean of its
    highest two per cent. Raises FileNotFoundError for a missing folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder of maps at {folder}")
    given = json.loads(scores.read_text(encoding="utf-8")) if scores else {}
    found = maps.index(folder)

    def run(picture: Picture) -> Output:
        name = picture.item.name
        path = maps.of(name, found)
        if path is None:
            raise SystemFailed(f"{folder} holds no map called {Path(name).stem}.npy, .npz or .png, or several")
        score = next((given[key] for key in (name, Path(name).name, Path(name).stem) if key in given), None)
        return _of_map(path, picture, threshold, score)

    own = name or folder.name
    stamp = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(found.values())]
    return Named(own, "maps", "", _identity("maps", str(folder.resolve()), stamp), run, threshold)


def command(line: str, threshold: float = 0.5, seconds: float = 600.0, name: str | None = None) -> Named:
    """A program run once a picture, without a shell: "python infer.py {image} {out}".

    It is given a file to read and a folder to write into: one map (npy, npz, png), and, if it likes, a
    `score.json` with "score" (0-1) and "class". Raises ValueError for a line without both places.
    """
    words = shlex.split(line)
    if not any("{image}" in w for w in words) or not any("{out}" in w for w in words):
        raise ValueError('a command needs both places: --command "python infer.py {image} {out}"')

    def run(picture: Picture) -> Output:
        with tempfile.TemporaryDirectory(prefix="ifdl-") as place:
            image, out = Path(place) / "in" / (Path(picture.item.name).name or "picture"), Path(place) / "out"
            image.parent.mkdir()
            out.mkdir()
            image.write_bytes(picture.data)
            filled = [w.replace("{image}", str(image)).replace("{out}", str(out)) for w in words]
            try:
                done = subprocess.run(filled, capture_output=True, timeout=seconds, check=False)
            except subprocess.TimeoutExpired as error:
                raise SystemFailed(f"the command took longer than {seconds:g} s") from error
            except OSError as error:
                raise SystemFailed(f"the command did not start: {error}") from error
            if done.returncode:
                last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it wrote no message"]
                raise SystemFailed(f"the command ended with code {done.returncode}: {last[0][:300]}")
            written = sorted(maps.index(out).values())
            if len(written) != 1:
                raise SystemFailed(f"the command wrote {len(written)} maps; one .npy, .npz or .png is expected")
            about = out / "score.json"
            said = json.loads(about.read_text(encoding="utf-8")) if about.is_file() else {}
            return _of_map(written[0], picture, threshold, said.get("score"), said.get("class"))

    return Named(name or Path(words[0]).name, "command", "", _identity("command", line), run, threshold)


def _of_map(path: Path, picture: Picture, threshold: float, score: float | None, said: str | None = None) -> Output:
    size = (picture.height, picture.width)
    try:
        levels = maps.read(path)
    except ValueError as error:
        raise SystemFailed(str(error)) from error
    if levels.shape != size:
        raise SystemFailed(f"{path.name} is {levels.shape[1]}×{levels.shape[0]}, the picture {size[1]}×{size[0]}")
    if said is not None and said not in SAID:
        raise SystemFailed(f"it names the class {said!r}; there are {', '.join(SAID)}")
    try:
        value = maps.score(levels) if score is None else float(score)
    except (TypeError, ValueError) as error:
        raise SystemFailed(f"its score {score!r} is no number") from error
    if not math.isfinite(value):
        raise SystemFailed(f"its score {value} is no finite number")
    state = SAID["edited" if value >= threshold else "authentic"] if said is None else SAID[said]
    return Output(state, value, Map(levels, size), None, said)


# ---------------------------------------------------------------- identity


def _identity(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()


@cache
def code(rooms: tuple[str, ...] = ROOMS) -> str:
    """Hash of all code that our own systems run, so that no prediction outlives the code that made it."""
    root = Path(ifdl.__file__).parent
    found = sorted(p for room in rooms for p in (root / room).rglob("*") if p.suffix in (".py", ".json", ".onnx"))
    digest = hashlib.sha256()
    for path in (*found, root / "spine.py"):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
