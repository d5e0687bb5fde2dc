"""The one declared way from stored samples to the 8-bit RGB that clues measure.

Every step is recorded in words. RGB and grey samples are never colour-managed: a profile conversion
would disturb the very statistics the clues look for, so an embedded ICC profile is named and left
alone. Only CMYK and Lab, which have no other way to RGB, go through their profile.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from ifdl.intake.errors import UnsupportedFormat


def to_rgb8(image: Image.Image, name: str, bit_depth: int) -> tuple[NDArray[np.uint8], float | None, list[str]]:
    """(pixels uint8 H×W×3, share of pixels that are not opaque or None, steps in words).

    Orientation is never applied. Raises UnsupportedFormat for 32-bit samples, whose range is unknown.
    """
    steps: list[str] = []
    mode = image.mode
    if mode in ("I;16", "I;16L", "I;16B", "I;16N", "I"):
        if mode == "I" and bit_depth > 16:
            raise _unsupported(name, bit_depth)
        grey = np.asarray(image).astype(np.uint32)
        steps.append("16-bit grey divided by 257 and rounded to 8 bits, repeated in R, G and B")
        eight = ((np.minimum(grey, 65535) + 128) // 257).astype(np.uint8)
        return np.repeat(eight[:, :, None], 3, axis=2), None, steps
    if mode == "F" or bit_depth > 16:
        raise _unsupported(name, bit_depth)
    if bit_depth > 8:
        steps.append(f"{bit_depth}-bit samples reduced to 8 bits by the decoder")
    transparent = None
    if mode in ("P", "PA"):
        steps.append("palette colours looked up")
        image = image.convert("RGBA" if mode == "PA" or "transparency" in image.info else "RGB")
    elif mode == "1":
        steps.append("1-bit samples spread to 0 and 255, repeated in R, G and B")
        image = image.convert("RGB")
    elif mode == "L":
        steps.append("grey repeated in R, G and B")
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif mode == "LA":
        steps.append("grey repeated in R, G and B")
        image = image.convert("RGBA")
    elif mode in ("CMYK", "LAB"):
        image, step = _through_profile(image)
        steps.append(step)
    elif mode == "YCbCr":
        steps.append("YCbCr to RGB (JFIF)")
        image = image.convert("RGB")
    elif mode == "RGBa":
        steps.append("premultiplied alpha undone")
        image = image.convert("RGBA")
    elif mode == "RGB" and "transparency" in image.info:
        image = image.convert("RGBA")
    elif mode not in ("RGB", "RGBA", "RGBX"):
        raise UnsupportedFormat(name, f"colour mode {mode} is not read; convert it to 8-bit RGB without resizing.")
    if image.mode == "RGBA":
        alpha = np.asarray(image.getchannel("A"))
        transparent = float(np.count_nonzero(alpha < 255) / max(alpha.size, 1))
        steps.append("alpha set aside; the colours under it are kept as stored")
    pixels = np.asarray(image)
    if pixels.shape[2] > 3:
        pixels = pixels[:, :, :3]
    return np.ascontiguousarray(pixels, dtype=np.uint8), transparent, steps


def profile_name(icc: bytes | None) -> str | None:
    """The name an embedded ICC profile gives itself; None without a profile."""
    if not icc:
        return None
    try:
        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc))).strip()[:120] or "unnamed"
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return "unreadable"


def _through_profile(image: Image.Image) -> tuple[Image.Image, str]:
    mode, icc = image.mode, image.info.get("icc_profile")
    if mode == "LAB":
        source = ImageCms.createProfile("LAB")
        return _transform(image, ImageCms.ImageCmsProfile(source)), "Lab to sRGB (relative colorimetric)"
    if icc:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            return _transform(image, profile), "CMYK to sRGB through its ICC profile (relative colorimetric)"
        except (ImageCms.PyCMSError, OSError):
            pass
    return image.convert("RGB"), "CMYK to RGB without a profile (colours approximate)"


def _transform(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    target = ImageCms.createProfile("sRGB")
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    done = ImageCms.profileToProfile(image, source, target, renderingIntent=intent, outputMode="RGB")
    if done is None:
        raise OSError("the colour transform gave nothing back")
    return done


def _unsupported(name: str, bit_depth: int) -> UnsupportedFormat:
    return UnsupportedFormat(
        name, f"{bit_depth}-bit samples have no fixed range; convert the picture to 8 or 16 bits and try again."
    )
