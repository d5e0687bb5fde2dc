"""The pages of a case: words of people apart from the report, searches, exports that the log tells of, hostile text."""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from ifdl import intake
from ifdl.serve.cases import Case, custody
from ifdl.serve.web import recording
from ifdl.serve.web.app import create
from ifdl.serve.web.settings import Settings
from ifdl.spine import examine_picture
from ifdl.types import Report
from tests.serve.cases.conftest import QUICK
from tests.serve.test_cli import EXAMPLES
from tests.serve.web.conftest import HOME, PORT, TOKEN

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>\u202egpj.exe'


@pytest.fixture(scope="module")
def report() -> Report:
    data = (EXAMPLES / "splice.jpg").read_bytes()
    return examine_picture(intake.load(data, name=f"{HOSTILE}.jpg"), clues=QUICK)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, report: Report) -> Path:
    folder = tmp_path_factory.mktemp("cases") / "claim 7"
    assert report.picture is not None
    recording.record(folder, report, report.picture.data)
    return folder


@pytest.fixture
def visit(tmp_path: Path, made: Path) -> Iterator[tuple[TestClient, Path]]:
    """A page on a copy of that case; no worker runs."""
    folder = tmp_path / "claim 7"
    shutil.copytree(made, folder)
    app = create(Settings(port=PORT, token=TOKEN, case=folder))
    client = TestClient(app, base_url=HOME, follow_redirects=True)
    start = client.get("/", params={"token": TOKEN})
    client.headers["x-ifdl-token"] = start.text.split('name="page-token" content="')[1].split('"')[0]
    yield client, folder


def test_words_of_people_stay_apart(visit: tuple[TestClient, Path], report: Report) -> None:
    client, folder = visit
    place = f"/case/pictures/{report.item.sha256}"
    assert "The shadow" in client.post(f"{place}/note", content="The shadow is odd.").text
    marked = client.post(f"{place}/mark", content="Warning").text
    assert re.search(r'value="no mark" aria-pressed="true">Warning', marked), "pressed again it goes"
    text = client.get(place).text
    people = text.split('class="people"')[1].split("</section>")[0]
    assert "no finding of the program" in people and "The shadow is odd." in people
    assert "The shadow is odd." not in text.replace(people, "")
    with Case(folder) as case:
        assert "shadow" not in case.report(report.item.sha256) and case.broken() is None
    for wrong, content in (("note", " "), ("mark", "Fake"), ("note", "x" * 100_000)):
        assert client.post(f"{place}/{wrong}", content=content).status_code in (413, 422)
    assert client.post(f"/case/pictures/{'f' * 64}/note", content="x").status_code == 422
    assert client.post(f"{place}/note", content="x", headers={"x-ifdl-token": "no"}).status_code == 403


def test_search(visit: tuple[TestClient, Path], report: Report) -> None:
    client, _ = visit
    for asked, found in (
        ({}, 1),
        ({"name": "SCRIPT"}, 1),
        ({"name": "nothing"}, 0),
        ({"question": "local_edit", "state": "SUPPORTED"}, 1),
        ({"question": "synthetic_origin", "state": "SUPPORTED"}, 0),
        ({"mark": "Warning"}, 0),
        ({"mark": "no mark"}, 1),
        ({"since": "2999-01-01"}, 0),
        ({"skip": "50"}, 1),
    ):
        text = client.get("/case", params=asked).text
        assert f">{found} picture" in text, asked
        assert text.count('<tr><th scope="row"') == (found if "skip" not in asked else 0)
    assert "A day is written" in client.get("/case", params={"since": "soon"}).text
    assert client.get("/case", params={"state": HOSTILE}).status_code == 200


def test_exports_are_logged(visit: tuple[TestClient, Path], report: Report) -> None:
    client, folder = visit
    place = f"/case/pictures/{report.item.sha256}"
    bundle = client.get(f"{place}/report.zip")
    assert "analyst.json" in zipfile.ZipFile(io.BytesIO(bundle.content)).namelist()
    assert bundle.headers["content-disposition"].startswith("attachment")
    assert client.get(f"{place}/report.json").json()["redacted"]
    assert not client.get(f"{place}/report.json", params={"full": True}).json()["redacted"]
    assert client.get(f"{place}/report.docx").status_code == 404
    assert client.get(f"/case/pictures/{'f' * 64}/report.json").status_code == 404
    with Case(folder) as case:
        told = [row.what for row in custody.rows(case.db)]
    assert told[-3:] == ["exported: bundle, redacted", "exported: json, redacted", "exported: json, full"]
    assert "6 rows" in client.get("/case/log").text and "hold." in client.get("/case/log").text


def test_kept_picture_is_shown(visit: tuple[TestClient, Path], report: Report) -> None:
    client, folder = visit
    place = f"/case/pictures/{report.item.sha256}"
    assert client.get(f"{place}/preview.jpg").headers["content-type"] == "image/jpeg"
    assert "Examine again" in client.get(place).text
    shutil.rmtree(folder / "pictures")
    assert client.get(f"{place}/preview.jpg").status_code == 404
    assert client.post(f"{place}/again").status_code == 404
    assert "not kept in this case" in client.get(place).text
    assert "is gone or changed" in client.get("/case/log").text


def test_hostile_text_stays_text(visit: tuple[TestClient, Path], report: Report) -> None:
    client, _ = visit
    place = f"/case/pictures/{report.item.sha256}"
    client.post(f"{place}/note", content=HOSTILE.encode())
    for path in ("/case", place, "/case/log"):
        text = client.get(path, params={"name": ""}).text
        assert "<script>alert" not in text and "<img src=x" not in text and "\u202e" not in text, path
        assert not re.search(r'<[^>]+ (style|on\w+)="', text), path


def test_a_case_that_cannot_be_written_costs_no_answer(
    tmp_path: Path, report: Report, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    recording.record(tmp_path / "file" / "case", report, None)
    assert "could not be put into the case" in caplog.text


def test_no_case_no_pages() -> None:
    client = TestClient(create(Settings(port=PORT, token=TOKEN)), base_url=HOME)
    client.get("/", params={"token": TOKEN})
    assert client.get("/case").status_code == 404
