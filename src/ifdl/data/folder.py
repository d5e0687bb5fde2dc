"""Any folder of one's own: `images/` with edited pictures, `masks/` beside it, `authentic/`.

    images/a/x.jpg   masks/a/x.png (or x_mask.png, x_gt.png, x_forged.png)   authentic/y.jpg

A mask is found by the picture's path below `images/` without its extension; white is edited.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ifdl.data import _fabric
from ifdl.data._record import Bad, Record, by_stem, first_folder, need, pictures_below
from ifdl.types import Card

ENDINGS = ("", "_mask", "_gt", "_forged")

CARD = Card(
    id="folder",
    title="A folder of your own: images/, masks/, authentic/",
    citation="a plain layout, no publication",
    domain=(
        "How to obtain: put edited pictures into images/, their masks (white = edited) under the same name, with or "
        "without _mask, _gt or _forged, into masks/, and untouched pictures into authentic/."
    ),
    limits=(
        "Nothing says which pictures come from the same photograph: each counts as its own source.",
        "Symbolic links that lead out of the folder are refused.",
    ),
    licence="yours",
)


def records(root: Path) -> Iterator[Record | Bad]:
    """Every picture of the folder. A stem that two files share is refused, for it is unclear which is meant."""
    edited, authentic, truths = (first_folder(root, name) for name in ("images", "authentic", "masks"))
    need(root, edited or authentic, "images/ with masks/ beside it, and authentic/")
    for path in pictures_below(authentic) if authentic else ():
        yield _inside(root, path) or Record(path, "authentic", name=path.relative_to(root).as_posix())
    masks, doubled = by_stem(truths, ENDINGS) if truths else ({}, [])
    pictures, shared = by_stem(edited) if edited else ({}, [])
    for path, others in doubled + shared:
        yield Bad(path.relative_to(root).as_posix(), f"shares its name with {others}; it is unclear which is meant")
    for stem, path in pictures.items():
        mask = masks.get(stem)
        name = path.relative_to(root).as_posix()
        yield (_inside(root, path) or (mask and _inside(root, mask)) or Record(path, "edited", mask or None, name=name))
    for stem in sorted(set(masks) - set(pictures)):
        yield Bad(masks[stem].relative_to(root).as_posix(), f"a mask without its picture {stem}")


def fabricate(root: Path) -> None:
    """Six fake pictures in the layout above."""
    for n, (name, ending) in enumerate((("beach", ""), ("trip/market", "_mask"), ("harbour", "_gt"))):
        pixels, mask = _fabric.forged(n)
        _fabric.save(pixels, root / "images" / f"{name}.jpg", quality=90)
        _fabric.save(mask, root / "masks" / f"{name}{ending}.png")
        _fabric.save(_fabric.scene(n + 10), root / "authentic" / f"plain{n}.jpg", quality=90)


def _inside(root: Path, path: Path) -> Bad | None:
    """None if the file really lies below the root."""
    if path.resolve().is_relative_to(root.resolve()):
        return None
    return Bad(path.relative_to(root).as_posix(), "a symbolic link that leads out of the folder")
