"""The decoding process: reads requests on stdin, answers on stdout, holds no secrets and writes no files.

Run as `python -m ifdl.intake.child` by `ifdl.intake.isolate`. Everything crosses the pipes as lengths,
JSON and raw pixels; nothing is pickled, so a subverted child can at worst return a wrong picture.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import asdict, replace
from typing import BinaryIO

from pydantic import TypeAdapter

from ifdl.intake import pdf
from ifdl.intake.decode import ADVICE_DAMAGED, decode
from ifdl.intake.errors import Corrupt, IntakeError, OutOfMemory
from ifdl.intake.limits import Limits
from ifdl.intake.part import MAIN, Part
from ifdl.types import Item, Picture

READY = b"ifdl"
# What libtiff prints while it fills a damaged strip with whatever it has.
DAMAGE = ("bad code word", "read error", "uncompressed data (not supported)", "premature eof", "not enough data",
          "line length mismatch", "corrupted", "using zeroes", "premature eol", "bad 2d code word")  # fmt: skip
MOST_MESSAGES = 20


def apply_limits(memory: int) -> dict[str, bool]:
    """Bind this process to its limits and say which of them the platform really enforces."""
    try:
        import resource
    except ImportError:  # Windows
        return {"memory": False, "files": False, "core_dumps": False}
    enforced = {}
    for name, kind, value in (
        ("memory", resource.RLIMIT_AS, memory),
        ("files", resource.RLIMIT_FSIZE, 0),
        ("core_dumps", resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.setrlimit(kind, (value, value))
            enforced[name] = True
        except (ValueError, OSError):
            enforced[name] = False
    # macOS accepts an address-space limit and then ignores it.
    enforced["memory"] &= sys.platform.startswith("linux")
    return enforced


def serve(requests: BinaryIO, answers: BinaryIO, chatter: int) -> None:
    """Answer requests until stdin closes. `chatter` is the read end of what C libraries print, or -1."""
    answers.write(READY)
    answers.flush()
    while size := requests.read(4):
        header = json.loads(requests.read(int.from_bytes(size, "big")))
        data = requests.read(header["bytes"])
        name = header["name"]
        limits = Limits(**header["limits"])
        try:
            if header["outline"]:
                found = asdict(pdf.outline(data, name))
                _send(answers, json.dumps({"ok": True} | found).encode())
                continue
            picture = _with_chatter(decode(data, limits, name, Part(**header["part"])), _drain(chatter))
            own = b"" if picture.data is data else picture.data
            body = (
                json.dumps({"ok": True, "own": len(own)}).encode() + b"\n" + TypeAdapter(Item).dump_json(picture.item)
            )
            _send(answers, body, picture, own)
        except IntakeError as error:
            _drain(chatter)
            _send(answers, _refusal(error))
        except MemoryError:
            _send(answers, _refusal(OutOfMemory(name, "the picture did not fit into the memory limit.")))
        picture = None  # type: ignore[assignment]  # let go of the pixels before the next request


def _refusal(error: IntakeError) -> bytes:
    return json.dumps({"ok": False, "kind": error.kind, "name": error.name, "reason": error.reason}).encode()


def _send(answers: BinaryIO, header: bytes, picture: Picture | None = None, own: bytes = b"") -> None:
    answers.write(len(header).to_bytes(4, "big"))
    answers.write(header)
    if picture is not None:
        answers.write(picture.pixels.data.cast("B"))
        answers.write(own)
    answers.flush()


def _drain(chatter: int) -> list[str]:
    text = b""
    if chatter < 0:
        return []
    with contextlib.suppress(BlockingIOError):
        while part := os.read(chatter, 65536):
            text += part
    return [line.strip()[:200] for line in text.decode("utf-8", "replace").splitlines() if line.strip()]


def _with_chatter(picture: Picture, lines: list[str]) -> Picture:
    """Refuse a picture whose decoder said that it patched damage; keep other messages as warnings."""
    if picture.item.format == "TIFF":
        damage = next((line for line in lines if any(word in line.lower() for word in DAMAGE)), None)
        if damage:
            raise Corrupt(picture.item.name, f"the picture data are damaged ({damage}); {ADVICE_DAMAGED}.")
    if not lines:
        return picture
    container = picture.item.container
    warnings = (*container.warnings, *dict.fromkeys(lines[:MOST_MESSAGES]))
    return replace(picture, item=replace(picture.item, container=replace(container, warnings=warnings)))


def main() -> None:
    """Set the limits, move stray output out of the way, then serve."""
    answers = os.fdopen(os.dup(1), "wb")
    try:
        chatter, write_end = os.pipe()
        os.set_blocking(chatter, False)
        os.set_blocking(write_end, False)
    except (AttributeError, OSError):  # Windows before Python 3.12
        chatter, write_end = -1, os.open(os.devnull, os.O_WRONLY)
    os.dup2(write_end, 1)
    os.dup2(write_end, 2)
    apply_limits(int(sys.argv[1]))
    # A vanished parent is no error of ours.
    with contextlib.suppress(BrokenPipeError):
        serve(sys.stdin.buffer, answers, chatter)


def request(name: str, data: bytes, limits: Limits, wanted: Part = MAIN, outline: bool = False) -> bytes:
    """The header that announces `data`; the bytes follow it. `outline` asks what a PDF holds, not for a picture."""
    # A file's name need not be text; what is no text has no place in a report.
    shown = name.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    asked = {"name": shown, "bytes": len(data), "limits": asdict(limits), "part": asdict(wanted), "outline": outline}
    header = json.dumps(asked).encode()
    return len(header).to_bytes(4, "big") + header


if __name__ == "__main__":
    main()
