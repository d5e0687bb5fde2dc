"""Measure the trace: is the original found, is the donor found, is anything proved that is not so, how well does it
outline what was changed.

    python benchmarks/trace.py threshold WORK          inliers of wrong pairs, on photographs that are not the test
    python benchmarks/trace.py run WORK [--distractors 5000] [--limit N]     one row a query, resumed where it stopped
    python benchmarks/trace.py pairs WORK              wrong pairs of every query
    python benchmarks/trace.py absent WORK [--limit N] pictures of which the gallery should hold nothing
    python benchmarks/trace.py scale WORK              bytes, seconds and recall of large indexes
    python benchmarks/trace.py summary WORK [--copy]   the numbers; --copy writes results/trace.json and docs/trace.md

Gallery: all authentic pictures of every set under ../shared/data. Queries: the edited pictures of casia1_dev, whose
host and donor are known, and composites of the test photographs made here (donor scaled 0.6-1.4, turned up to 15°,
half of them mirrored, region 0.5-20 %, JPEG 60-95). The two share a source where they show one photograph: only a pair
without a common source is wrong. Proof thresholds were chosen with `threshold`, on camera folds 0-7.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import trace_scale, trace_summary  # noqa: E402
from ifdl import intake  # noqa: E402
from ifdl.evidence.hashes import distance, phash  # noqa: E402
from ifdl.trace import candidates, features, near, prove, query  # noqa: E402
from ifdl.trace.index import Entry, Index  # noqa: E402
from ifdl.types import Picture  # noqa: E402

SHARED = ROOT.parent / "shared" / "data"
SETS = ("casia1_dev", "lalonde_dev", "camera", "camera_whole")
SEED = 7
COMPOSITES = 150
RANDOM, TOP = 8, 6  # wrong pairs tried of each query: drawn at random, and the best candidates
DEGREES, SCALES, SHARES = 15.0, (0.6, 1.4), (0.005, 0.2)


# ---------------------------------------------------------------- pictures


def rows_of(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SHARED / name / "manifest.jsonl").read_text().splitlines()]


def gallery() -> dict[str, str]:
    """Source of every authentic picture by its path: the photograph that it shows."""
    found = {}
    for name in SETS:
        for row in rows_of(name):
            if row["label"] == "authentic":
                path = (SHARED / name / row["image"]).resolve()
                found[str(path)] = str(row.get("source") or f"{name}:{path.stem}")
    return found


def casia(identity: str) -> str:
    """The source of a picture that casia1_dev's manifest calls by its id: "ani0053"."""
    return f"casia1_dev:Au_{identity[:3]}_{identity[3:]}"


@dataclass(frozen=True, eq=False)
class Query:
    """A forged picture: the sources of host and donor and where it was changed, bool H×W."""

    name: str
    kind: str
    picture: Picture
    host: str
    donor: str
    mask: np.ndarray
    made: dict[str, float]


def queries() -> Iterator[tuple[str, Callable[[], Query]]]:
    """Every query's name, and what makes it: alternately of both kinds, so that a part of them is a fair sample."""
    edited = [row for row in rows_of("casia1_dev") if row["label"] == "edited"]
    order = np.random.default_rng(SEED).permutation(len(edited))
    for n in range(max(len(edited), COMPOSITES)):
        if n < len(edited):
            row = edited[order[n]]
            yield f"casia/{Path(row['image']).stem}", lambda row=row: published(row)
        if n < COMPOSITES:
            yield f"composite/{n:03d}", lambda n=n: composite(n)


def published(row: dict[str, Any]) -> Query:
    picture = intake.load(SHARED / "casia1_dev" / row["image"], isolated=False)
    mask = np.asarray(Image.open(SHARED / "casia1_dev" / row["mask"]).convert("L")) >= 128
    return Query(Path(row["image"]).stem, row["kind"], picture, casia(row["host"]), casia(row["donor"]), mask, {})


def composite(number: int) -> Query:
    """A part of one test photograph pasted into another."""
    rng = np.random.default_rng((SEED, number))
    test = [
        (row["source"], SHARED / name / row["image"])
        for name in ("camera", "camera_whole")
        for row in rows_of(name)
        if int(row["source"], 16) % 10 >= 8
    ]
    source, file = test[int(rng.integers(len(test)))]
    others = [t for t in test if t[0] != source]
    donor_source, donor_file = others[int(rng.integers(len(others)))]
    host = intake.load(file, isolated=False).pixels.copy()
    donor = intake.load(donor_file, isolated=False).pixels
    height, width = host.shape[:2]
    share = float(np.exp(rng.uniform(*np.log(SHARES))))
    scale, degrees = float(rng.uniform(*SCALES)), float(rng.uniform(-DEGREES, DEGREES))
    mirrored, quality = bool(rng.random() < 0.5), int(rng.integers(60, 96))
    # An uneven outline around (x, y) of the host, of the wanted area.
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radii = np.convolve(np.tile(rng.uniform(0.6, 1.2, 24), 3), np.ones(3) / 3, "same")[24:48]
    outline = np.stack([np.cos(angles), np.sin(angles)], 1) * radii[:, None]
    outline *= np.sqrt(share * height * width / cv2.contourArea(outline.astype(np.float32)))
    reach = np.abs(outline).max(axis=0)
    centre = [float(rng.uniform(min(r, n / 2), max(n - r, n / 2))) for r, n in zip(reach, (width, height), strict=True)]
    region = np.zeros((height, width), np.uint8)
    cv2.fillPoly(region, [np.rint(outline + centre).astype(np.int32)], 1)
    # The map that brings a spot of the donor, with room around it, to that centre.
    room = reach.max() / scale
    spot = [float(rng.uniform(min(room, n / 2), max(n - room, n / 2))) for n in (donor.shape[1], donor.shape[0])]
    a = scale * np.exp(1j * np.radians(degrees))
    matrix = np.array([[a.real, -a.imag, 0], [a.imag, a.real, 0]])
    if mirrored:
        matrix[:, 0] *= -1
    matrix[:, 2] = np.array(centre) - matrix[:, :2] @ spot
    source_pixels = cv2.GaussianBlur(donor, (0, 0), 0.5 / scale) if scale < 0.8 else donor
    moved = cv2.warpAffine(source_pixels, matrix, (width, height), flags=cv2.INTER_CUBIC)
    inside = cv2.warpAffine(np.ones(donor.shape[:2], np.uint8), matrix, (width, height), flags=cv2.INTER_NEAREST)
    mask = (region & inside).astype(bool)
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0)[..., None]
    host = np.rint(soft * moved + (1 - soft) * host).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(host).save(buffer, "JPEG", quality=quality)
    made = {"share": float(mask.mean()), "scale": scale, "degrees": degrees, "mirrored": mirrored, "quality": quality}
    picture = intake.load(buffer.getvalue(), isolated=False)
    return Query(f"{number:03d}", "composite", picture, source, donor_source, mask, made)


# ---------------------------------------------------------------- index


def built(work: Path, distractors: int) -> Index:
    """The index of the gallery, with `distractors` more pictures of sources that no query has."""
    place = work / (f"index{distractors}" if distractors else "index")
    files = [Path(p) for p in gallery()]
    if distractors:
        files += disturbing(work / "distractors", distractors)
    began, cpu = time.perf_counter(), time.process_time()
    made = Index(place, write=True)
    counts = made.update(files, workers=1, told=lambda n: print(f"{place.name}: {n} more", flush=True))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    if counts.added:
        rate = {"pictures": counts.added, "seconds": seconds, "cpu_seconds": cpu, "features": len(made.rows)}
        with (work / "builds.jsonl").open("a") as file:
            file.write(json.dumps(rate | {"index": place.name}) + "\n")
    near.refresh(made)
    return made


def disturbing(place: Path, count: int) -> list[Path]:
    """Crops, mirrored copies and re-saves of authentic pictures that no query was made from."""
    place.mkdir(parents=True, exist_ok=True)
    free = [
        SHARED / name / row["image"]
        for name in ("lalonde_dev", "camera", "camera_whole")
        for row in rows_of(name)
        if row["label"] == "authentic" and ("source" not in row or int(row["source"], 16) % 10 < 8)
    ]
    found = []
    for n in range(count):
        file = place / f"{n:05d}.jpg"
        found.append(file.resolve())
        if file.exists():
            continue
        rng = np.random.default_rng((SEED, 99, n))
        picture = Image.open(free[n % len(free)]).convert("RGB")
        wide, high = (max(64, round(side * rng.uniform(0.4, 0.9))) for side in picture.size)
        x, y = (int(rng.integers(0, max(1, a - b))) for a, b in zip(picture.size, (wide, high), strict=True))
        picture = picture.crop((x, y, min(x + wide, picture.width), min(y + high, picture.height)))
        if rng.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        picture.thumbnail((320, 320))
        picture.save(file.with_suffix(".part"), "JPEG", quality=int(rng.integers(50, 96)))
        file.with_suffix(".part").rename(file)
    return found


# ---------------------------------------------------------------- one query


class Watched:
    """Keeps what the candidate search said, so that it need not be asked twice."""

    def __init__(self) -> None:
        self.said: list[np.ndarray] = []
        self.real = candidates.scores

    def __call__(self, asked: features.Features, held: Index, exact: bool = False) -> np.ndarray:
        found = self.real(asked, held, exact)
        self.said.append(found)
        return found

    def ranked(self, first: int) -> np.ndarray:
        """The better of upright and mirrored, of the search that began with call `first`."""
        return np.maximum(self.said[first], self.said[first + 1])


def ranks(scores: np.ndarray, sources: np.ndarray, wanted: str) -> int | None:
    """How many pictures of other sources come before the first of the wanted one; None where it is not there."""
    own = sources == wanted
    return None if not own.any() else int(np.count_nonzero(scores[~own] >= scores[own].max()))


def listed(hits: tuple[query.Hit, ...], source_of: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "source": source_of.get(h.entry.path, "distractor"),
            "path": Path(h.entry.path).name,
            "state": str(h.state),
            "inliers": h.proof.inliers,
            "share": round(h.share, 4),
            "mirrored": h.proof.mirrored,
            "kind": h.proof.kind,
        }
        for h in hits
    ]


def asked(one: Query, held: Index, source_of: dict[str, str], region: bool) -> dict[str, Any]:
    """What the trace answers, blind or told the region."""
    watched = Watched()
    candidates.scores = watched
    began, cpu = time.perf_counter(), time.process_time()
    try:
        found = query.trace(one.picture, held, one.mask if region else None)
    finally:
        candidates.scores = watched.real
    row: dict[str, Any] = {
        "seconds": round(time.perf_counter() - began, 3),
        "cpu_seconds": round(time.process_time() - cpu, 3),
        "hosts": listed(found.hosts, source_of),
        "donors": listed(found.donors, source_of),
    }
    sources = np.array([source_of.get(e.path, "distractor") for e in held.entries])
    row["host_rank"] = ranks(watched.ranked(0), sources, one.host)
    if len(watched.said) >= 4:
        row["donor_rank"] = ranks(watched.ranked(2), sources, one.donor)
    if found.differs is not None and found.compared is not None:
        seen, both = found.differs.mask, (found.differs.mask & one.mask).sum()
        row |= {
            "iou": round(float(both / max(1, (seen | one.mask).sum())), 4),
            "differs": round(float(seen.mean()), 5),
            "agreement": round(found.differs.agreement, 4),
            "compared": source_of.get(found.compared.entry.path, "distractor"),
        }
    return row


def histogram(pixels: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """8×8×8 shares of colours."""
    chosen = pixels.reshape(-1, 3) if mask is None else pixels[mask]
    keys = (chosen >> 5).astype(int) @ (64, 8, 1)
    return np.bincount(keys, minlength=512) / max(1, len(keys))


def controls(one: Query, held: Index, sources: np.ndarray, histograms: np.ndarray) -> dict[str, Any]:
    """Ranks of host and donor by a colour histogram, by perceptual hash and by plain nearest-feature votes."""
    own = one.picture.pixels
    by_colour = np.minimum(histograms, histogram(own)).sum(axis=1)
    by_region = np.minimum(histograms, histogram(own, one.mask)).sum(axis=1)
    code = phash(own)
    bits = [min(distance(code, int(h, 16) if h else None) for h in (e.phash, e.mirrored_phash)) for e in held.entries]
    ours = features.extract(own, features.ASKED)
    inside = ours.within(one.mask)
    row: dict[str, Any] = {"region_features": int(inside.sum()), "features": len(ours)}
    for role, wanted, chosen in (("host", one.host, ~inside), ("donor", one.donor, inside)):
        part = ours.only(chosen)
        votes = np.zeros(len(held))
        if len(part):
            for way in (part, features.mirrored(part, one.picture.width)):
                votes = np.maximum(votes, first_votes(way, held))
        colour = by_colour if role == "host" else by_region
        row[role] = {"colour": ranks(colour, sources, wanted), "votes": ranks(votes, sources, wanted)}
    row["host"]["phash"] = ranks(-np.array(bits, float), sources, one.host)
    return row


def first_votes(part: features.Features, held: Index) -> np.ndarray:
    if held.cells is None:
        return candidates.votes(part, held)
    found, _ = held.cells.nearest(part.units(), held, 1)
    owners = held.owners()[found[:, 0]]
    return np.bincount(owners[owners >= 0], minlength=len(held)).astype(float)


def wrong_pairs(
    one: Query, held: Index, sources: np.ndarray, scores: np.ndarray, rng: np.random.Generator
) -> list[Any]:
    """(places, matches, path) of the proof with pictures that share no source with the query.

    As the trace does, what looks alike by the indexed features is looked at again with all of the file's.
    """
    wrong = np.flatnonzero(~np.isin(sources, (one.host, one.donor)))
    chosen = {int(n) for n in rng.choice(wrong, min(RANDOM, len(wrong)), replace=False)}
    chosen |= {int(n) for n in wrong[np.argsort(-scores[wrong], kind="stable")[:TOP]]}
    ours = features.extract(one.picture.pixels, features.ASKED)
    found = []
    for n in sorted(chosen):
        entry, best = held.entries[n], (0, 0)
        for way in (ours, features.mirrored(ours, one.picture.width)):
            told = places(held.features(entry), way, entry, one.picture)
            if prove.LOOKS_LIKE <= told[0] < prove.PROVED:
                told = places(features.extract(opened(entry), features.ASKED), way, entry, one.picture)
            best = max(best, told)
        found.append([*best, Path(entry.path).name])
    return found


def places(theirs: features.Features, ours: features.Features, entry: Entry, picture: Picture) -> tuple[int, int]:
    """(places that agree and are not at the edge of both, matches)."""
    matches = prove.match(theirs, ours)
    found = prove.strongest(matches, float(max(picture.height, picture.width)))
    if found is None:
        return 0, len(matches)
    count, _, kept, _ = found
    sizes = ((entry.width, entry.height), (picture.width, picture.height))
    edge = [prove.at_edge(p[kept], s) for p, s in zip((matches.theirs, matches.ours), sizes, strict=True)]
    return count - int((edge[0] & edge[1]).sum()), len(matches)


# ---------------------------------------------------------------- commands


def run(work: Path, distractors: int, limit: int) -> None:
    work.mkdir(parents=True, exist_ok=True)
    source_of = gallery()
    with built(work, distractors) as held:
        sources = np.array([source_of.get(e.path, "distractor") for e in held.entries])
        rows = work / (f"rows{distractors}.jsonl" if distractors else "rows.jsonl")
        done = {json.loads(line)["name"] for line in rows.read_text().splitlines()} if rows.exists() else set()
        histograms = None if distractors else np.stack([histogram(opened(e)) for e in held.entries])
        for number, (name, make) in enumerate(queries()):
            if limit and number >= limit:
                break
            if name in done:
                continue
            one = make()
            row: dict[str, Any] = {"name": name, "kind": one.kind, "host": one.host, "donor": one.donor}
            row |= {"area": round(float(one.mask.mean()), 5), "made": one.made}
            row["blind"] = asked(one, held, source_of, region=False)
            row["region"] = asked(one, held, source_of, region=True)
            if histograms is not None:
                row["controls"] = controls(one, held, sources, histograms)
            with rows.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(name, row["blind"]["cpu_seconds"], row["blind"].get("iou"), flush=True)


def pairs(work: Path) -> None:
    """Wrong pairs of every query, resumed where it stopped."""
    source_of, place = gallery(), work / "pairs.jsonl"
    done = {json.loads(line)["name"] for line in place.read_text().splitlines()} if place.exists() else set()
    with built(work, 0) as held, place.open("a") as out:
        sources = np.array([source_of.get(e.path, "distractor") for e in held.entries])
        for number, (name, make) in enumerate(queries()):
            if name in done:
                continue
            one = make()
            scores = candidates.scores(features.extract(one.picture.pixels, features.ASKED), held)
            wrong = wrong_pairs(one, held, sources, scores, np.random.default_rng((SEED, number)))
            row = {"name": name, "kind": one.kind, "host": one.host, "donor": one.donor, "wrong": wrong}
            out.write(json.dumps(row) + "\n")
            out.flush()


def absent(work: Path, limit: int) -> None:
    """Composites of Lalonde and Efros, whose sources no set names: what is proved of them must be looked at by eye."""
    place = work / "absent.jsonl"
    done = {json.loads(line)["name"] for line in place.read_text().splitlines()} if place.exists() else set()
    source_of = gallery()
    edited = [row for row in rows_of("lalonde_dev") if row["label"] == "edited"]
    order = np.random.default_rng(SEED).permutation(len(edited))[: limit or None]
    with built(work, 0) as held, place.open("a") as out:
        for row in (edited[n] for n in order):
            name = Path(row["image"]).stem
            if name in done:
                continue
            picture = intake.load(SHARED / "lalonde_dev" / row["image"], isolated=False)
            found = query.trace(picture, held)
            hits = {"hosts": listed(found.hosts, source_of), "donors": listed(found.donors, source_of)}
            out.write(json.dumps({"name": name, **hits}) + "\n")
            out.flush()


def opened(entry: Entry) -> np.ndarray:
    return intake.load(entry.path, sha256=entry.sha256, isolated=False).pixels


def threshold(work: Path, pairs: int) -> None:
    """Inliers of wrong pairs of photographs of folds 0-7: with each, 22 at random, half mirrored, and the 8 best."""
    source_of = gallery()
    rng = np.random.default_rng(SEED)
    place = work / "threshold.jsonl"
    done = {json.loads(line)[3] for line in place.read_text().splitlines()} if place.exists() else set()
    with built(work, 0) as held, place.open("a") as out:
        chosen = [e for e in held.entries if ":" not in source_of[e.path] and int(source_of[e.path], 16) % 10 < 8]
        known = set(chosen)
        sources = [source_of[e.path] for e in held.entries]
        for n in rng.permutation(len(chosen))[: max(1, pairs // 30)]:
            if Path(chosen[n].path).name in done:
                continue
            pixels = opened(chosen[n])
            whole = features.extract(pixels, features.ASKED)
            turned = features.mirrored(whole, pixels.shape[1])
            wrong = [m for m, e in enumerate(held.entries) if e in known and sources[m] != source_of[chosen[n].path]]
            best = np.array(wrong)[np.argsort(-candidates.scores(whole, held)[wrong], kind="stable")[:8]]
            for k, m in enumerate([*rng.choice(wrong, 22, replace=False), *best]):
                matches = prove.match(held.features(held.entries[m]), turned if k % 2 and k < 22 else whole)
                found = prove.strongest(matches, max(pixels.shape))
                names = [Path(e.path).name for e in (held.entries[m], chosen[n])]
                out.write(json.dumps([0 if found is None else found[0], len(matches), *names]) + "\n")
            out.flush()
    print(json.dumps(trace_summary.of_threshold(work), indent=1))


def scaled(work: Path) -> None:
    """What an index costs at three sizes: the first spliced queries against it."""
    ones = (make() for name, make in queries() if name.startswith("casia/Sp_D"))
    asked = [(one.picture, one.host, one.donor) for one in itertools.islice(ones, trace_scale.PICTURES)]
    trace_scale.scale(work, gallery(), asked, work / "scale.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("threshold", "run", "pairs", "absent", "scale", "summary"))
    parser.add_argument("work", type=Path)
    parser.add_argument("--distractors", type=int, default=0)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--pairs", type=int, default=6000)
    parser.add_argument("--copy", action="store_true")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    if given.command == "run":
        run(given.work, given.distractors, given.limit)
    elif given.command == "threshold":
        threshold(given.work, given.pairs)
    elif given.command == "pairs":
        pairs(given.work)
    elif given.command == "absent":
        absent(given.work, given.limit)
    elif given.command == "scale":
        scaled(given.work)
    else:
        trace_summary.summary(given.work, given.copy)


if __name__ == "__main__":
    main()
