"""What a file says about itself: EXIF, IPTC, XMP, PNG text and comments, as plain strings."""

from __future__ import annotations

from PIL import Image

from ifdl.types import Metadata


def read(data: bytes, form: str, image: Image.Image) -> Metadata:
    """All statements found, in file order; what cannot be parsed becomes a warning."""
    return Metadata()


def orientation(said: Metadata, form: str) -> int:
    """EXIF orientation 1-8; 1 where it is missing or out of range."""
    return 1
