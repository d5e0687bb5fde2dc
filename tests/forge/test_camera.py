"""The virtual camera leaves a camera's traces, and the scene it is shown has none of them."""

from __future__ import annotations

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ifdl import intake
from ifdl.forge._jpeg import CAMERA_TABLES, Jpeg, camera_tables, decode
from ifdl.forge.camera import CFA, DEMOSAICING, Camera, demosaic, fixed_pattern
from ifdl.signal.jpeg import estimate_quality
from tests.photographs import bundled

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def scenes() -> list[Picture]:
    """Photographs reduced to half, so that no camera or JPEG trace is left."""
    full = [np.asarray(Image.open(io.BytesIO(p.data)).convert("RGB")) for p in bundled()]
    return [cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for p in full]


def plain(**changes: object) -> Camera:
    return replace(Camera(id=7, noise_gain=3e-4), **changes)  # type: ignore[arg-type]


def lattice_ratio(picture: Picture) -> float:
    """How much harder red less green is to predict from its neighbours on the hardest of the four lattices
    than on the easiest. Interpolated values are easier to predict than sampled ones (Gallagher and Chen 2008)."""
    difference = picture[..., 0].astype(np.float32) - picture[..., 1]
    laplacian = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], np.float32) / 4
    residual = np.minimum(np.abs(cv2.filter2D(difference, -1, laplacian)), 15)
    lattices = [residual[row::2, column::2].mean() for row in (0, 1) for column in (0, 1)]
    return float(max(lattices) / min(lattices))


def grid_strength(picture: Picture) -> NDArray[np.float64]:
    """Mean luma step across each of the 8 column phases over the mean step of the others."""
    luma = picture.astype(np.float64) @ (0.299, 0.587, 0.114)
    steps = np.abs(luma[:, :-3] - 3 * luma[:, 1:-2] + 3 * luma[:, 2:-1] - luma[:, 3:])
    phases = np.array([np.minimum(steps[:, (n - 2) % 8 :: 8], 20).mean() for n in range(8)])
    return phases / ((phases.sum() - phases) / 7)


@pytest.mark.parametrize("method", DEMOSAICING)
@pytest.mark.parametrize("cfa", CFA)
def test_demosaicing_keeps_samples_and_linear_ramps(method: str, cfa: str) -> None:
    rows, columns = np.indices((24, 30)).astype(np.float32)
    grey = 0.2 + 0.01 * rows + 0.005 * columns
    colour = demosaic(grey, cfa, method)
    inside = (slice(3, -3), slice(3, -3))
    assert np.allclose(colour[inside], grey[..., None][inside], atol=1e-5), "a grey ramp stays a grey ramp"
    rng = np.random.default_rng(1)
    raw = rng.random((24, 30), np.float32)
    colour = demosaic(raw, cfa, method)
    row, column = CFA[cfa]
    assert np.allclose(colour[row::2, column::2, 0], raw[row::2, column::2], atol=1e-6)
    assert np.allclose(colour[1 - row :: 2, 1 - column :: 2, 2], raw[1 - row :: 2, 1 - column :: 2], atol=1e-6)
    assert np.allclose(colour[row::2, 1 - column :: 2, 1], raw[row::2, 1 - column :: 2], atol=1e-6)


def test_unknown_demosaicing() -> None:
    with pytest.raises(ValueError, match="malvar"):
        demosaic(np.zeros((8, 8), np.float32), "RGGB", "magic")


def test_better_demosaicing_is_closer_to_the_scene(scenes: list[Picture]) -> None:
    errors = dict.fromkeys(DEMOSAICING, 0.0)
    for method in DEMOSAICING:
        for scene in scenes:
            camera = plain(demosaicing=method, noise_gain=1e-7, read_noise=1e-5, prnu=0.0, contrast=0.0)
            errors[method] += float(
                np.square(camera.develop(scene, np.random.default_rng(0)).astype(float) - scene).mean()
            )
    assert errors["malvar"] < 0.8 * errors["bilinear"] and errors["gradient"] < 0.9 * errors["bilinear"]


def test_a_picture_shows_the_cfa_and_its_scene_does_not(scenes: list[Picture]) -> None:
    for scene in scenes:
        assert lattice_ratio(scene) < 1.06
        for method in DEMOSAICING:
            for cfa in ("RGGB", "GRBG"):
                camera = plain(demosaicing=method, cfa=cfa, jpeg=Jpeg(98, subsampling="4:4:4"))
                assert lattice_ratio(camera.develop(scene, np.random.default_rng(3))) > 1.2, (method, cfa)
                file = camera.shoot(scene, np.random.default_rng(3))
                assert lattice_ratio(decode(file)) > 1.12, (method, cfa)


def test_a_file_shows_its_grid_at_the_corner_and_its_scene_does_not(scenes: list[Picture]) -> None:
    for scene in scenes:
        camera = plain(jpeg=Jpeg(75), sharpen=0.5)
        shown = grid_strength(decode(camera.shoot(scene, np.random.default_rng(4))))
        assert shown.argmax() == 0 and shown[0] > 1.2
        assert grid_strength(scene)[0] < 1.1


def test_noise_grows_with_light_as_stated() -> None:
    camera = plain(noise_gain=1e-3, read_noise=2e-3, prnu=0.0, saturation=0.0, white=(1.0, 1.0))
    for level in (60, 120, 180):
        scene = np.full((256, 256, 3), level, np.uint8)
        raw = camera._expose(scene, np.random.default_rng(level))
        expected = camera.noise_gain * raw.mean() + camera.read_noise**2
        assert raw.var() == pytest.approx(expected, rel=0.04)


def test_the_fixed_pattern_belongs_to_the_camera() -> None:
    scene = np.full((192, 320, 3), 150, np.uint8)
    camera = plain(id=11, prnu=0.01)
    rng = np.random.default_rng(5)
    mean = np.mean([camera.develop(scene, rng)[..., 1].astype(np.float64) for _ in range(20)], axis=0)
    green = np.indices(mean.shape).sum(axis=0) % 2 == 1

    def correlation(camera_id: int) -> float:
        return float(np.corrcoef(mean[green], fixed_pattern(camera_id, mean.shape)[green])[0, 1])

    assert correlation(11) > 0.5 and abs(correlation(12)) < 0.05
    assert np.array_equal(fixed_pattern(11, (300, 600))[:192, :320], fixed_pattern(11, (192, 320)))


def test_exposure_and_colours_are_kept(scenes: list[Picture]) -> None:
    rng = np.random.default_rng(6)
    for _ in range(8):
        for scene in scenes:
            shot = replace(Camera.draw(rng), contrast=0.0).develop(scene, rng)
            assert shot.shape == scene.shape and shot.dtype == np.uint8
            away = np.abs(shot.reshape(-1, 3).mean(axis=0) - scene.reshape(-1, 3).mean(axis=0))
            assert away.max() < 6, "a camera neither tints nor darkens"


def test_same_seed_same_bytes(scenes: list[Picture]) -> None:
    def shoot(seed: int, threads: int) -> bytes:
        before = cv2.getNumThreads()
        cv2.setNumThreads(threads)
        try:
            rng = np.random.default_rng(seed)
            return Camera.draw(rng).shoot(scenes[0], rng)
        finally:
            cv2.setNumThreads(before)

    assert shoot(1, 1) == shoot(1, 4)
    assert shoot(1, 1) != shoot(2, 1)
    scene = scenes[1].copy()
    plain().shoot(scene, np.random.default_rng(0))
    assert np.array_equal(scene, scenes[1]), "the scene is left as it was"


def test_parameters_are_a_flat_record() -> None:
    rng = np.random.default_rng(8)
    for camera in (Camera.draw(rng) for _ in range(20)):
        assert all(isinstance(v, bool | int | float | str) for v in camera.parameters.values())
        assert camera.parameters["cfa"] == camera.cfa and camera.cfa in camera.words


def test_too_small_a_scene() -> None:
    with pytest.raises(ValueError, match="at least 8"):
        plain().develop(np.zeros((4, 20, 3), np.uint8), np.random.default_rng(0))


def test_camera_tables_reach_the_file(scenes: list[Picture]) -> None:
    assert len(set(CAMERA_TABLES)) == len(CAMERA_TABLES) == 37
    for number, tables in enumerate(CAMERA_TABLES):
        assert not estimate_quality(tables.luma, tables.chroma)[1], "standard tables are written by quality"
        data = Jpeg(tables=number, subsampling=tables.subsampling).encode(scenes[0][:32, :48])
        container = intake.decode(data).item.container
        assert (container.quantisation[0], container.quantisation[1]) == (tables.luma, tables.chroma)
        assert container.subsampling == tables.subsampling
    good = camera_tables(85)
    assert 20 < len(good) < len(CAMERA_TABLES) == len(camera_tables(1))


def test_decode_gives_what_intake_gives(scenes: list[Picture]) -> None:
    for save in (
        Jpeg(60),
        Jpeg(90, subsampling="4:2:2", progressive=True),
        Jpeg(80, subsampling="4:4:4"),
        Jpeg(tables=2),
    ):
        data = save.encode(scenes[2][:101, :93])
        assert np.array_equal(decode(data), intake.decode(data).pixels), save.words
