"""MMTD-Set of FakeShield: pictures of fourteen public sets in three domains, arranged by one README.

Layout (the published MMTD-Set-34k.json holds words alone; the pictures come from their own sets):

    photoshop/CASIAv1+_Tp/image/   Sp_D_CRN_A_ani0043_ani0041_0373.jpg
    photoshop/CASIAv1+_Tp/mask/    the same stem, or that and _gt or _mask
    photoshop/CASIAv1+_Au/image/
    deepfake/{FaceAPP,FFHQ}_{Train,Val}/   aigc/{SD_inpaint,COCO2017}_{Train,Val}/
    MMTD_Set/MMTD-Set-34k.json     (not read: its keys are documented nowhere that could be found)

Where it was learned: README.md and MFLM/dataset/Tamper_PS_Segm_ds.py of github.com/zhipeixu/FakeShield, names from
its playground/DTE-FDM_output.jsonl. `dataset/` above the three domains is accepted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ifdl.data import _fabric
from ifdl.data._about import About, Layout
from ifdl.data._record import Bad, Record, by_stem, first_folder, need
from ifdl.types import Card

# Folder → what lies in it, and the split it is published for.
SETS: dict[str, dict[str, tuple[str, str]]] = {
    "photoshop": {
        "CASIAv2_Tp": ("edited", "train"), "CASIAv2_Au": ("authentic", "train"),
        "FR_Tp": ("edited", "train"), "FR_Au": ("authentic", "train"),
        "CASIAv1+_Tp": ("edited", "val"), "CASIAv1+_Au": ("authentic", "val"),
        "IMD2020_Tp": ("edited", "val"), "IMD2020_Au": ("authentic", "val"),
        "Columbia": ("edited", "val"), "coverage": ("edited", "val"), "NIST16": ("edited", "val"),
        "DSO": ("edited", "val"), "Korus": ("edited", "val"),
    },
    "deepfake": {
        "FaceAPP_Train": ("edited", "train"), "FaceAPP_Val": ("edited", "val"),
        "FFHQ_Train": ("authentic", "train"), "FFHQ_Val": ("authentic", "val"),
    },
    "aigc": {
        "SD_inpaint_Train": ("edited", "train"), "SD_inpaint_Val": ("edited", "val"),
        "COCO2017_Train": ("authentic", "train"), "COCO2017_Val": ("authentic", "val"),
    },
}  # fmt: skip
TERMS = "every part under the terms of the set it comes from; words: read the page of MMTD-Set-34k"

CARD = Card(
    id="mmtd_set",
    title="MMTD-Set: forgeries by hand, of faces and by inpainting, from public sets",
    citation=(
        "Xu, Zhang, Li, Tang, Huang, Zhang, FakeShield: Explainable Image Forgery Detection and Localization via "
        "Multi-modal Large Language Models, ICLR 2025"
    ),
    url="https://github.com/zhipeixu/FakeShield",
    domain="How to obtain: the README of that repository names every part; arrange them in folders as it shows.",
    limits=(
        "The published file holds words, no pictures: what lies in these folders depends on who arranged them.",
        "The authors' loader pairs pictures and masks by their order; one file too many shifts all pairs. Here they "
        "are paired by name.",
        "Of COVERAGE and others only edited pictures are tested (FakeShield issue 40): no false alarm can be counted "
        "there.",
        "Descriptions were written by GPT-4o, which saw the masks: they are no observations.",
        "The parts overlap other sets of ifdl (casia1, casia2, columbia, coverage, imd2020 …): do not mix them.",
    ),
    licence=TERMS,
)

ABOUT = About(
    tasks=("localisation", "detection", "explanation", "faces"),
    size="about 34,000 triples of picture, mask and description",
    layout=Layout(
        source=(
            "github.com/zhipeixu/FakeShield, README.md at commit b022382, MFLM/dataset/Tamper_PS_Segm_ds.py at "
            "d800c99, playground/DTE-FDM_output.jsonl at de40a5f"
        ),
        names=(
            "MMTD_Set/MMTD-Set-34k.json",
            "Sp_D_CRN_A_ani0043_ani0041_0373.jpg",
            "Sp_D_CNN_A_sec0012_ani0007_0275.jpg",
            "Sp_S_NNN_R_txt0024_txt0024_0024.jpg",
        ),
    ),
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of every part that is there; `extra["part"]` is the part's folder."""
    base = first_folder(root, "dataset") or root
    places = [(domain, place) for domain in SETS if (place := first_folder(base, domain))]
    need(root, places, "photoshop/, deepfake/ and aigc/, each with <part>/image/ and <part>/mask/")
    for domain, place in places:
        known = {name.lower(): (name, *what) for name, what in SETS[domain].items()}
        for part in sorted(p for p in place.iterdir() if p.is_dir() and not p.name.startswith(".")):
            if part.name.lower() not in known:
                yield Bad(part.relative_to(root).as_posix(), "is no part that the README of FakeShield names")
                continue
            name, label, split = known[part.name.lower()]
            yield from _part(root, part, label, Record(part, label, kind=domain, split=split, extra={"part": name}))


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    edited = ("Sp_D_CRN_A_ani0043_ani0041_0373", "Sp_D_CNN_A_sec0012_ani0007_0275", "Sp_S_NNN_R_txt0024_txt0024_0024")
    for n, stem in enumerate(edited):
        pixels, mask = _fabric.forged(n + 3)
        _fabric.save(_fabric.scene(n), root / "photoshop" / "CASIAv1+_Au" / "image" / f"Au_ani_000{n}.jpg", quality=95)
        _fabric.save(pixels, root / "photoshop" / "CASIAv1+_Tp" / "image" / f"{stem}.jpg", quality=95)
        _fabric.save(mask, root / "photoshop" / "CASIAv1+_Tp" / "mask" / f"{stem}.png")


def _part(root: Path, part: Path, label: str, model: Record) -> Iterator[Record | Bad]:
    images, truths = first_folder(part, "image"), first_folder(part, "mask")
    pictures, shared = by_stem(images) if images else ({}, [])
    masks, doubled = by_stem(truths, ("_gt", "_mask", "")) if truths else ({}, [])
    for path, others in shared + doubled:
        yield Bad(path.relative_to(root).as_posix(), f"shares its name with {others}; it is unclear which is meant")
    for stem, path in pictures.items():
        yield Record(
            image=path,
            label=label,
            mask=masks.get(stem) if label == "edited" else None,
            kind=model.kind if label == "edited" else None,
            sources=(f"{part.name}/{stem}",),
            licence=TERMS,
            split=model.split,
            name=path.relative_to(root).as_posix(),
            extra=model.extra,
        )
    for stem in sorted(set(masks) - set(pictures)):
        yield Bad(masks[stem].relative_to(root).as_posix(), f"a mask without its picture {stem}")
