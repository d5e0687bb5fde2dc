"""Judges: the rule judge against the record, likeness, a model over a real server, a blinded sheet, agreement."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from ifdl.evaluate import _judge_agree as agree
from ifdl.evaluate import _judge_model as model
from ifdl.evaluate import _judge_sheet as sheets
from ifdl.evaluate import judge, text
from ifdl.evaluate._judge_tfidf import TfIdf
from ifdl.explain.openai_compatible import Server, ServerError
from ifdl.forge.record import Step
from ifdl.serve.judge_cli import app

STEP = Step(
    "splice", "pasted from another picture", "a region of grass", (0, 60, 20, 30), traces=("foreign_grid",),
    cues=("edges", "noise"),
)  # fmt: skip
RIGHT = (
    "Type: Partially edited\nAreas: lower left\nTampered content: grass, pasted from another picture\n"
    "Visual inconsistencies: hard edges, other noise"
)
WRONG = "Type: Authentic\nAreas: upper right\nTampered content: a dog\nVisual inconsistencies: shadow"


def case(said: str, name: str = "a", reference: str | None = RIGHT) -> judge.Case:
    mask = np.zeros((90, 90), bool)
    mask[60:, :20] = True
    return judge.Case(name, said, reference, (STEP,), mask, f"photo {name}")


# ---------------------------------------------------------------- rules and likeness


def test_rules_follow_the_record() -> None:
    right, wrong, empty = (judge.by_rules(case(said)).scores for said in (RIGHT, WRONG, ""))
    assert right == {
        "type": 5.0, "areas": 5.0, "tampered_content": 5.0, "visual_inconsistencies": 5.0, "overall": 5.0
    }  # fmt: skip
    assert set(wrong.values()) == set(empty.values()) == {0.0}
    half = judge.by_rules(case(RIGHT.replace("lower left", "upper right"))).scores
    assert half["areas"] == 0.0 and half["overall"] == pytest.approx(3.75)


def test_rules_on_an_authentic_picture_and_without_record() -> None:
    untouched = judge.Case("u", "Type: Authentic\nAreas: none", steps=())
    assert judge.by_rules(untouched).scores == {"type": 5.0, "areas": 5.0, "overall": 5.0}
    accused = judge.Case("u", "Type: Edited\nAreas: left", steps=())
    assert judge.by_rules(accused).scores["overall"] == 0.0
    with pytest.raises(ValueError, match="no record"):
        judge.by_rules(judge.Case("x", "Type: Edited"))


def test_likeness_by_the_fallback_says_so_and_orders_texts() -> None:
    judged = judge.by_likeness([case(RIGHT), case(RIGHT.replace("lower left", "left"), "b"), case("", "c")], TfIdf())
    overall = [one.scores["overall"] for one in judged]
    assert overall[0] == pytest.approx(5.0, abs=1e-3) and overall[0] > overall[1] > 0.0 == overall[2]
    assert all("TF-IDF" in one.judge and "fallback" in one.judge for one in judged)
    fields = judged[0].scores
    assert fields["overall"] == pytest.approx(np.mean([fields[c] for c in judge.CRITERIA]), abs=1e-3)


def test_fallback_never_comes_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> text.SentenceModel:
        raise ImportError('pip install "ifdl[text]"')

    monkeypatch.setattr(text, "minilm", missing)
    with pytest.raises(ImportError, match="ifdl\\[text\\]"):
        judge.embedder(fallback=False)
    assert isinstance(judge.embedder(fallback=True), TfIdf)


def test_tfidf_agrees_with_scikit_learn() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = ["the part at the left", "the part at the right is noisy", "noise, noise and noise"]
    ours = TfIdf().fitted(texts)(texts)[:, :-1]
    theirs = TfidfVectorizer(token_pattern=r"[^\W_]+").fit_transform(texts).toarray()
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_likeness_with_the_sentence_model() -> None:
    try:
        minilm = text.minilm()
    except ImportError as error:
        pytest.skip(f"needs the extra text: {error}")
    near, far = judge.by_likeness([case(RIGHT.replace("lower left", "bottom left")), case(WRONG, "b")], minilm)
    assert near.scores["areas"] > far.scores["areas"]


# ---------------------------------------------------------------- a model over HTTP


class Chat(ThreadingHTTPServer):
    """Answers in turn from `answers` (a status or a text; the last one stays) and keeps the requests."""

    answers: list[int | str]
    asked: list[dict[str, Any]]


class Handler(BaseHTTPRequestHandler):
    server: Chat

    def do_POST(self) -> None:
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        answer = self.server.answers[0] if len(self.server.answers) == 1 else self.server.answers.pop(0)
        self._send(
            answer if isinstance(answer, int) else 200,
            {"choices": [{"message": {"content": answer}, "finish_reason": "stop"}]},
        )

    def do_GET(self) -> None:
        self._send(200, {"data": [{"id": "tiny-judge"}]})

    def _send(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def running() -> Iterator[Chat]:
    chat = Chat(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=chat.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield chat
    chat.shutdown()
    chat.server_close()


@pytest.fixture
def chat(running: Chat) -> Chat:
    running.answers, running.asked = [marks(3)], []
    return running


def marks(mark: int, **other: object) -> str:
    return json.dumps({"reason": "some of it", **dict.fromkeys(model.NAMES, mark), **other})


def asking(chat: Chat, tmp_path: Path, **options: Any) -> model.ModelJudge:
    server = Server(f"http://127.0.0.1:{chat.server_port}/v1", timeout=5)
    return model.ModelJudge(server, tmp_path / "cache", pause=0.0, **options)


def test_a_model_is_asked_once_with_prompt_schema_and_seed(chat: Chat, tmp_path: Path) -> None:
    chat.answers = [f"Here you are:\n```json\n{marks(4)}\n```"]
    first = asking(chat, tmp_path, seed=7).judge([case(RIGHT)])[0]
    assert first.scores["overall"] == 4.0 and "tiny-judge, seed 7" in first.judge
    sent = chat.asked[0]
    assert sent["seed"] == 7 and sent["temperature"] == 0 and sent["messages"][0]["content"] == model.PROMPT
    assert sent["response_format"]["json_schema"]["schema"] == model.SCHEMA
    assert json.loads(sent["messages"][1]["content"]) == {"truth": RIGHT, "text": RIGHT}
    assert asking(chat, tmp_path, seed=7).judge([case(RIGHT)])[0] == first and len(chat.asked) == 1
    kept = json.loads(next((tmp_path / "cache").glob("*.json")).read_text())
    assert kept["model"] == "tiny-judge" and kept["seed"] == 7
    asking(chat, tmp_path, seed=8).judge([case(RIGHT)])
    assert len(chat.asked) == 2


def test_retries_until_the_answer_has_the_schema(chat: Chat, tmp_path: Path) -> None:
    chat.answers = [503, "I like it.", marks(9), marks(2, overall=True), marks(2)]
    assert asking(chat, tmp_path, tries=5).judge([case(WRONG)])[0].scores["overall"] == 2.0
    assert len(chat.asked) == 5


def test_gives_up_in_one_sentence_and_keeps_nothing(chat: Chat, tmp_path: Path) -> None:
    chat.answers = ["no marks"]
    with pytest.raises(ServerError, match="no marks after 3 tries"):
        asking(chat, tmp_path).judge([case(WRONG)])
    assert not list(tmp_path.rglob("*.json"))
    with pytest.raises(ValueError, match="no reference"):
        asking(chat, tmp_path).judge([case(WRONG, reference=None)])


def test_a_broken_cache_is_asked_anew(chat: Chat, tmp_path: Path) -> None:
    asking(chat, tmp_path).judge([case(RIGHT)])
    next((tmp_path / "cache").glob("*.json")).write_text("{", encoding="utf-8")
    asking(chat, tmp_path).judge([case(RIGHT)])
    assert len(chat.asked) == 2


# ---------------------------------------------------------------- agreement


def test_kappa_and_spearman_against_references() -> None:
    from scipy.stats import spearmanr
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(0)
    a = rng.integers(0, 6, 60)
    b = np.clip(a + rng.integers(-1, 2, 60), 0, 5)
    assert agree.kappa(a, b, 6) == pytest.approx(cohen_kappa_score(a, b))
    assert agree.kappa(a, b, 6, squared=True) == pytest.approx(cohen_kappa_score(a, b, weights="quadratic"))
    assert agree.spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert np.isnan(agree.kappa([1, 1], [1, 1], 6)) and np.isnan(agree.spearman([1, 1], [0, 1]))


def test_agreement_of_scores_has_intervals() -> None:
    rng = np.random.default_rng(1)
    good = rng.uniform(0, 5, 30)
    a = [judge.Judged(str(n), "a", {"overall": float(s)}, str(n)) for n, s in enumerate(good)]
    b = [judge.Judged(str(n), "b", {"overall": float(s)}, str(n)) for n, s in enumerate(good)]
    c = [judge.Judged(str(n), "c", {"overall": float(s)}, str(n)) for n, s in enumerate(rng.permutation(good))]
    same, other = agree.of_scores(a, b)["overall"], agree.of_scores(a, c)["overall"]
    assert same["spearman"]["value"] == pytest.approx(1) and same["weighted_kappa"]["value"] == pytest.approx(1)
    assert other["spearman"]["low"] < other["spearman"]["value"] < other["spearman"]["high"] < 0.9
    with pytest.raises(ValueError, match="no text in common"):
        agree.of_scores(a, [judge.Judged("x", "b", {"overall": 1.0})])


# ---------------------------------------------------------------- the sheet


def page_of(seed: int = 3) -> tuple[str, dict[str, Any]]:
    a = [case(f"A{n} <script>alert(1)</script>", f"{n}.jpg") for n in range(8)]
    b = [case(f"B{n} says & more", f"{n}.jpg") for n in range(7)]
    return sheets.sheet(a, b, seed)


def test_the_sheet_is_blinded_escaped_and_repeatable() -> None:
    html, key = page_of()
    assert page_of()[0] == html and page_of(4)[0] != html
    assert len(key["rows"]) == 7 and {row["left"] for row in key["rows"]} == {"a", "b"}
    assert "<script>alert" not in html and "&lt;script&gt;alert" in html
    assert ".jpg" not in html and "http" not in html.replace("http-equiv", "")


def test_the_sheet_by_keyboard_in_a_browser(tmp_path: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = Path("/usr/bin/chromium")
    if not chromium.exists():
        pytest.skip("no Chromium here")
    html, key = page_of()
    (tmp_path / "sheet.html").write_text(html, encoding="utf-8")
    (tmp_path / "sheet.key.json").write_text(json.dumps(key), encoding="utf-8")
    wrong: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium))
        page = browser.new_page()
        page.on("console", lambda said: wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto((tmp_path / "sheet.html").as_uri())
        page.keyboard.press("n")
        for pressed in ("1", "2", "3"):
            page.keyboard.press(pressed)
        assert page.locator("#count").inner_text() == "3 of 7 chosen"
        with page.expect_download() as download:
            page.keyboard.press("s")
        download.value.save_as(tmp_path / "choices.json")
        for _ in range(10):  # Chromium hands a page's store to the next process some milliseconds late
            page.reload()
            if page.locator("#count").inner_text() == "3 of 7 chosen":
                break
            page.wait_for_timeout(300)
        assert page.locator("#count").inner_text() == "3 of 7 chosen"
        browser.close()
    assert not wrong
    saved = json.loads((tmp_path / "choices.json").read_text())
    assert [c["choice"] for c in saved["choices"]] == ["left", "tie", "right"]
    first = saved["choices"][0]["row"]
    found = sheets.unblinded(tmp_path / "choices.json", tmp_path / "sheet.key.json")
    assert list(found.values()) == [key["rows"][first]["left"], "tie", key["rows"][first + 2]["right"]]


def test_choices_of_another_sheet_are_refused(tmp_path: Path) -> None:
    _, key = page_of()
    (tmp_path / "key.json").write_text(json.dumps(key))
    told = {"schema": sheets.CHOICES, "sheet": "other", "choices": []}
    (tmp_path / "c.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match="another sheet"):
        sheets.unblinded(tmp_path / "c.json", tmp_path / "key.json")
    (tmp_path / "c.json").write_text(json.dumps(told | {"sheet": key["sheet"], "choices": [{"row": 99}]}))
    with pytest.raises(ValueError, match="does not have"):
        sheets.unblinded(tmp_path / "c.json", tmp_path / "key.json")


# ---------------------------------------------------------------- the command


@pytest.fixture(scope="module")
def forged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest like that of `ifdl forge`: two edited pictures and an untouched one."""
    folder = tmp_path_factory.mktemp("forged")
    (folder / "images").mkdir()
    mask = np.zeros((90, 90), np.uint8)
    mask[60:, :20] = 255
    cv2.imwrite(str(folder / "mask.png"), mask)
    record = {"steps": [json.loads(json.dumps(STEP.__dict__))]}
    rows = []
    for n in range(2):
        cv2.imwrite(str(folder / f"images/{n}.png"), np.full((90, 90, 3), 80 + 40 * n, np.uint8))
        caption = dict(zip(judge.CRITERIA, RIGHT.replace(": ", "\n").split("\n")[1::2], strict=True))
        rows.append({
            "image": f"images/{n}.png", "label": "edited", "mask": "mask.png", "source": f"p{n}", "record": record,
            "caption": caption,
        })  # fmt: skip
    rows.append({"image": "images/u.png", "label": "authentic", "mask": None, "source": "p2", "record": {"camera": 0}})
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    texts = {"good": (RIGHT, RIGHT, "Type: Authentic\nAreas: none"), "bad": (WRONG, RIGHT, WRONG)}
    for name, said in texts.items():
        lines = [json.dumps({"image": row["image"], "text": t}) for row, t in zip(rows, said, strict=True)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def call(*arguments: object, code: int = 0) -> Any:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout) if code == 0 and result.stdout.strip() else result.output


def test_score_and_agree_by_command(forged: Path, tmp_path: Path, chat: Chat) -> None:
    truth = ("--truth", forged / "manifest.jsonl")
    good = call("score", forged / "good.jsonl", *truth, "--out", tmp_path / "good.jsonl")
    bad = call("score", forged / "bad.jsonl", *truth, "--out", tmp_path / "bad.jsonl")
    assert good["means"]["overall"] == pytest.approx(5) and bad["means"]["overall"] < 3
    call("score", forged / "bad.jsonl", *truth, "--by", "likeness", "--fallback", "--out", tmp_path / "likeness.jsonl")
    agreed = call("agree", tmp_path / "bad.jsonl", tmp_path / "likeness.jsonl")
    assert agreed["agreement"]["overall"]["spearman"]["n"] == 3 and agreed["judges"][0] == judge.RULES
    url = f"http://127.0.0.1:{chat.server_port}/v1"
    by_model = call("score", forged / "bad.jsonl", *truth, "--by", url, "--cache", tmp_path / "cache")
    assert by_model["means"]["overall"] == 3.0 and len(chat.asked) == 3


def test_sheet_by_command_shows_the_pictures(forged: Path, tmp_path: Path) -> None:
    out, truth = tmp_path / "sheet.html", forged / "manifest.jsonl"
    call("sheet", forged / "good.jsonl", forged / "bad.jsonl", "--truth", truth, "--out", out)
    assert out.read_text().count("data:image/jpeg;base64,") == 2
    key = json.loads((tmp_path / "sheet.key.json").read_text())
    picked = [{"row": n, "choice": "left" if row["left"] == "a" else "right"} for n, row in enumerate(key["rows"])]
    told = {"schema": sheets.CHOICES, "sheet": key["sheet"], "choices": picked}
    (tmp_path / "c.json").write_text(json.dumps(told))
    agreed = call("agree", tmp_path / "c.json", tmp_path / "c.json", "--key", tmp_path / "sheet.key.json")
    assert agreed["preference"][0]["a"]["value"] == 1.0 and agreed["agreement"]["same"]["value"] == 1.0
    assert agreed["agreement"]["kappa"]["value"] is None  # one rater's constant choice defines no kappa


@pytest.mark.parametrize(
    ("row", "said"),
    [('{"image": "images/0.png"}', 'line 1: a row needs'), ("{", "line 1 is not JSON"),
     ('{"image": "none.png", "text": "x"}', "has no picture none.png"), ("", "holds no texts")],
)  # fmt: skip
def test_bad_rows_are_named(forged: Path, tmp_path: Path, row: str, said: str) -> None:
    (tmp_path / "t.jsonl").write_text(row)
    assert said in call("score", tmp_path / "t.jsonl", "--truth", forged / "manifest.jsonl", code=2)
