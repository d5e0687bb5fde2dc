"""Content credentials (C2PA): what a signed manifest says of the picture, and whether it still holds.

Three separate answers: is the manifest bound to these very bytes, is its signature valid, is the signer one of a list
of trusted ones ("not checked" without such a list, never "no"). Ingredients, the pictures that went in, are walked.
A picture without credentials is like most pictures. Source: C2PA Technical Specification 2.1, validation status codes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ifdl.intake import credentials
from ifdl.types import Card, FalseAlarms, Finding, Innocent, Number, Picture, Question, State

CARD = Card(
    id="credentials",
    title="Content credentials (C2PA)",
    questions=(Question.CLAIMS, Question.HISTORY, Question.SYNTHETIC_ORIGIN),
    version="1",
    citation="Coalition for Content Provenance and Authenticity, Technical Specification 2.1 (2024)",
    url="https://spec.c2pa.org/specifications/specifications/2.1/specs/C2PA_Specification.html",
    domain="Files that carry a C2PA manifest of their own; manifests stored elsewhere are not fetched.",
    threshold=(
        "Claims: the signed hash of the picture, of a statement, or the signature itself does not match. History and "
        "synthetic origin: a valid signature over these bytes, and an action or source type that says so."
    ),
    false_alarms=FalseAlarms(
        data="camera",
        measured=False,
        note="the camera set carries no credentials; its checks are exact hashes and signatures",
    ),
    look_for="Which of the three answers fails; what the signer states was done; which pictures went in.",
    ignore="The mere absence of credentials, and a signer who is on no list: neither says anything of the picture.",
    limits=(
        "A valid signature says who stated something and that it was not changed since, not that it is true.",
        "Whoever re-saves a picture loses its credentials, honestly or not; absence is never a trace.",
        "Without a list of trusted signers ($IFDL_TRUST_LIST, PEM) anybody's signature counts as a signature.",
        "Revocation is not checked: it would need the network.",
    ),
)

BINDING = ("assertion.dataHash", "assertion.bmffHash", "assertion.boxesHash", "assertion.collectionHash")
STATEMENTS = ("assertion.hashedURI", "assertion.missing", "assertion.json", "assertion.cbor", "claim.")
SIGNATURE = ("claimSignature.", "signingCredential.invalid", "algorithm.")
# Actions that only move or open a picture; every other action works on it.
QUIET = {"c2pa.created", "c2pa.opened", "c2pa.published", "c2pa.placed", "c2pa.transcoded", "c2pa.repackaged"}
WORDS = {
    "c2pa.color_adjustments": "colours adjusted", "c2pa.cropped": "cropped", "c2pa.drawing": "drawn on",
    "c2pa.edited": "edited", "c2pa.filtered": "filtered", "c2pa.orientation": "turned", "c2pa.resized": "resized",
    "c2pa.converted": "converted", "c2pa.removed": "a part removed", "c2pa.redacted": "a statement removed",
}  # fmt: skip
GENERATED = "trainedAlgorithmicMedia"
FILLED = "compositeWithTrainedAlgorithmicMedia"
UNSIGNED_BY_LIST = Innocent(
    "Anybody can sign: a program, a test certificate, a forger.",
    "Load a list of trusted signers, or look the signer's certificate up.",
)
RESAVED = Innocent(
    "A program changed the file after it was signed and left the old manifest in, as optimisers and old editors do.",
    "Ask for the file as it was signed; compare the signed thumbnail with the picture.",
)


def run(picture: Picture) -> list[Finding]:
    """CLAIMS whenever a manifest is there; HISTORY and SYNTHETIC_ORIGIN where a valid one says something of them."""
    store = credentials.read(picture.data, picture.item.media_type)
    if store is None:
        return [_outside("The file carries no content credentials. Most files do not, and it says nothing.")]
    if "unreadable" in store:
        why = str(store["unreadable"])[:160]
        return [_outside(f"The file holds bytes of content credentials that cannot be read: {why}.")]
    active = dict(store["manifests"].get(store.get("active_manifest"), {}))
    if not active:
        return [_outside("The file holds a store of content credentials and no manifest in force.")]
    checks = answers(store)
    claim = _claim(store, active, checks)
    if claim.state == State.SUPPORTED:
        return [claim]  # a broken manifest states nothing
    return [claim, *_history(active, checks), *_synthetic(store, checks)]


def answers(store: dict[str, Any]) -> dict[str, str]:
    """The three answers, and that of the statements: intact, broken, or not checked; trusted, not listed, not checked.

    `ingredients` is broken where a manifest of a picture that went in fails now and did not when it was signed.
    """
    results = store.get("validation_results") or {}
    told = results.get("activeManifest") or {}
    failed = [str(entry.get("code", "")) for entry in told.get("failure", ())]
    good = [str(entry.get("code", "")) for entry in told.get("success", ())]
    deltas = [c for d in results.get("ingredientDeltas", ()) for c in _codes(d.get("validationDeltas", {}), "failure")]
    trusted = "trusted" if "signingCredential.trusted" in good else "not listed"
    return {
        "binding": _state(BINDING, failed, good),
        "statements": _state(STATEMENTS, failed, good),
        "signature": _state(SIGNATURE, failed, good),
        "signer": trusted if store.get("trust_list") else "not checked",
        "ingredients": "broken" if any(not code.startswith("signingCredential.") for code in deltas) else "intact",
    }


def codes(store: dict[str, Any]) -> tuple[str, ...]:
    """Failure codes of the active manifest and of ingredients, sorted, each once."""
    results = store.get("validation_results") or {}
    found = set(_codes(results.get("activeManifest") or {}, "failure"))
    for delta in results.get("ingredientDeltas", ()):
        found |= set(_codes(delta.get("validationDeltas", {}), "failure"))
    return tuple(sorted(found))


def _claim(store: dict[str, Any], active: dict[str, Any], checks: dict[str, str]) -> Finding:
    signed = active.get("signature_info") or {}
    signer = _short(signed.get("common_name") or signed.get("issuer") or "an unnamed signer")
    numbers: dict[str, Number] = {**checks, "signer_name": signer, "manifests": len(store["manifests"])}
    if signed.get("time"):
        numbers["signed_at"] = _short(signed["time"])
    for number, code in enumerate(codes(store), 1):
        numbers[f"code_{number}"] = code
    broken = [name for name in ("binding", "statements", "signature") if checks[name] == "broken"]
    listed = {
        "trusted": "the signer is on the list of trusted ones",
        "not listed": "the signer is not on the list of trusted ones",
        "not checked": "whether the signer can be trusted was not checked, no list being loaded",
    }[checks["signer"]]
    if broken:
        said = {
            "binding": "the picture's bytes are not those that were signed",
            "statements": "a statement in the manifest is not the one that was signed",
            "signature": "the signature does not fit the manifest",
        }
        sentence = f"Content credentials of {signer} are broken: {'; '.join(said[name] for name in broken)}; {listed}."
        return _finding(Question.CLAIMS, State.SUPPORTED, sentence, 1.0, numbers, (RESAVED,), established=True)
    if "not checked" in (checks["binding"], checks["signature"]):
        sentence = f"Content credentials of {signer} were found and could not be checked in full; {listed}."
        return _finding(Question.CLAIMS, State.INCONCLUSIVE, sentence, 0.0, numbers)
    sentence = f"Content credentials of {signer} fit these bytes and their signature is valid; {listed}."
    if checks["ingredients"] == "broken":
        sentence += " The credentials of a picture that went in do not hold."
    return _finding(Question.CLAIMS, State.NO_TRACE_FOUND, sentence, 0.0, numbers)


def _history(active: dict[str, Any], checks: dict[str, str]) -> list[Finding]:
    """Actions of the manifest in force that work on the picture."""
    done = list(dict.fromkeys(action for action, _ in _actions(active) if action not in QUIET))[:8]
    placed = sum(action == "c2pa.placed" for action, _ in _actions(active))
    if not done and not placed:
        return []
    words = [WORDS.get(action, _short(action.removeprefix("c2pa.")).replace("_", " ")) for action in done]
    words += [f"{placed} other picture{'s' if placed > 1 else ''} put in"] if placed else []
    numbers: dict[str, Number] = {f"action_{n}": _short(action) for n, action in enumerate(done, 1)}
    numbers |= {"placed": placed, "signer": checks["signer"]}
    sentence = f"The signed credentials state what was done: {', '.join(words)}."
    return [_finding(Question.HISTORY, State.SUPPORTED, sentence, 0.9, numbers, (UNSIGNED_BY_LIST,))]


def _synthetic(store: dict[str, Any], checks: dict[str, str]) -> list[Finding]:
    """A generator named by the manifest in force, or by that of a picture that went in."""
    for name, manifest in sorted(store["manifests"].items(), key=lambda item: item[0] != store["active_manifest"]):
        for action, source in _actions(manifest):
            kind = source.rsplit("/", 1)[-1]
            if kind not in (GENERATED, FILLED):
                continue
            own = name == store["active_manifest"]
            whole = "the picture was generated" if own else "a picture that went in was generated"
            part = "a part was generated" if own else "a part of a picture that went in was generated"
            sentence = f"The signed credentials state that {whole if kind == GENERATED else part}."
            numbers: dict[str, Number] = {"source_type": kind, "action": _short(action), "signer": checks["signer"]}
            state = State.SUPPORTED if own or checks["ingredients"] == "intact" else State.INCONCLUSIVE
            return [_finding(Question.SYNTHETIC_ORIGIN, state, sentence, 0.9, numbers, (UNSIGNED_BY_LIST,))]
    return []


def _actions(manifest: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(action, digital source type) of every action that a manifest states."""
    for assertion in manifest.get("assertions", ()):
        data = assertion.get("data")
        if str(assertion.get("label", "")).startswith("c2pa.actions") and isinstance(data, dict):
            for action in data.get("actions", ()):
                yield str(action.get("action", "")), str(action.get("digitalSourceType") or "")


def _state(kinds: tuple[str, ...], failed: list[str], good: list[str]) -> str:
    if any(code.startswith(kinds) for code in failed):
        return "broken"
    return "intact" if any(code.startswith(kinds) for code in good) else "not checked"


def _codes(results: dict[str, Any], key: str) -> list[str]:
    return [str(entry.get("code", "")) for entry in results.get(key, ())]


def _short(text: Any) -> str:
    return "".join(c if c.isprintable() else " " for c in str(text))[:80]


def _outside(reason: str) -> Finding:
    return _finding(Question.CLAIMS, State.OUT_OF_DOMAIN, reason, 0.0, {})


def _finding(
    question: Question,
    state: State,
    sentence: str,
    strength: float,
    numbers: dict[str, Number],
    innocent: tuple[Innocent, ...] = (),
    established: bool = False,
) -> Finding:
    return Finding(
        CARD.id, question, state, sentence, strength, established, numbers=numbers, innocent=innocent,
        citation=CARD.citation,
    )  # fmt: skip
