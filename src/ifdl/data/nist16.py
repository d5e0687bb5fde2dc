"""NIST16 (Nimble Challenge 2016, NC2016_Test0613): 564 edited and 560 authentic probes, JPEG.

Layout, within `NC2016_Test0613/`:

    probe/                                               NC2016_0128.jpg
    reference/manipulation/NC2016-manipulation-ref.csv   the table; columns are separated by |
    reference/manipulation/mask/                         NC2016_1253.png
    world/                                               NC2016_3272.jpg (bases and donors; not read)

Names say nothing: the table tells of each probe whether it was edited (IsTarget), how (IsManipulationTypeRemoval,
…Splice, …CopyClone), its mask (ProbeMaskFileName) and the photograph it was made from (BaseFileName).

Where it was learned: columns, `probe/`, `reference/manipulation/mask/` and `world/` from SAFIRE's
`ForensicsEval/data/dataset_NC16.py` and `img_lists/NC16_tamp.txt`, which were made from the table. Other lists
(CAT-Net's NC16_splice.txt, TruFor's NIST16_fake.txt) name the same masks below `reference/splice/mask/` and
`reference/remove/mask/`; a mask that is not where the table says is looked for there, by its name. A table with commas
(saved again by a spreadsheet) is accepted.

In a mask black is what was edited, the other way round than in most sets: SAFIRE and OMG-Fuser turn it, so does this
reader.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from ifdl.data import _fabric
from ifdl.data._about import About, Layout
from ifdl.data._listing import shown
from ifdl.data._record import Bad, Record, first_folder, need, pictures_below
from ifdl.types import Card

TABLE = "reference/manipulation/NC2016-manipulation-ref.csv"
MASKS = ("reference/manipulation/mask", "reference/splice/mask", "reference/remove/mask", "reference/removal/mask")
KINDS = {"Removal": "removal", "Splice": "splice", "CopyClone": "copymove"}
TERMS = "research, under the agreement signed with NIST when registering"

CARD = Card(
    id="nist16",
    title="NIST16: Nimble Challenge 2016, splices, removals and copy-moves in large JPEG photographs",
    citation=(
        "Guan, Kozak, Robertson, Lee, Yates, Delgado, Zhou, Kheyrkhah, Smith, Fiscus, MFC Datasets: Large-Scale "
        "Benchmark Datasets for Media Forensic Challenge Evaluation, WACV Workshops 2019"
    ),
    url="https://mig.nist.gov/MFC/PubData/Resources.html",
    domain="How to obtain: register at mfc.nist.gov, then download NC2016_Test0613 from that page and unpack it.",
    limits=(
        "Most forgeries are there twice or more, saved differently (probes 0128 and 8714 have one mask): the number of "
        "independent pictures is a fraction of 564. Split by source (the base), never by file; a random split of 404 "
        "and 160, as many papers use, has the same forgery on both sides.",
        "In the masks black is what was edited.",
        "Some masks are grey or have grey borders; half brightness is the border here; SAFIRE takes 180.",
        "Pictures are large; scaling them to 256 or 512 pixels wipes out most traces.",
        "Lists of “the 564” differ: say which table they come from.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("localisation", "detection"),
    size="564 edited probes with masks and 560 authentic ones",
    layout=Layout(
        source=(
            "github.com/mjkwon2021/SAFIRE, commit 03935c4, ForensicsEval/data/dataset_NC16.py and "
            "img_lists/NC16_tamp.txt and NC16_auth.txt; github.com/mjkwon2021/CAT-Net, commit f1716b0, "
            "Splicing/data/NC16_splice.txt; "
            "github.com/grip-unina/TruFor, commit cb2d28c, test_docker/data_test/NIST16_fake.txt and NIST16_real.txt"
        ),
        names=(
            "probe/NC2016_0128.jpg",
            "reference/manipulation/mask/NC2016_1253.png",
            "reference/splice/mask/NC2016_3942.png",
            "world/NC2016_3272.jpg",
            "reference/manipulation/NC2016-manipulation-ref.csv",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every probe of the table; what lies in probe/ or beside the masks but not in the table is told."""
    place = first_folder(root, "NC2016_Test0613") or root
    table = place / TABLE
    need(root, table.is_file(), f"{TABLE} and probe/")
    elsewhere = {p.name: p for n in reversed(MASKS) if (f := first_folder(place, n)) for p in pictures_below(f)}
    used: set[Path] = set()
    seen: set[str] = set()
    for line, row in _rows(table):
        name = (row.get("ProbeFileName") or "").strip()
        if not name or name in seen:
            yield Bad(f"{shown(table, root)}, line {line}", f"probe {name} again" if name else "names no probe")
            continue
        seen.add(name)
        image = place / name
        if not image.is_file():
            yield Bad(name, f"in the table (line {line}) but not on the disk")
            continue
        edited = (row.get("IsTarget") or "").strip() == "Y"
        truth = (row.get("ProbeMaskFileName") or "").strip()
        mask = place / truth if truth and (place / truth).is_file() else elsewhere.get(Path(truth).name)
        if mask is not None:
            used.add(mask)
        sources = [Path(s.strip()).stem for c in ("BaseFileName", "DonorFileName") if (s := row.get(c)) and s.strip()]
        yield Record(
            image=image,
            label="edited" if edited else "authentic",
            mask=mask if edited else None,
            kind=_kind(row) if edited else None,
            sources=tuple(dict.fromkeys(sources)),
            licence=TERMS,
            marks="black",
            name=shown(image, root),
        )
    probes = first_folder(place, "probe")
    for path in pictures_below(probes) if probes else ():
        if shown(path, place) not in seen:
            yield Bad(shown(path, root), "a probe that is not in the table")
    for folder in sorted({path.parent for path in used}):
        for path in sorted(set(pictures_below(folder)) - used):
            yield Bad(shown(path, root), "a mask that no probe of the table has")


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above, with their table."""
    place = root / "NC2016_Test0613"
    columns = ("TaskID", "ProbeFileID", "ProbeFileName", "ProbeMaskFileName", "IsTarget", "BaseFileName",
               *(f"IsManipulationType{kind}" for kind in KINDS))  # fmt: skip
    rows = ["|".join(columns)]
    for n, (plain, probe, truth, base) in enumerate(
        (("0136", "0313", "4424", "4227"), ("0820", "0128", "3942", "3272"), ("1956", "6438", "1253", "7685"))
    ):
        pixels, mask = _fabric.forged(n)
        _fabric.save(_fabric.scene(n), place / "probe" / f"NC2016_{plain}.jpg", quality=95)
        _fabric.save(pixels, place / "probe" / f"NC2016_{probe}.jpg", quality=95)
        _fabric.save(~mask, place / MASKS[0] / f"NC2016_{truth}.png")
        world = f"world/NC2016_{base}.jpg"
        rows.append(f"manipulation|NC2016_{plain}|probe/NC2016_{plain}.jpg||N|{world}|N|N|N")
        kinds = "|".join("Y" if k == n else "N" for k in range(3))
        truth = f"{MASKS[0]}/NC2016_{truth}.png"
        rows.append(f"manipulation|NC2016_{probe}|probe/NC2016_{probe}.jpg|{truth}|Y|{world}|{kinds}")
    (place / TABLE).write_text("\n".join(rows) + "\n", "utf-8")


def _kind(row: Mapping[str, str | None]) -> str | None:
    """How a probe was edited: a removal counts before a splice, a splice before a clone (as in SAFIRE)."""
    return next((k for name, k in KINDS.items() if (row.get(f"IsManipulationType{name}") or "").strip() == "Y"), None)


def _rows(table: Path) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    """The table's rows with their line numbers; its first line says by what columns are separated."""
    with table.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        separator = "|" if "|" in file.readline() else ","
        file.seek(0)
        reader = csv.DictReader(file, delimiter=separator)
        for row in reader:
            yield reader.line_num, row
