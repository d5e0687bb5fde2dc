"""The index: what it holds, growing and shrinking, errors as rows, other people's folders, and kills at any moment."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ifdl.trace import features, index
from ifdl.trace.index import BadIndex, Index
from tests.trace.pictures import archive, photographs, save


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of four pictures and a broken one in `a`, and its index in `i`."""
    place = tmp_path_factory.mktemp("trace")
    archive(place / "a" / "deep")
    (place / "a" / "broken.jpg").write_bytes((place / "a" / "deep" / "coffee.jpg").read_bytes()[:2000])
    (place / "a" / "notes.txt").write_text("no picture")
    with Index(place / "i", write=True) as made:
        counts = made.update(index.pictures(place / "a"), workers=1)
    assert (counts.added, counts.failed) == (4, 1)
    return place


@pytest.fixture
def copied(built: Path, tmp_path: Path) -> Path:
    """A copy of the index alone, to be changed; its pictures stay where they are."""
    shutil.copytree(built / "i", tmp_path / "i")
    return tmp_path / "i"


def sound(place: Path) -> dict[str, bytes]:
    """Every picture's features by file name, after checking that the index can be opened and is whole."""
    with Index(place) as held:
        found = {}
        for entry in held.entries:
            own = held.features(entry)
            assert len(own) == entry.count > 0 and own.places.max() < max(entry.width, entry.height)
            found[Path(entry.path).name] = own.words.tobytes()
        owners = held.owners()
        assert sum(e.count for e in held.entries) == np.count_nonzero(owners >= 0)
    return found


def test_what_it_holds(built: Path) -> None:
    with Index(built / "i") as held:
        assert len(held) == 4
        entry = next(e for e in held.entries if e.path.endswith("coffee.jpg"))
        assert (entry.width, entry.height, entry.format) == (320, 213, "JPEG") and len(entry.sha256) == 64
        assert len(entry.layout) == 192 and entry.phash != entry.mirrored_phash
        expected = features.extract(np.asarray(held.pixels(entry)))
        own = held.features(entry)
        np.testing.assert_array_equal(own.words, expected.words)
        np.testing.assert_allclose(own.places, expected.places)
        np.testing.assert_allclose(own.sizes, expected.sizes, rtol=1e-3)
        np.testing.assert_allclose(own.turns, expected.turns, atol=0.2)
        assert len(held.errors()) == 1 and "broken.jpg" in held.errors()[0][0]


def test_blocks_cover_every_picture_once(built: Path) -> None:
    with Index(built / "i") as held:
        for most in (1, 500, 10**6):
            seen = []
            for first, after, words, starts in held.blocks(most):
                ends = [*starts[1:], len(words)]
                for n, start, end in zip(range(first, after), starts, ends, strict=True):
                    np.testing.assert_array_equal(words[start:end], held.features(held.entries[n]).words)
                    seen.append(n)
            assert seen == list(range(4))


def test_unchanged_files_are_left_alone_and_changed_ones_are_read_again(copied: Path, tmp_path: Path) -> None:
    new = save(tmp_path / "new.jpg", photographs()["coffee"][:, :200])
    with Index(copied, write=True) as held:
        files = [Path(e.path) for e in held.entries]
        counts = held.update([*files, new, new], workers=1)
        assert (counts.added, counts.unchanged, len(held)) == (1, 4, 5)
    save(new, photographs()["rocket"])
    with Index(copied, write=True) as held:
        assert held.update([*files, new], workers=1).added == 1
        assert len(held) == 5 and held.entries[-1].width == 320
    sound(copied)


def test_removed_pictures_are_gone_and_the_others_stay_as_they_were(copied: Path) -> None:
    before = sound(copied)
    with Index(copied, write=True) as held:
        gone = next(e.path for e in held.entries if e.path.endswith("chelsea.jpg"))
        assert held.update([], remove=[gone, "never there"]).removed == 1
        assert len(held) == 3
    after = sound(copied)
    assert after == {name: data for name, data in before.items() if name != "chelsea.jpg"}


def test_room_of_removed_pictures_is_given_back(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "SPARE", 0)
    before = sound(copied)
    size = (copied / "features-0.bin").stat().st_size
    with Index(copied) as reader, Index(copied, write=True) as held:
        kept = reader.features(reader.entries[-1])
        name = Path(reader.entries[-1].path).name
        held.update([], remove=[e.path for e in held.entries[:3]])
        assert [p.name for p in copied.glob("*.bin")] == ["features-1.bin"]
        assert (copied / "features-1.bin").stat().st_size < size / 2
        # Whoever had it open still sees what was there.
        np.testing.assert_array_equal(reader.features(reader.entries[-1]).words, kept.words)
    assert sound(copied) == {name: before[name]}


def test_an_index_can_be_asked_while_it_grows(copied: Path, tmp_path: Path) -> None:
    with Index(copied) as reader:
        before = [reader.features(e).words for e in reader.entries]
        with Index(copied, write=True) as held:
            held.update([], remove=[held.entries[-1].path])
            held.update([save(tmp_path / "new.jpg", photographs()["rocket"][:, :150])], workers=1)
        for entry, words in zip(reader.entries, before, strict=True):
            np.testing.assert_array_equal(reader.features(entry).words, words)


def test_two_writers_take_turns(copied: Path, tmp_path: Path) -> None:
    with Index(copied, write=True) as one, Index(copied, write=True) as two:
        one.update([save(tmp_path / "one.jpg", photographs()["rocket"][:, :150])], workers=1)
        two.update([save(tmp_path / "two.jpg", photographs()["coffee"][:, :150])], workers=1)
    found = sound(copied)
    assert {"one.jpg", "two.jpg"} <= set(found) and len(found) == 6


def test_what_an_interruption_left_behind_the_end_is_written_over(copied: Path, tmp_path: Path) -> None:
    before = sound(copied)
    with (copied / "features-0.bin").open("ab") as file:
        file.write(b"half a feature")
    (copied / "features-7.bin").write_bytes(b"a new file that never came to count")
    assert sound(copied) == before
    with Index(copied, write=True) as held:
        held.update([save(tmp_path / "new.jpg", photographs()["rocket"])], workers=1)
    assert not (copied / "features-7.bin").exists()
    after = sound(copied)
    assert {name: after[name] for name in before} == before and "new.jpg" in after


CHILD = """
import sys
from pathlib import Path
from ifdl.trace import index
index.AT_ONCE, index.SPARE = 2, 0
with index.Index(Path(sys.argv[1]), write=True) as held:
    print("ready", flush=True)
    files = index.pictures(Path(sys.argv[2]))
    while True:
        held.update(files, workers=1)
        held.update([], remove=[str(f) for f in files[:4]])
"""


def test_a_kill_at_any_moment_leaves_a_sound_index(tmp_path: Path) -> None:
    for number, (name, pixels) in enumerate(photographs(96).items()):
        for part in range(2):
            save(tmp_path / "a" / f"{number}{part}-{name}.jpg", np.roll(pixels, 8 * part, 1))
    with Index(tmp_path / "i", write=True) as held:
        held.update(index.pictures(tmp_path / "a"), workers=1)
    expected = sound(tmp_path / "i")
    assert len(expected) == 8
    rng = random.Random(7)
    for _ in range(5):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path / "i"), str(tmp_path / "a")],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        time.sleep(rng.uniform(0, 1.5))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        found = sound(tmp_path / "i")
        assert len(found) >= 4, "four pictures are never removed"
        assert all(expected[name] == data for name, data in found.items())
    with Index(tmp_path / "i", write=True) as held:
        held.update(index.pictures(tmp_path / "a"), workers=1)
    assert sound(tmp_path / "i") == expected


def test_other_folders_files_and_versions_are_refused(copied: Path, tmp_path: Path) -> None:
    with pytest.raises(BadIndex, match="is no index; make one"):
        Index(tmp_path / "nothing")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "holiday.txt").write_text("mine")
    with pytest.raises(BadIndex, match="folder of something else"):
        Index(tmp_path / "other", write=True)
    assert [p.name for p in (tmp_path / "other").iterdir()] == ["holiday.txt"]
    (tmp_path / "false").mkdir()
    (tmp_path / "false" / "facts.sqlite").write_bytes(b"not a data base, by no means whatever" * 99)
    with pytest.raises(BadIndex, match="is no index"):
        Index(tmp_path / "false")
    facts = sqlite3.connect(copied / "facts.sqlite")
    made = facts.execute("SELECT value FROM about WHERE key = 'made'").fetchone()[0]
    facts.execute("UPDATE about SET value = ? WHERE key = 'made'", (made.replace("RootSIFT", "RootSIFT2"),))
    facts.commit()
    for write in (False, True):
        with pytest.raises(BadIndex, match=r"made otherwise.*index again"):
            Index(copied, write=write)


def test_a_shortened_file_is_noticed(copied: Path) -> None:
    os.truncate(copied / "features-0.bin", 1000)
    with pytest.raises(BadIndex, match="shorter"):
        Index(copied)


def test_names_that_are_no_text(copied: Path, tmp_path: Path) -> None:
    file = Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.jpg"))
    (tmp_path / "x.jpg").write_bytes(save(file, photographs()["rocket"][:, :150]).read_bytes()[:300])
    broken = (tmp_path / "x.jpg").rename(Path(os.fsdecode(bytes(tmp_path) + b"/br\xf6ken.jpg")))
    with Index(copied, write=True) as held:
        counts = held.update([file, broken], workers=1)
        assert (counts.added, counts.failed) == (1, 1)
        entry = next(e for e in held.entries if e.path == str(file))
        assert held.pixels(entry) is not None
        assert held.update([file, broken], workers=1).unchanged == 2
        assert held.update([], remove=[str(file)]).removed == 1


def test_pixels_of_a_changed_or_lost_file_are_refused(built: Path, tmp_path: Path) -> None:
    with Index(built / "i") as held:
        entry = held.entries[0]
        assert held.pixels(entry) is not None
        assert held.pixels(replace(entry, path=str(tmp_path / "gone.jpg"))) is None
        other = save(tmp_path / "other.jpg", photographs()["rocket"], 50)
        assert held.pixels(replace(entry, path=str(other))) is None


def test_pictures_of_a_folder(built: Path) -> None:
    names = [p.name for p in index.pictures(built / "a")]
    assert names == ["broken.jpg", "astronaut.jpg", "chelsea.jpg", "coffee.jpg", "rocket.jpg"]
    one = built / "a" / "deep" / "coffee.jpg"
    assert index.pictures(one) == [one.resolve()]
    with pytest.raises(FileNotFoundError):
        index.pictures(built / "missing")
