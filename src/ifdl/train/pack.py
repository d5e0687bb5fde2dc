"""One folder that trains without network and without the places its pictures came from.

    OUT/recipe.yaml      the recipe, its paths inside this folder
        manifest.jsonl   the photographs, one object a line, in the format of `ifdl.data.manifest`
        images/          their files, copied as they are: never decoded, never re-encoded
        weights/         the weights the recipe starts from
        TERMS.md         what may be done with it

Photographs of the splits train and calibrate go in, test photographs never. Where the size limit leaves files
out, it does so evenly: one more file of every photograph before a second of any, from every place in turn.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import yaml

from ifdl.data.manifest import FILE, Split, write_text
from ifdl.forge.material import Photograph, find
from ifdl.train import recipe as recipes
from ifdl.train.data import divided

SPLITS = (Split.TRAIN, Split.CALIBRATE)
TERMS = """# Terms

Photographs to train on, copied byte for byte from:

{places}

Each keeps the terms of the set it comes from: the `licence` of its line in manifest.jsonl where there is one. A line
without `licence` has none stated: such pictures are for training and must not be published. Weights keep theirs.
Lines of split `calibrate` validate; training never forges with them.
"""


@dataclass(frozen=True)
class Packed:
    """What went in: files, the photographs they show by split, bytes of everything, and files left out."""

    files: int
    photographs: dict[str, int]
    bytes: int
    left_out: int


def pack(plan: recipes.Recipe, out: Path, max_mb: float) -> Packed:
    """Write the folder. Raises ValueError where it is not empty, or the limit holds no photograph of each split."""
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty; name a new folder")
    weights = {name: file.checked() for name, file in plan.expert.init.items()}
    room = int(max_mb * 1e6) - sum(path.stat().st_size for path in weights.values())
    chosen: list[tuple[int, Photograph]] = []
    left_out = 0
    for number, photograph in _evenly(plan.data.places):
        size = photograph.path.stat().st_size + 512  # its line in the manifest
        if size > room:
            left_out += 1
            continue
        room -= size
        chosen.append((number, photograph))
    counts = {str(s): len({p.source for _, p in chosen if divided(p.source) is s}) for s in SPLITS}
    if not all(counts.values()):
        raise ValueError(f"{max_mb:g} MB hold no photographs of both splits: {counts}")
    known = [_rows(place) for place in plan.data.places]
    folders = [f"{n}_{(p.parent if p.is_file() else p).resolve().name}" for n, p in enumerate(plan.data.places)]
    rows = [_copy(p, known[n].get(p.path, {}), folders[n], out) for n, p in chosen]
    rows.sort(key=lambda row: str(row["image"]))
    write_text(out / FILE, "".join(json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n" for row in rows))
    inside = {}
    for name, path in weights.items():
        place = Path("weights") / f"{name}{path.suffix}"
        (out / "weights").mkdir(exist_ok=True)
        shutil.copyfile(path, out / place)
        inside[name] = recipes.WeightsFile(place, hashlib.sha256(path.read_bytes()).hexdigest())
    _write_recipe(plan, inside, out)
    write_text(out / "TERMS.md", TERMS.format(places="\n".join(f"- {place}" for place in plan.data.places)))
    written = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    return Packed(len(rows), counts, written, left_out)


def _evenly(places: Sequence[Path]) -> Iterator[tuple[int, Photograph]]:
    """Every photograph's file with the number of its place: the first of each source, then the second of each …"""
    by_source: dict[str, list[list[tuple[int, Photograph]]]] = {}
    for number, place in enumerate(places):
        for photograph in (p for p in find(place, SPLITS) if divided(p.source) in SPLITS):
            files = by_source.setdefault(photograph.source, [[] for _ in places])
            files[number].append((number, photograph))
    # Places take turns within a source; sources come in an order that has nothing to do with their names.
    queues = []
    for turn, source in enumerate(sorted(by_source, key=lambda s: hashlib.sha256(s.encode()).digest())):
        files = by_source[source]
        starting = turn % len(places)
        taken = zip_longest(*files[starting:], *files[:starting])
        queues.append([file for files in taken for file in files if file is not None])
    for layer in zip_longest(*queues):
        yield from (file for file in layer if file is not None)


def _copy(photograph: Photograph, known: dict[str, Any], folder: str, out: Path) -> dict[str, Any]:
    """Copy a file and give its manifest line, with what is `known` of it.

    Raises ValueError if the file is not what its manifest says.
    """
    data = photograph.path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if photograph.sha256 not in (None, digest):
        raise ValueError(f"{photograph.path} is not the file of its manifest: its sha256 is {digest}")
    name = f"images/{folder}/{digest[:12]}{photograph.path.suffix}"
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_bytes(data)
    own = {"image": name, "label": "authentic", "mask": None, "sha256": digest, "source": photograph.source}
    return known | own | {"split": str(divided(photograph.source))}


def _rows(place: Path) -> dict[Path, dict[str, Any]]:
    """The lines of a place's manifest by the file they name; nothing for a plain folder."""
    manifest = place / FILE if place.is_dir() else place
    lines = manifest.read_text(encoding="utf-8").splitlines() if manifest.is_file() else []
    return {manifest.parent / row["image"]: row for row in map(json.loads, lines) if "image" in row}


def _write_recipe(plan: recipes.Recipe, weights: dict[str, recipes.WeightsFile], out: Path) -> None:
    forge = plan.data.forge
    if forge.endswith((".yaml", ".yml")):
        shutil.copyfile(forge, out / "forge.yaml")
        forge = "forge.yaml"
    data = replace(plan.data, places=(Path(),), forge=forge)
    expert, validation = replace(plan.expert, init=weights), replace(plan.validation, cache=None)
    own = replace(plan, expert=expert, data=data, validation=validation, out=Path("runs") / plan.name)
    plain = recipes.plain(own)
    write_text(out / "recipe.yaml", yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))
