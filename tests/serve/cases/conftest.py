"""Reports of a few quick tests on three pictures, made once; two of them look alike."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from ifdl import intake
from ifdl.serve.cases import Case, Mark
from ifdl.spine import examine_picture
from ifdl.types import Report
from tests.serve.test_cli import EXAMPLES

QUICK = ("hashes", "jpeg_grid", "metadata", "structure")


@pytest.fixture(scope="session")
def reports() -> dict[str, Report]:
    """By name: splice.jpg, its re-saved copy again.jpg, and retouch.jpg."""
    splice, retouch = ((EXAMPLES / name).read_bytes() for name in ("splice.jpg", "retouch.jpg"))
    again = io.BytesIO()
    Image.open(io.BytesIO(splice)).save(again, "JPEG", quality=70)
    files = {"splice.jpg": splice, "again.jpg": again.getvalue(), "retouch.jpg": retouch}
    return {n: examine_picture(intake.load(data, name=n), clues=QUICK) for n, data in files.items()}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, reports: dict[str, Report]) -> Path:
    """A case of the three, with a note and two marks on the first."""
    folder = tmp_path_factory.mktemp("cases") / "case"
    with Case(folder, create=True, who="Ada") as opened:
        for name, report in reports.items():
            opened.record(report, f"/in/{name}")
        sha256 = reports["splice.jpg"].item.sha256
        opened.note(sha256, "The Größe of the shadow is odd.")
        opened.mark(sha256, Mark.WARNING)
        opened.mark(sha256, Mark.TO_BE_CHECKED)
    return folder


@pytest.fixture
def case(tmp_path: Path, made: Path) -> Iterator[Case]:
    """A copy of it, to change."""
    shutil.copytree(made, tmp_path / "case")
    with Case(tmp_path / "case", who="Ada") as opened:
        yield opened
