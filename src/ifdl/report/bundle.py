"""One zip to hand on: the report in every form, masks and layers, hashes of all, and how to check it.

The same report gives the same bytes: entries are sorted and carry no time. The picture itself is left out unless
asked for, since whoever may see the report may not see the picture.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile

from ifdl.types import Report

EPOCH = (1980, 1, 1, 0, 0, 0)
READ_ME = """Evidence bundle of ifdl {version}

report.html       to read; opens without a network
report.json       to compute with; its schema is in the ifdl package
report.sarif      for tools that read SARIF 2.1.0
overlay.png, mask*.png, layers/    what the report points at (absent where it points at nothing)
manifest.json     sha256 of every file here and of the picture examined

The picture examined: {name}
sha256 {sha256}

To check the report: pip install ifdl=={version}
    ifdl verify report.json PICTURE
runs the examination again on the picture and names every hash, version and number that differs.
"""


def to_bundle(report: Report, files: dict[str, bytes], picture: bool = False) -> bytes:
    """The zip's bytes; `files` are what `ifdl.report.contents` gives, `picture` adds the file examined."""
    from ifdl.report.sarif import to_sarif

    held = dict(files) | {"report.sarif": to_sarif(report).encode()}
    about = READ_ME.format(version=report.environment.ifdl, name=_plain(report.item.name), sha256=report.item.sha256)
    held["README.txt"] = about.encode()
    if picture and report.picture is not None:
        held[f"picture.{report.item.format.lower()}"] = report.picture.data
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(held.items())}
    manifest = {"picture": {"name": report.item.name, "sha256": report.item.sha256}, "files": hashes}
    held["manifest.json"] = (json.dumps(manifest, indent=2, ensure_ascii=True) + "\n").encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(held):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, held[name])
    return buffer.getvalue()


def _plain(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name)
