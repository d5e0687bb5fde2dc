"""Content credentials (C2PA) of a file, read and checked in a process of its own, offline.

The library that checks signatures reads hostile bytes, so it runs in a child under limits of time and memory, as
decoders do; only text comes back. Nothing is fetched: neither remote manifests nor revocation lists. A list of trusted
signers (PEM) is used where `$IFDL_TRUST_LIST` names one.

    python -m ifdl.intake.credentials MEDIA_TYPE [TRUST_LIST]      bytes on stdin, JSON on stdout
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ifdl.intake.limits import Limits

MARKS = (b"jumb", b"c2pa")  # a file without both holds no manifest, and needs no child
TRUST = "IFDL_TRUST_LIST"
MOST = 16 * 1024**2  # bytes of an answer


def read(data: bytes, media_type: str, limits: Limits = Limits()) -> dict[str, Any] | None:  # noqa: B008
    """The manifest store as the library reports it, with "trust_list" (a path or None); None without credentials.

    A store that cannot be read gives {"unreadable": why}.
    """
    if not all(mark in data for mark in MARKS):
        return None
    listed = trust_list()
    words = [sys.executable, "-P", "-m", "ifdl.intake.credentials", media_type, str(limits.memory)]
    from ifdl.intake.isolate import _environment

    try:
        done = subprocess.run(
            [*words, *([str(listed)] if listed else [])],
            input=data, capture_output=True, timeout=limits.seconds, env=_environment(), check=False,
        )  # fmt: skip
        found: dict[str, Any] | None = json.loads(done.stdout[:MOST])
    except subprocess.TimeoutExpired:
        found = {"unreadable": f"checking them took longer than {limits.seconds:g} s"}
    except ValueError:
        found = {"unreadable": "the library that checks them failed on this file"}
    return None if found is None else found | {"trust_list": str(listed) if listed else None}


def trust_list() -> Path | None:
    """The list of trusted signers that was named. Raises FileNotFoundError where it is not there."""
    named = os.environ.get(TRUST)
    if not named:
        return None
    if not Path(named).is_file():
        raise FileNotFoundError(f"${TRUST} names {named}, and there is no such file")
    return Path(named)


def checked(data: bytes, media_type: str, anchors: str | None) -> dict[str, Any] | None:
    """The work of the child: the library's report; None where the file holds no manifest."""
    import c2pa

    settings: dict[str, Any] = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True}}
    if anchors:
        settings["trust"] = {"trust_anchors": anchors}
    c2pa.load_settings(json.dumps(settings))
    try:
        with c2pa.Reader(media_type, io.BytesIO(data)) as reader:
            return dict(json.loads(reader.json()))
    except c2pa.C2paError as error:
        if "ManifestNotFound" in str(error) or "ManifestNotFound" in type(error).__name__:
            return None
        return {"unreadable": str(error)[:200]}


def main() -> None:
    """Read stdin, print JSON."""
    from ifdl.intake.child import apply_limits

    media_type, memory, *listed = sys.argv[1:]
    anchors = Path(listed[0]).read_text(encoding="utf-8") if listed else None
    import c2pa  # noqa: F401  (loaded before files are forbidden)

    apply_limits(int(memory))
    print(json.dumps(checked(sys.stdin.buffer.read(), media_type, anchors)))


if __name__ == "__main__":
    main()
