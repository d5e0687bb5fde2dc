"""The table while it grows: nothing lost, nothing doubled, whatever the order of events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pq = pytest.importorskip("pyarrow.parquet", reason="the batch extra is not installed")

from ifdl.serve.batching import store as stores  # noqa: E402
from ifdl.serve.batching.store import Store, parts_of  # noqa: E402
from ifdl.serve.batching.table import error_row, schema  # noqa: E402


def sha(n: int) -> str:
    return f"{n:064x}"


def done(n: int, uri: str = "") -> dict[str, Any]:
    return {"sha256": sha(n), "uri": uri or f"{n}.jpg", "status": "examined", "stage": "expert"}


def rows(out: Path) -> list[dict[str, Any]]:
    table = pq.read_table(out)
    assert table.schema.equals(schema(), check_metadata=True)
    return table.to_pylist()  # type: ignore[no-any-return]


def test_parts_become_one_table(tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    with Store(out, "p", part_rows=2) as store:
        for n in range(5):
            store.add(done(n))
        assert len(list(parts_of(out).glob("*.parquet"))) == 2
        assert store.finish() == 5
    assert [r["uri"] for r in rows(out)] == [f"{n}.jpg" for n in range(5)]
    assert not parts_of(out).exists()
    assert {r["pipeline"] for r in rows(out)} == {"p"}


def test_goes_on_from_parts_and_from_a_finished_table(tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    with Store(out, "p") as store:
        store.add(done(1))
    (parts_of(out) / "00000009.parquet.draft").write_bytes(b"half written")
    with Store(out, "p") as store:
        assert store.done == {bytes.fromhex(sha(1))}
        store.add(done(2))
        store.finish()
    with Store(out, "p") as store:
        assert len(store.done) == 2
        store.add(done(3))
        assert store.finish() == 3
    assert [r["sha256"] for r in rows(out)] == [sha(1), sha(2), sha(3)]


def test_killed_between_table_and_removal_of_the_parts(tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    with Store(out, "p") as store:
        store.add(done(1))
        store.seen(sha(1), "twin.jpg")
        store.flush()
        kept = {p.name: p.read_bytes() for p in parts_of(out).glob("*.parquet")}
        store.finish()
    parts_of(out).mkdir()
    for name, data in kept.items():
        (parts_of(out) / name).write_bytes(data)
    with Store(out, "p") as store:
        assert store.finish() == 1
    assert rows(out)[0]["also"] == ["twin.jpg"]


def test_other_names_of_the_same_bytes(tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    with Store(out, "p") as store:
        store.add(done(1, "a.jpg"))
        for name in ("b.jpg", "a.jpg", "b.jpg", "c.jpg"):
            store.seen(sha(1), name)
        store.finish()
    assert rows(out)[0]["uri"] == "a.jpg" and rows(out)[0]["also"] == ["b.jpg", "c.jpg"]
    with Store(out, "p") as store:
        store.seen(sha(1), "d.jpg")
        store.add(done(1, "a.jpg"))  # twice on a cluster
        store.finish()
    assert rows(out)[0]["also"] == ["b.jpg", "c.jpg", "d.jpg"]


def test_another_pipeline_is_another_row(tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    with Store(out, "p") as store:
        store.add(done(1))
        store.finish()
    with Store(out, "q") as store:
        assert not store.done
        store.add(done(1))
        store.finish()
    assert [(r["sha256"], r["pipeline"]) for r in rows(out)] == [(sha(1), "p"), (sha(1), "q")]


def test_what_could_not_be_read_stays_until_it_can(tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    with Store(out, "p") as store:
        store.add(error_row("a.jpg", "missing", "gone", "read"))
        store.add(error_row("b.jpg", "missing", "gone", "read"))
        store.add(error_row("c.jpg", "missing", "gone", "read"))
        store.add(done(2, "first.jpg"))
        store.finish()
    with Store(out, "p") as store:
        store.add(error_row("a.jpg", "missing", "still", "read"))
        store.add(done(1, "b.jpg"))
        store.seen(sha(2), "c.jpg")
        store.finish()
    found = {r["uri"]: r for r in rows(out)}
    assert set(found) == {"a.jpg", "b.jpg", "first.jpg"}
    assert found["a.jpg"]["error"]["reason"] == "still" and found["b.jpg"]["status"] == "examined"
    assert found["first.jpg"]["also"] == ["c.jpg"]


def test_retry_takes_errors_again(tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    with Store(out, "p") as store:
        store.add(error_row("a.jpg", "died", "why", "decode", sha(1), 10))
        store.finish()
    with Store(out, "p") as store:
        assert len(store.done) == 1
    with Store(out, "p", retry=True) as store:
        assert not store.done
        store.add(done(1, "a.jpg"))
        assert store.finish() == 1
    assert rows(out)[0]["status"] == "examined"


def test_one_at_a_time(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="no locks on this platform")
    with Store(tmp_path / "t.parquet", "p"), pytest.raises(ValueError, match="another"):
        Store(tmp_path / "t.parquet", "p")
    with Store(tmp_path / "t.parquet", "p"):
        pass


def test_a_stranger_is_not_written_over(tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    out.write_text("mine")
    with pytest.raises(ValueError, match="is no table"):
        Store(out, "p")
    assert out.read_text() == "mine"


def test_large_tables_keep_their_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "GROUP", 4)
    out = tmp_path / "t.parquet"
    with Store(out, "p", part_rows=3) as store:
        for n in range(10):
            store.add(done(n))
        assert store.finish() == 10
    assert pq.ParquetFile(out).num_row_groups == 2 and len({r["sha256"] for r in rows(out)}) == 10
