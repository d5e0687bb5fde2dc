"""The project's own list format, and the one split for everybody.

A manifest is JSON Lines, one object a picture: `image` (path beside the manifest), `label` (authentic,
edited, synthetic), `mask` (8-bit PNG of the same size, 255 = manipulated, or null), `sha256`, `source`
(the photograph it comes from), and whatever else is known.
"""

from __future__ import annotations

from enum import StrEnum


class Split(StrEnum):
    """What a photograph may be used for. Counted by photograph, never by crop."""

    TRAIN = "train"
    CALIBRATE = "calibrate"
    TEST = "test"


def split_of(source: str) -> Split:
    """The split of a photograph of `camera` or `camera_whole`, by its hexadecimal source id.

    Last decimal digit of the id: 0-5 train and forge, 6-7 thresholds and calibration, 8-9 test only.
    """
    digit = int(source, 16) % 10
    return Split.TRAIN if digit <= 5 else Split.CALIBRATE if digit <= 7 else Split.TEST
