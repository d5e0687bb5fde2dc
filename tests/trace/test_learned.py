"""SuperPoint and LightGlue through transformers, tiny and with random weights: shapes, places, matches, index."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ifdl import intake
from ifdl.trace import features, query
from ifdl.trace.index import BadIndex, Index
from ifdl.trace.learned import MIDDLE, SuperPoint
from ifdl.trace.prove import State, match
from ifdl.types import Picture
from tests.trace.pictures import jpeg, photographs, save

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def made(most: int) -> SuperPoint:
    torch.manual_seed(0)
    detector = transformers.SuperPointConfig(
        encoder_hidden_sizes=[8, 8, 16, 16], decoder_hidden_size=16, descriptor_decoder_dim=32, keypoint_threshold=0.0,
        max_keypoints=most,
    )  # fmt: skip
    glue = transformers.LightGlueConfig(
        keypoint_detector_config=detector, descriptor_dim=32, num_hidden_layers=2, num_attention_heads=2
    )
    return SuperPoint(
        net=transformers.SuperPointForKeypointDetection(detector),
        matcher=transformers.LightGlueForKeypointMatching(glue),
    )


@pytest.fixture(scope="module")
def tiny() -> SuperPoint:
    return made(most=100)


def test_features_are_those_of_the_net_within_a_step(tiny: SuperPoint) -> None:
    pixels = photographs()["coffee"]
    own = tiny.extract(pixels, 100)
    assert own.words.shape == (100, 32) and own.middle == MIDDLE and not own.sizes.any()
    assert own.places.min() >= -0.5 and (own.places.max(axis=0) < pixels.shape[1::-1]).all()
    grey, _ = features.reduced(pixels)
    with torch.inference_mode():
        found = tiny.net(torch.from_numpy(grey.astype(np.float32) / 255)[None, None].repeat(1, 3, 1, 1))
    places = found.keypoints[0].numpy() * (grey.shape[1], grey.shape[0])
    n = int(np.linalg.norm(places - own.places[0], axis=1).argmin())
    assert np.linalg.norm(places[n] - own.places[0]) < 1e-3
    assert float(own.units()[0] @ found.descriptors[0, n].numpy()) > 0.99


def test_tiny_pictures_have_none_and_match_nothing(tiny: SuperPoint) -> None:
    small = np.zeros((20, 300, 3), np.uint8)
    assert len(tiny.extract(small, 50)) == 0 and tiny.extract(small, 50).words.shape == (0, 32)
    assert [len(p) for p in tiny.closer(small, photographs()["coffee"])] == [0, 0]


def test_mirrored_features_are_taken_from_the_mirrored_picture(tiny: SuperPoint) -> None:
    pixels = photographs()["coffee"]
    turned = tiny.mirrored(tiny.extract(pixels, 100), pixels)
    expected = tiny.extract(np.ascontiguousarray(pixels[:, ::-1]), 100)
    np.testing.assert_array_equal(turned.words, expected.words)


def test_features_without_scale_match_without_it(tiny: SuperPoint) -> None:
    own = tiny.extract(photographs()["coffee"], 100)
    matched = match(own, own)
    assert len(matched) > 20 and matched.scales is None
    np.testing.assert_array_equal(matched.theirs, matched.ours)


def test_matches_of_two_sizes_come_back_in_each_pictures_own_pixels(tiny: SuperPoint) -> None:
    """A matcher that pairs the first keypoints of both, whatever they are: only the places are looked at."""
    seen = []

    def matcher(pair: object) -> SimpleNamespace:
        seen.append(tuple(pair.shape))  # type: ignore[attr-defined]
        keypoints = torch.tensor([[[[0.25, 0.5], [0.9, 0.9]], [[0.5, 0.25], [0.1, 0.1]]]])
        return SimpleNamespace(
            matches=torch.tensor([[[1, -1], [-1, 0]]]), matching_scores=torch.tensor([[[0.9, 0.0], [0.0, 0.9]]]),
            keypoints=keypoints, mask=torch.ones(1, 2, 2),
        )  # fmt: skip

    one = SuperPoint(net=tiny.net)
    one.matcher = matcher
    theirs, ours = one.closer(np.zeros((64, 200, 3), np.uint8), np.zeros((2048, 512, 3), np.uint8))
    assert seen == [(1, 2, 3, 1024, 256)], "the larger is reduced to 1,024, both share one frame"
    np.testing.assert_allclose(theirs, [[64, 512]], atol=1e-3)
    np.testing.assert_allclose(ours, [[(25.6 + 0.5) * 2 - 0.5, (102.4 + 0.5) * 2 - 0.5]], atol=1e-3)


def test_lightglue_answers_in_the_format_that_is_read(tiny: SuperPoint) -> None:
    one, two = tiny.closer(photographs()["coffee"], photographs()["astronaut"])
    assert one.shape == two.shape and one.shape[1] == 2


def test_an_index_of_them_is_asked_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = made(most=-1)  # the strongest of random weights lie on one line, which proves nothing
    monkeypatch.setattr(SuperPoint, "closer", lambda self, theirs, ours: None)
    monkeypatch.setattr(features, "ASKED", 500)
    monkeypatch.setattr(features, "INDEXED", 500)
    files = [save(tmp_path / "a" / f"{name}.jpg", pixels) for name, pixels in photographs(96).items()]
    with Index(tmp_path / "i", True, every) as held:
        held.update(files, workers=1)
        assert len(held) == 4 and held.rows["word"].shape[1] == 32
        # The same pixels in another file: random weights see little else alike.
        saved = intake.load(jpeg(photographs(96)["coffee"]), isolated=False)
        picture = Picture(saved.pixels, replace(saved.item, sha256="0" * 64), saved.data)
        found = query.trace(picture, held)
        assert found.hosts[0].entry.path.endswith("coffee.jpg") and found.hosts[0].state is State.PROVED
        assert found.hosts[0].proof.inliers > 50 and not found.hosts[0].identical
    with pytest.raises(BadIndex, match="made otherwise"):
        Index(tmp_path / "i")


def test_torch_is_not_imported_unless_asked() -> None:
    code = (
        "import sys, ifdl.trace.learned, ifdl.trace.query, ifdl.serve.trace_cli;"
        "ifdl.trace.learned.SuperPoint(); assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
