"""`trace`: the archive's pictures that a picture, or a part of it, was made from.

Candidates by the image-constrained score, upright and mirrored, by perceptual hash and by layout; the best are proved
by geometry, from the archive's own file where it still is there. A proved host is aligned and compared, pixel by pixel;
where it differs, or where the caller says, features look for donors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ifdl.evidence.hashes import NEAR, distance, phash
from ifdl.signal import alignment
from ifdl.signal.difference import difference
from ifdl.signal.jpeg import luma
from ifdl.trace import candidates, features
from ifdl.trace.features import Features
from ifdl.trace.index import Entry, Index, layout
from ifdl.trace.prove import LOOKS_LIKE, Matches, Proof, State, agree, prove, turned_back, without_frame
from ifdl.types import Picture

Mask = NDArray[np.bool_]
TRIED = 10  # candidates, of each kind, that geometry is asked about
CLOSER = 3  # of them, whose files are looked at where the indexed features are not enough
ALIKE = 3  # candidates by layout alone
HOST_SHARE = 0.3  # of the picture within the outline of the agreeing points: less is a part, not the whole
ROOM = 12  # pixels around a region whose features count as the region's
ORDER = {State.PROVED: 0, State.LOOKS_LIKE: 1, State.NONE: 2}


@dataclass(frozen=True, eq=False)
class Hit:
    """A picture of the archive and how it is related: `share` of the picture lies within the agreeing points.

    `identical` says that it is the very same file; `bits` how many of 64 its perceptual hash is away.
    """

    entry: Entry
    proof: Proof
    score: float = 0.0
    share: float = 0.0
    bits: int = 64
    identical: bool = False

    @property
    def state(self) -> State:
        return State.PROVED if self.identical else self.proof.state


@dataclass(frozen=True, eq=False)
class Differs:
    """Where the picture differs from an aligned host: `mask` bool H×W, `known` where the host can be compared.

    `level` is the noise between the two in levels of 255, `matrix` the refined map from the host, `agreement` the share
    of textured blocks that agree.
    """

    mask: Mask
    known: Mask
    level: float
    matrix: NDArray[np.float64]
    agreement: float


@dataclass(frozen=True, eq=False)
class Traced:
    """Hosts (the picture as a whole) and donors (parts of it), surest first, and where it differs from `compared`, the
    first host that could be laid over it.

    `region` is what donors were looked for with: the caller's, or where the picture differs; None where neither is.
    """

    hosts: tuple[Hit, ...]
    donors: tuple[Hit, ...]
    differs: Differs | None = None
    compared: Hit | None = None
    region: Mask | None = None


@dataclass(frozen=True, eq=False)
class Asked:
    """The features of the picture as it is, and as it is in a mirror."""

    upright: Features
    turned: Features

    def within(self, mask: Mask) -> Asked:
        """Those that lie in a mask H×W of the picture as it is."""
        return Asked(self.upright.only(self.upright.within(mask)), self.turned.only(self.turned.within(mask[:, ::-1])))


def trace(picture: Picture, index: Index, region: Mask | None = None, most: int = 5) -> Traced:
    """Look the picture up; `region` bool H×W of it marks the suspected part, if there is one."""
    upright = index.extractor.extract(picture.pixels, features.ASKED)
    ours = Asked(upright, index.extractor.mirrored(upright, picture.pixels))
    around = None if region is None else _wider(region)
    found = [
        _laid_over(h, picture, index) for h in search(picture, ours if around is None else ours.within(~around), index)
    ]
    hosts = [h for h in found if h.identical or h.share >= HOST_SHARE or not h.proof.inliers]
    donors = [h for h in found if not h.identical and h.share < HOST_SHARE and h.proof.inliers]
    differs, compared = None, None
    for hit in (h for h in hosts if h.state is State.PROVED and not h.identical):
        differs = compare(picture.pixels, hit, index)
        if differs is not None:
            compared = hit
            break
    if region is None and differs is not None and differs.mask.any():
        region, around = differs.mask, _wider(differs.mask)
    if around is not None:
        known = {h.entry.path for h in hosts if h.state is State.PROVED}
        inside = search(picture, ours.within(around), index, whole=False)
        parts = [h for h in inside if h.entry.path not in known and _lies_in(h, region)]
        listed = {h.entry.path for h in parts}
        donors = parts + [h for h in donors if h.entry.path not in listed]
    return Traced(tuple(hosts[:most]), tuple(donors[:most]), differs, compared, region)


def compare(pixels: NDArray[np.uint8], hit: Hit, index: Index) -> Differs | None:
    """Where the picture H×W×3 differs from the archive's file; None where that is gone, changed or does not align."""
    theirs = index.pixels(hit.entry)
    if theirs is None:
        return None
    before = np.ascontiguousarray(theirs[:, ::-1]) if hit.proof.mirrored else theirs
    found = alignment.align(before, pixels)
    matrix = found.matrix if found is not None else None
    if matrix is None and hit.proof.matrix is not None:
        matrix = alignment.refine(luma(before), luma(pixels), hit.proof.matrix, 8)
    if matrix is None:
        return None
    moved, known = alignment.warp(before, matrix, pixels.shape[:2])
    try:
        result = difference(moved, pixels, known)
    except ValueError:
        return None
    agreed = alignment.agreement(luma(before), luma(pixels), matrix)
    return Differs(result.mask, known, result.level, matrix, agreed)


def search(picture: Picture, asked: Asked, index: Index, whole: bool = True) -> list[Hit]:
    """Hits that something speaks for, surest first; `whole` also looks for pictures that are alike as a whole."""
    if not len(index):
        return []
    pairs = ((asked.upright, False), (asked.turned, True))
    scores = {mirrored: candidates.scores(own, index) for own, mirrored in pairs}
    tried: dict[tuple[int, bool], float] = {}
    for mirrored, credit in scores.items():
        for n in np.argsort(-credit, kind="stable")[:TRIED]:
            if credit[n] > 0:
                tried[int(n), mirrored] = float(credit[n])
    first = set(sorted(tried, key=lambda key: -tried[key])[:CLOSER])
    bits = np.full(len(index), 64)
    if whole:
        for mirrored in (False, True):
            away = _bits(picture, index, mirrored)
            near = set(np.flatnonzero(away <= NEAR).tolist())
            for n in near | set(np.argsort(_layouts(picture, index, mirrored), kind="stable")[:ALIKE].tolist()):
                tried.setdefault((n, mirrored), float(scores[mirrored][n]))
            bits = np.minimum(bits, away)
    hits = []
    for (n, mirrored), score in tried.items():
        entry = index.entries[n]
        proof = _proof(entry, index, asked, picture, mirrored, (n, mirrored) in first)
        if proof.state is State.NONE and bits[n] <= NEAR:
            proof = replace(proof, state=State.LOOKS_LIKE, mirrored=mirrored)
        same = whole and entry.sha256 == picture.item.sha256
        hits.append(Hit(entry, proof, score, _share(proof, picture), int(bits[n]), same))
    return _once([h for h in hits if h.state is not State.NONE])


def _proof(entry: Entry, index: Index, asked: Asked, picture: Picture, mirrored: bool, closer: bool) -> Proof:
    """By the indexed features; where they are not enough, by those of the file itself, which are more."""
    ours = asked.turned if mirrored else asked.upright
    longest = float(max(picture.height, picture.width))
    proof = prove(index.features(entry), ours, longest)
    if proof.state is State.LOOKS_LIKE or (closer and proof.state is State.NONE and len(ours) >= LOOKS_LIKE):
        pixels = index.pixels(entry)
        if pixels is not None:
            own = np.ascontiguousarray(picture.pixels[:, ::-1]) if mirrored else picture.pixels
            pairs = index.extractor.closer(pixels, own)
            if pairs is None:
                more = prove(index.extractor.extract(pixels, features.ASKED), ours, longest)
            else:
                more = agree(Matches(*pairs), longest)
            proof = more if more.inliers > proof.inliers else proof
    proof = without_frame(proof, (entry.width, entry.height), (picture.width, picture.height))
    return turned_back(proof, picture.width, entry.width) if mirrored else proof


def _laid_over(hit: Hit, picture: Picture, index: Index) -> Hit:
    """A hit on the whole, held to its pixels too: a frame or a caption that two pictures share spans both of them."""
    matrix = hit.proof.matrix
    if hit.identical or hit.state is not State.PROVED or hit.share < HOST_SHARE or matrix is None:
        return hit
    theirs = index.pixels(hit.entry)
    if theirs is None:
        return hit
    before, ours = luma(np.ascontiguousarray(theirs[:, ::-1]) if hit.proof.mirrored else theirs), luma(picture.pixels)
    finer = alignment.refine(before, ours, matrix, 8)
    agreed = max(alignment.agreement(before, ours, m) for m in (matrix, finer) if m is not None)
    if agreed >= alignment.SAME_SCENE:
        return hit
    return replace(hit, proof=replace(hit.proof, state=State.LOOKS_LIKE))


def _lies_in(hit: Hit, region: Mask | None) -> bool:
    """Whether most of the points that agree lie in the region itself, and not in the room around it."""
    if region is None or hit.proof.ours is None:
        return False
    x, y = np.rint(hit.proof.ours).astype(int).T
    return bool(region[y.clip(0, region.shape[0] - 1), x.clip(0, region.shape[1] - 1)].mean() > 0.5)


def _bits(picture: Picture, index: Index, mirrored: bool) -> NDArray[np.int64]:
    """How many bits of the perceptual hash each picture of the index is away."""
    own = phash(picture.pixels)
    hashes = [e.mirrored_phash if mirrored else e.phash for e in index.entries]
    return np.array([distance(own, int(h, 16) if h else None) for h in hashes], np.int64)


def _layouts(picture: Picture, index: Index, mirrored: bool) -> NDArray[np.float64]:
    """How far each picture of the index is in its layout, brightness and tint as a whole set aside."""
    own = layout(picture.pixels[:, ::-1] if mirrored else picture.pixels)
    known = np.stack([np.frombuffer(e.layout, np.uint8).reshape(own.shape) for e in index.entries]).astype(np.float32)
    apart = (known - known.mean(axis=(1, 2), keepdims=True)) - (own - own.mean(axis=(0, 1)))
    return np.asarray(np.abs(apart).mean(axis=(1, 2, 3)), np.float64)


def _share(proof: Proof, picture: Picture) -> float:
    if proof.ours is None:
        return 0.0
    return float(cv2.contourArea(cv2.convexHull(proof.ours))) / (picture.width * picture.height)


def _wider(region: Mask) -> Mask:
    size = 2 * ROOM + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.dilate(region.astype(np.uint8), disc), bool)


def _once(hits: list[Hit]) -> list[Hit]:
    """Every picture once, by its surest hit, surest first."""
    kept: dict[str, Hit] = {}
    for hit in sorted(
        hits, key=lambda h: (-1 if h.identical else ORDER[h.state], not h.proof.inliers, -h.proof.inliers, -h.score)
    ):
        kept.setdefault(hit.entry.path, hit)
    return list(kept.values())
