"""Judges of explanations: what was done scores above what was done elsewhere; sheets are blind; judges are compared."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ifdl.evaluate import _judge_agree, _judge_sheet, judge
from ifdl.evaluate._judge_model import ModelJudge
from ifdl.explain.openai_compatible import Server
from tests.photographs import bundled


@pytest.fixture(scope="module")
def forged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small forged set; its manifest."""
    work = tmp_path_factory.mktemp("judge")
    (work / "photos").mkdir()
    for photograph in bundled():
        (work / "photos" / photograph.name).write_bytes(photograph.data)
    words = ("forge", str(work / "photos"), str(work / "forged"), "--count", "4", "--seed", "3")
    subprocess.run([sys.executable, "-m", "ifdl.serve.cli", *words], check=True, capture_output=True)
    return work / "forged" / "manifest.jsonl"


def texts(forged: Path, place: Path, shift: int) -> Path:
    """The captions of the set as texts, each given to the picture `shift` further on."""
    rows = [r for r in map(json.loads, forged.read_text().splitlines()) if isinstance(r.get("caption"), dict)]
    said = ["\n".join(f"{k.replace('_', ' ').capitalize()}: {v}" for k, v in r["caption"].items()) for r in rows]
    lines = [{"image": r["image"], "text": said[(n + shift) % len(said)]} for n, r in enumerate(rows)]
    place.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return place


def test_the_right_text_scores_above_that_of_another_picture(forged: Path, tmp_path: Path) -> None:
    own, other = (judge.cases(texts(forged, tmp_path / f"{n}.jsonl", n), forged) for n in (0, 1))
    assert len(own) >= 3
    for score in (lambda every: [judge.by_rules(c) for c in every], lambda e: judge.by_likeness(e, judge.TfIdf())):
        right, wrong = (judge.means(score(every)) for every in (own, other))
        assert sum(right.values()) > sum(wrong.values())
        assert all(0 <= v <= 5 for v in (*right.values(), *wrong.values()))


def test_a_row_without_text_or_picture_is_named(forged: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"image": "a.jpg"}\n')
    with pytest.raises(ValueError, match="line 1"):
        judge.cases(bad)
    bad.write_text('{"image": "nowhere.jpg", "text": "x"}\n')
    with pytest.raises(ValueError, match=r"has no picture nowhere\.jpg"):
        judge.cases(bad, forged)


def test_judges_agree_with_themselves_and_not_with_their_opposite(forged: Path, tmp_path: Path) -> None:
    scores = [judge.Judged(str(n), "a", {"type": float(n % 6)}, str(n)) for n in range(30)]
    turned = [replace(one, judge="b", scores={"type": 5 - one.scores["type"]}) for one in scores]
    same, opposite = (_judge_agree.of_scores(scores, other)["type"] for other in (scores, turned))
    assert json.loads(json.dumps(same, default=vars))["spearman"] != json.loads(json.dumps(opposite, default=vars))
    assert _judge_agree.spearman([1, 2, 3], [1, 2, 3]) == pytest.approx(1)
    assert _judge_agree.spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert _judge_agree.kappa([0, 1, 2, 0], [0, 1, 2, 0], 3) == pytest.approx(1)


def test_a_sheet_hides_whose_text_is_whose(forged: Path, tmp_path: Path) -> None:
    one, two = (judge.cases(texts(forged, tmp_path / f"{n}.jsonl", n), forged) for n in (0, 1))
    page, key = _judge_sheet.sheet([replace(c, said=f"<script>one</script> {c.said}") for c in one], two, seed=5)
    assert "<script>one" not in page and "Content-Security-Policy" in page
    assert len(key["rows"]) == len(one)


@pytest.fixture
def server() -> Iterator[tuple[str, list[dict[str, object]]]]:
    """A chat endpoint that gives every criterion 3."""
    asked: list[dict[str, object]] = []

    class Chat(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer({"data": [{"id": "tiny"}]})

        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            content = json.dumps(dict.fromkeys((*judge.CRITERIA, judge.OVERALL), 3) | {"reason": "so"})
            self.answer({"model": "tiny", "choices": [{"message": {"content": content}}]})

        def answer(self, told: object) -> None:
            data = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}/v1", asked
    running.shutdown()


def test_a_model_is_asked_once_and_named_with_its_seed(
    forged: Path, tmp_path: Path, server: tuple[str, list[dict[str, object]]]
) -> None:
    url, asked = server
    every = judge.cases(texts(forged, tmp_path / "own.jsonl", 0), forged)
    for _ in range(2):
        judged = ModelJudge(Server(url), tmp_path / "cache", seed=7).judge(every)
        assert [set(one.scores.values()) for one in judged] == [{3.0}] * len(every)
    assert len(asked) == len(every), "the second run is answered from the cache"
    assert all(body["seed"] == 7 and body["temperature"] == 0 for body in asked)
    assert "seed 7" in judged[0].judge and "tiny" in judged[0].judge
