"""For schemathesis: bytes that are a picture, so that what is well formed is also examined."""

from __future__ import annotations

import schemathesis
from hypothesis import strategies
from PIL import Image

from tests.intake.hostile import saved, scene

SMALL = Image.fromarray(scene((40, 32)))
PICTURES = [
    saved("JPEG", SMALL, quality=80),
    saved("PNG", SMALL),
    saved("WEBP", SMALL),
    saved("PNG", SMALL.convert("L")),
]

schemathesis.openapi.media_type("application/octet-stream", strategies.sampled_from(PICTURES))
