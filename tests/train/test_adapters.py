"""Fine-tuning an explainer: what trains, which mask is shown, the class leak through it, resume, use of the result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("peft", reason="needs the train extra")

from ifdl.data import Record, _fabric  # noqa: E402
from ifdl.nets import ravfe, vlm, vlm_tiny  # noqa: E402
from ifdl.train import adapters, words  # noqa: E402
from ifdl.train.words import Examples, Masks  # noqa: E402


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return words.fabricated(tmp_path_factory.mktemp("pictures"), 6)


def plan(place: Path, out: Path, **changes: Any) -> adapters.Plan:
    shipped = adapters.load("ravfe_llava13b")
    data = replace(shipped.data, places=(place,), question="What?")
    lora = adapters.Lora(4, 8, 0.0)
    return replace(shipped, **{"data": data, "lora": lora, "out": out, "steps": 4, "save_every": 2, **changes})


def test_the_recipe_is_the_papers() -> None:
    shipped = adapters.load("ravfe_llava13b")
    assert (shipped.lora.rank, shipped.lora.alpha, shipped.lora.dropout) == (128, 256, 0.05)
    assert (shipped.lr, shipped.warmup, shipped.epochs, shipped.accumulate, shipped.how.alpha) == (
        5e-5,
        0.03,
        4,
        1,
        0.5,
    )
    assert (shipped.data.masks.kind, shipped.data.masks.unmasked) == ("truth", "ones")
    course = shipped.schedule(1000)
    assert (course.steps, course.warmup, course.floor) == (4000, 120, 0.0)
    assert adapters.is_plan("ravfe_llava13b") and not adapters.is_plan("small") and not adapters.is_plan("nothing")


@pytest.mark.parametrize(
    ("change", "words_"),
    [
        ("how.alhpa=1", "alhpa"),
        ("how.alpha=2", "alpha"),
        ("data.masks.kind=guess", "kind"),
        ("data.masks.kid=truth", "kid"),
        ("lora.rank=many", "rank"),
        ("how.prior=1", "checkpointing: false"),
        ("epochs=0", "epochs"),
    ],
)
def test_mistakes_in_a_recipe_are_named(change: str, words_: str) -> None:
    with pytest.raises(ValueError, match=words_):
        adapters.load("ravfe_llava13b", (change,))


def test_exactly_the_language_models_additions_train(place: Path, tmp_path: Path) -> None:
    own = vlm_tiny.tiny("llava")
    wrapped = adapters.adapted(own, plan(place, tmp_path))
    trained = {n for n, p in wrapped.named_parameters() if p.requires_grad}
    assert trained and all(".lora_" in n and ".language_model." in n for n in trained)
    parts = {n.split(".lora_")[0].rsplit(".", 1)[1] for n in trained}
    assert parts == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    example = Examples(words.described([place], "manifest"), Masks(), 0).get(0, 0)
    wrapped.train()
    own.loss(example.picture, example.mask, "What?", example.answer).backward()
    reached = {n for n, p in wrapped.named_parameters() if p.grad is not None}
    assert reached == trained


def test_a_run_interrupted_and_resumed_is_the_run(place: Path, tmp_path: Path) -> None:
    whole = adapters.train(plan(place, tmp_path / "a", lr=1e-3), vlm_tiny.tiny("llava"))
    half = plan(place, tmp_path / "b", lr=1e-3)
    stopped = vlm_tiny.tiny("llava")
    looked = stopped.loss
    calls = iter(range(10))

    def breaks(*given: Any) -> Any:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return looked(*given)

    stopped.loss = breaks  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        adapters.train(half, stopped)
    with pytest.raises(ValueError, match="--resume"):
        adapters.train(half, vlm_tiny.tiny("llava"))
    with pytest.raises(ValueError, match=r"another recipe: lora\.rank"):
        adapters.train(replace(half, lora=adapters.Lora(2, 8, 0.0)), vlm_tiny.tiny("llava"), resume=True)
    outcome = adapters.train(half, vlm_tiny.tiny("llava"), resume=True)
    assert outcome.step == whole.step == 4
    from safetensors.torch import load_file

    a, b = (load_file(o.weights / "adapter_model.safetensors") for o in (whole, outcome))
    assert a.keys() == b.keys() and all(torch.equal(a[n], b[n]) for n in a)
    assert any(tensor.abs().max() > 0 for n, tensor in a.items() if "lora_B" in n), "it learned something"


def test_the_loss_falls_and_the_adapter_is_used(place: Path, tmp_path: Path) -> None:
    own = vlm_tiny.tiny("llava")
    example = Examples(words.described([place], "manifest"), Masks(), 0).get(0, 0)
    with torch.no_grad():
        before = float(own.loss(example.picture, example.mask, "What?", example.answer))
    run = adapters.train(plan(place, tmp_path, lr=0.05, steps=10, checkpointing=False), own)
    fresh = vlm_tiny.tiny("llava")
    with torch.no_grad():
        assert float(fresh.loss(example.picture, example.mask, "What?", example.answer)) == pytest.approx(before)
        taught = vlm.with_adapter(fresh, run.weights)
        after = float(taught.loss(example.picture, example.mask, "What?", example.answer))
    assert after < before - 0.1
    with pytest.raises(ValueError, match="is no adapter of"):
        vlm.with_adapter(vlm_tiny.tiny("smolvlm"), run.weights)


# ---------------------------------------------------------------- which mask is shown


def test_true_perturbed_and_predicted_masks(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = words.described([place], "manifest")
    assert [r.label for r in records] == ["edited", "authentic"] * 3
    truth = Examples(records, Masks(), 0)
    edited = truth.get(0, 0)
    assert edited.mask is not None and np.array_equal(edited.mask, _fabric.forged(0)[1]) and "Areas:" in edited.answer
    assert truth.get(0, 1).mask is None and truth.get(0, 1).answer.startswith("Type: Authentic")

    moved = Examples(records, Masks("perturbed"), 0)
    masks = [moved.get(epoch, 0).mask for epoch in range(6)]
    assert all(m is not None and m.any() and not np.array_equal(m, edited.mask) for m in masks)
    overlaps = [(m & edited.mask).sum() / (m | edited.mask).sum() for m in masks if m is not None]
    assert 0.2 < min(overlaps) and max(overlaps) < 1
    again = moved.get(2, 0).mask
    assert again is not None and masks[2] is not None and np.array_equal(again, masks[2])

    predicted = Examples(records, Masks("predicted"), 0)
    found = np.zeros(_fabric.SIZE, bool)
    found[3:9, 3:9] = True
    monkeypatch.setattr(predicted, "_predicted", lambda picture: found)
    assert predicted.get(0, 1).mask is found, "an authentic picture is shown what the expert finds in it"


def test_the_shipped_expert_can_predict_masks(place: Path) -> None:
    shown = Examples(words.described([place], "manifest"), Masks("predicted"), 0).get(0, 0)
    assert shown.mask is None or shown.mask.shape == shown.picture.shape[:2]


def leak(masks: Masks, records: list[Record], count: int) -> float:
    """AUC of telling masked from other pictures by what enters the tiny model's projector, cross-validated."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    own = vlm_tiny.tiny("llava")
    examples = Examples(records, masks, 0)
    rows = []
    for n in range(count):
        example = examples.get(0, n)
        view = own.how.look(example.picture, own.eyes, example.mask)
        taken: list[Any] = []
        modules = ravfe.projectors(own.model)
        with (
            torch.no_grad(),
            ravfe.guided(own.model, own.eyes, view, own.how),
            ravfe._hooked(modules, lambda _, given, taken=taken: taken.append(given[0][0])),
        ):
            own.model.get_image_features(**ravfe.inputs(view, own.eyes))
        rows.append(torch.cat([taken[0].mean(0), taken[0].std(0)]).numpy())
    labels = np.array([records[n].label == "edited" for n in range(count)])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
    told = cross_val_predict(model, np.stack(rows), labels, cv=5, method="predict_proba")[:, 1]
    return float(roc_auc_score(labels, told))


def test_the_class_leaks_through_the_mask_unless_hidden(tmp_path: Path) -> None:
    """Pictures of one kind, called edited by the toss of a coin: only whether a mask is shown can tell the class."""
    rng = np.random.default_rng(5)
    records = []
    for n in range(40):
        _fabric.save(_fabric.scene(n), tmp_path / f"{n}.png")
        _fabric.save(_fabric.forged(n)[1], tmp_path / f"{n}_mask.png")
        tossed = bool(rng.random() < 0.5)
        label, mask = ("edited", tmp_path / f"{n}_mask.png") if tossed else ("authentic", None)
        # A digest that vouches for the file spares a child process for each.
        records.append(Record(tmp_path / f"{n}.png", label, mask, sha256=digest(tmp_path / f"{n}.png")))
    shown, hidden = (leak(Masks(unmasked=how), records, 40) for how in ("ones", "borrowed"))  # type: ignore[arg-type]
    assert shown > 0.9, shown
    assert hidden < 0.7, hidden
    print(f"class told by the mask alone: AUC {shown:.2f}, with borrowed masks {hidden:.2f}")


def digest(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_two_real_steps_from_the_command_line(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from ifdl.serve.cli import app

    done = CliRunner().invoke(app, ["train", "ravfe_llava13b", "--smoke", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    run = tmp_path / "smoke" / "run"
    log = (run / "log.jsonl").read_text().splitlines()
    assert sum('"kind": "step"' in line for line in log) == 2
    assert (run / "adapter" / "adapter_model.safetensors").is_file()
    wrong = CliRunner().invoke(app, ["train", "ravfe_llava13b", "--set", "data.places=[nowhere]"])
    assert wrong.exit_code == 2 and "nowhere" in wrong.output
