"""Make the bundled example pictures and their masks from photographs inside scikit-image's wheel.

Run `make examples`. Terms of the photographs are in examples/README.md. Everything is fixed, so the
files come out the same wherever the same Pillow and libjpeg-turbo do the work.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from skimage import data

HERE = Path(__file__).resolve().parent


def jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def resaved(image: Image.Image, quality: int) -> Image.Image:
    """As it comes back from a JPEG file of that quality."""
    return Image.open(io.BytesIO(jpeg(image, quality))).convert("RGB")


def soft(mask: Image.Image, radius: float) -> Image.Image:
    return mask.filter(ImageFilter.GaussianBlur(radius))


def store(name: str, picture: Image.Image, mask: Image.Image | None, quality: int) -> None:
    (HERE / f"{name}.jpg").write_bytes(jpeg(picture, quality))
    if mask is not None:
        mask.point(lambda v: 255 if v else 0).convert("1").save(HERE / f"{name}_mask.png", optimize=True)


def splice() -> None:
    """A mission patch from the astronaut's suit, laid on the coffee table; both were web JPEGs before."""
    host = resaved(Image.fromarray(data.coffee()), 86)
    donor = Image.fromarray(data.astronaut()).crop((120, 330, 224, 440))
    donor = resaved(donor.resize((donor.width * 3 // 2, donor.height * 3 // 2), Image.Resampling.LANCZOS), 80)
    badge = Image.new("L", donor.size)
    ImageDraw.Draw(badge).ellipse((22, 28, 134, 142), fill=255)
    mask = Image.new("L", host.size)
    mask.paste(badge, (443, 21))
    layer = host.copy()
    layer.paste(donor, (443, 21))
    shadow = Image.new("RGB", host.size, (30, 14, 8))
    behind = soft(mask, 5).transform(mask.size, Image.Transform.AFFINE, (1, 0, -4, 0, 1, -5)).point(lambda v: v * 0.55)
    picture = Image.composite(layer, Image.composite(shadow, host, behind), soft(mask, 0.8))
    store("splice", picture, mask, 98)


def copymove() -> None:
    """A second rocket on the launch pad, copied from the first."""
    host = Image.fromarray(data.rocket())
    shape = Image.new("L", host.size)
    points = [(321, 120), (338, 150), (342, 250), (345, 392), (292, 392), (296, 300), (304, 250), (306, 150)]
    ImageDraw.Draw(shape).polygon(points, fill=255)
    shift = (78, 9)
    mask = Image.new("L", host.size)
    mask.paste(shape, shift)
    layer = Image.new("RGB", host.size)
    layer.paste(host, shift)
    store("copymove", Image.composite(layer, host, soft(mask, 1.2)), mask, 92)


def retouch() -> None:
    """A cat with blue eyes, and one whisker spot smoothed away."""
    host = resaved(Image.fromarray(data.chelsea()), 92)
    mask = Image.new("L", host.size)
    draw = ImageDraw.Draw(mask)
    draw.ellipse((138, 88, 206, 148), fill=255)
    draw.ellipse((298, 110, 342, 164), fill=255)
    hue, saturation, value = host.convert("HSV").split()
    turned = hue.point(lambda v: (v + 110) % 256)
    recoloured = Image.merge("HSV", (turned, saturation, value)).convert("RGB")
    eyes = Image.composite(recoloured, host, soft(mask, 2))
    spot = Image.new("L", host.size)
    ImageDraw.Draw(spot).ellipse((176, 190, 232, 232), fill=255)
    smooth = Image.composite(eyes.filter(ImageFilter.MedianFilter(9)), eyes, soft(spot, 3))
    both = Image.fromarray(np.maximum(np.asarray(mask), np.asarray(spot)))
    store("retouch", smooth, both, 92)


def untouched() -> None:
    """One photograph, saved once."""
    store("untouched", Image.fromarray(data.coffee()), None, 92)


if __name__ == "__main__":
    for make in (splice, copymove, retouch, untouched):
        make()
        print(f"examples/{make.__name__}.jpg")
