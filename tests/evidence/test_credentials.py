"""Content credentials: three answers, exact codes, absence is nothing, and no network."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ifdl import intake
from ifdl.evidence import credentials
from ifdl.intake import credentials as reader
from ifdl.types import Finding, Question, State
from tests.photographs import SHARED, bundled

FOLDER = SHARED / "data" / "c2pa"
EXPECTED = json.loads((Path(__file__).parent / "c2pa_codes.json").read_text())
needs_shared = pytest.mark.skipif(not FOLDER.is_dir(), reason="../shared/data/c2pa is absent")


def findings(name: str) -> dict[Question, Finding]:
    return {f.question: f for f in credentials.run(intake.load(FOLDER / name))}


def store(**changes: Any) -> dict[str, Any]:
    """A small store in which everything holds, as the library reports one."""
    good = ("claimSignature.validated", "assertion.dataHash.match", "assertion.hashedURI.match")
    actions = [{"action": "c2pa.created", "digitalSourceType": changes.pop("source", "")}]
    manifest = {
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}],
        "signature_info": {"common_name": "A signer", "time": "2025-01-01T00:00:00+00:00"},
    }
    results = {"activeManifest": {"success": [{"code": c} for c in good], "failure": []}}
    base = {"active_manifest": "m", "manifests": {"m": manifest}, "validation_results": results, "trust_list": None}
    return base | changes


def told(made: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[Question, Finding]:
    monkeypatch.setattr(reader, "read", lambda data, media_type: made)
    return {f.question: f for f in credentials.run(intake.decode(bundled()[0].data))}


@needs_shared
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_public_test_file_gives_its_codes(name: str) -> None:
    data = (FOLDER / name).read_bytes()
    found = reader.read(data, "image/jpeg")
    codes = None if found is None else list(credentials.codes(found))
    assert codes == EXPECTED[name]


@needs_shared
def test_the_table_is_complete() -> None:
    assert set(EXPECTED) == {path.name for path in FOLDER.glob("*.jpg")}


@needs_shared
@pytest.mark.parametrize(
    ("name", "broken"),
    [("E-dat-CA", "binding"), ("E-sig-CA", "signature"), ("E-uri-CA", "statements"), ("XCA", "binding")],
)
def test_what_is_broken_is_named_and_established(name: str, broken: str) -> None:
    found = findings(f"adobe-20220124-{name}.jpg")
    claim = found[Question.CLAIMS]
    assert list(found) == [Question.CLAIMS], "a broken manifest states nothing"
    assert claim.state == State.SUPPORTED and claim.established
    checks = {n: claim.numbers[n] for n in ("binding", "signature", "statements")}
    assert [n for n, said in checks.items() if said == "broken"] == [broken]


@needs_shared
def test_an_intact_one_holds_and_its_signer_was_not_checked() -> None:
    found = findings("adobe-20220124-CACA.jpg")
    claim = found[Question.CLAIMS]
    assert (claim.state, claim.numbers["binding"], claim.numbers["signature"], claim.numbers["signer"]) == (
        State.NO_TRACE_FOUND, "intact", "intact", "not checked",
    )  # fmt: skip
    assert "not checked" in claim.sentence
    assert found[Question.HISTORY].state == State.SUPPORTED and "colours adjusted" in found[Question.HISTORY].sentence


@needs_shared
def test_one_changed_byte_of_the_picture_breaks_the_binding() -> None:
    data = bytearray((FOLDER / "adobe-20220124-CA.jpg").read_bytes())
    data[-1000] ^= 1
    found = reader.read(bytes(data), "image/jpeg")
    assert found is not None
    assert credentials.answers(found)["binding"] == "broken"


def test_trust_is_its_own_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    for listed, code, said in (
        (None, "signingCredential.untrusted", "not checked"),
        ("list.pem", "signingCredential.untrusted", "not listed"),
        ("list.pem", "signingCredential.trusted", "trusted"),
    ):
        made = store(trust_list=listed)
        side = "success" if code.endswith(".trusted") else "failure"
        made["validation_results"]["activeManifest"][side].append({"code": code})
        claim = told(made, monkeypatch)[Question.CLAIMS]
        assert (claim.numbers["signer"], claim.state) == (said, State.NO_TRACE_FOUND)


def test_a_list_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(reader.TRUST, "/nowhere/list.pem")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        reader.trust_list()


@pytest.mark.parametrize(
    ("kind", "words"),
    [("trainedAlgorithmicMedia", "the picture was generated"), ("compositeWithTrainedAlgorithmicMedia", "a part was")],
)
def test_a_signed_source_type_answers_synthetic_origin(kind: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = store(source=f"http://cv.iptc.org/newscodes/digitalsourcetype/{kind}")
    found = told(made, monkeypatch)[Question.SYNTHETIC_ORIGIN]
    assert found.state == State.SUPPORTED and words in found.sentence and not found.established
    assert Question.SYNTHETIC_ORIGIN not in told(store(source="http://x/digitalCapture"), monkeypatch)


def test_ingredients_are_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    made = store()
    inner = store(source="http://x/trainedAlgorithmicMedia")["manifests"]["m"]
    made["manifests"]["older"] = inner
    found = told(made, monkeypatch)[Question.SYNTHETIC_ORIGIN]
    assert "that went in was generated" in found.sentence and found.state == State.SUPPORTED
    delta = {"failure": [{"code": "claimSignature.mismatch"}]}
    made["validation_results"]["ingredientDeltas"] = [{"validationDeltas": delta}]
    shaky = told(made, monkeypatch)
    assert shaky[Question.SYNTHETIC_ORIGIN].state == State.INCONCLUSIVE
    assert "does" not in shaky[Question.CLAIMS].sentence or "do not hold" in shaky[Question.CLAIMS].sentence


def test_absence_is_no_suspicion_and_costs_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a child was started")

    monkeypatch.setattr(reader.subprocess, "run", refuse)
    (found,) = credentials.run(intake.decode(bundled()[0].data))
    assert (found.question, found.state) == (Question.CLAIMS, State.OUT_OF_DOMAIN)


def test_bytes_that_only_look_like_credentials_are_outside() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (80, 80)).save(buffer, "JPEG", comment=b"jumb c2pa")
    (found,) = credentials.run(intake.decode(buffer.getvalue()))
    assert found.state == State.OUT_OF_DOMAIN


def test_a_slow_check_is_ended() -> None:
    limits = intake.Limits(seconds=0.05)
    found = reader.read(b"jumb c2pa" * 10, "image/jpeg", limits)
    assert found is not None and "longer than 0.05 s" in found["unreadable"]
