"""Decoding in a child: the same Picture, real limits, clean refusals, and life after a crash."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from ifdl import intake
from ifdl.intake import isolate
from ifdl.intake.errors import BY_KIND, IntakeError
from tests.intake import hostile

JPEG = hostile.saved("JPEG")


def big_png(side: int) -> bytes:
    return hostile.png(side, side, 8, 2, bytes((3 * side + 1) * side))


def test_child_and_pure_function_agree() -> None:
    mine, theirs = intake.decode(JPEG, name="a.jpg"), intake.load(JPEG, name="a.jpg")
    assert mine.item == theirs.item
    assert np.array_equal(mine.pixels, theirs.pixels)
    assert theirs.data == JPEG


def test_load_reads_a_path_and_checks_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(JPEG)
    good = intake.load(path)
    assert good.item.name == "photo.jpg"
    assert intake.load(path, isolated=False, sha256=good.item.sha256).item == good.item
    with pytest.raises(IntakeError) as refusal:
        intake.load(path, isolated=False, sha256="0" * 64)
    assert refusal.value.kind == "corrupt"


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    cases = {tmp_path / "absent.jpg": "missing", tmp_path: "not_a_file"}
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        cases[tmp_path / "pipe.jpg"] = "not_a_file"
    for path, kind in cases.items():
        with pytest.raises(IntakeError) as refusal:
            intake.load(path)
        assert refusal.value.kind == kind


def test_file_size_limit() -> None:
    with pytest.raises(IntakeError) as refusal:
        intake.load(JPEG, intake.Limits(file_bytes=100))
    assert refusal.value.kind == "file_too_large"


def test_pixel_limit_is_settable() -> None:
    with pytest.raises(IntakeError) as refusal:
        intake.load(JPEG, intake.Limits(pixels=1000))
    assert refusal.value.kind == "too_many_pixels"
    assert "--max-pixels" in str(refusal.value)


def test_time_limit_kills() -> None:
    with pytest.raises(IntakeError) as refusal:
        intake.load(big_png(6000), intake.Limits(seconds=0.05))
    assert refusal.value.kind == "timed_out"


@pytest.mark.skipif(not isolate.enforced_limits()["memory"], reason="this platform enforces no memory limit")
def test_memory_limit_refuses_and_the_child_lives_on() -> None:
    with intake.Decoder(intake.Limits(memory=600 * 1024**2)) as decoder:
        with pytest.raises(IntakeError) as refusal:
            decoder.decode(big_png(9000))
        assert refusal.value.kind == "out_of_memory"
        assert decoder.decode(JPEG).width == 96


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_a_crash_is_a_refusal_and_a_new_child_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with intake.Decoder() as decoder:
        decoder.decode(JPEG)
        process = decoder._process
        assert process is not None
        os.kill(process.pid, signal.SIGSTOP)
        original = isolate.request

        def crash(*arguments: object) -> bytes:
            process.send_signal(signal.SIGKILL)
            return original(*arguments)  # type: ignore[arg-type]

        with monkeypatch.context() as patched:
            patched.setattr(isolate, "request", crash)
            with pytest.raises(IntakeError) as refusal:
                decoder.decode(JPEG)
        assert refusal.value.kind == "decoder_crashed"
        assert decoder.decode(JPEG).width == 96


def test_child_cannot_write_files() -> None:
    if not isolate.enforced_limits()["no_file_writes"]:
        pytest.skip("this platform does not stop the decoder from writing files")
    import subprocess

    code = (
        "from ifdl.intake.child import apply_limits; import os, signal, tempfile\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "f = tempfile.TemporaryFile()\n"
        "apply_limits(2 * 1024**3)\n"
        "try:\n    os.write(f.fileno(), b'x'); print('wrote')\n"
        "except OSError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "refused"


def test_stray_output_of_codecs_does_not_break_the_protocol() -> None:
    """libtiff prints complaints; they arrive as a refusal, not as garbage in the answer."""
    from PIL import Image

    page = Image.fromarray(hostile.scene((400, 300))).convert("1")
    data = bytearray(hostile.saved("TIFF", page, compression="group4"))
    data[300:340] = bytes(40)
    with intake.Decoder() as decoder:
        try:
            decoder.decode(bytes(data), "fax.tif")
        except IntakeError as error:
            assert error.kind in ("corrupt", "truncated")
        else:
            pytest.fail("a damaged fax strip was half-read in silence")
        assert decoder.decode(JPEG).width == 96


def test_pool_keeps_order_and_turns_refusals_into_rows() -> None:
    sources = [JPEG, b"", hostile.saved("PNG"), JPEG[:500], JPEG]
    outcomes = list(intake.Pool(workers=2).load_many(sources))
    assert [getattr(o, "kind", "picture") for o in outcomes] == ["picture", "empty", "picture", "truncated", "picture"]


def test_every_kind_of_refusal_is_distinct_and_rebuildable() -> None:
    for kind, error in BY_KIND.items():
        rebuilt = error("a.jpg", "a reason.")
        assert rebuilt.kind == kind and str(rebuilt) == "a.jpg: a reason."
    assert len(BY_KIND) == len(IntakeError.__subclasses__())


def test_truncated_loading_is_off() -> None:
    from PIL import ImageFile

    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
