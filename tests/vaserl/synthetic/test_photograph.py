"""Tests photographs of a synthetic vase: each kind (intact, fragment, blurred …) has its characteristics."""

from typing import get_args

import numpy as np
import pytest

from tests.fakes.synthetic_vases import with_facts
from vaserl.meshes.turntable import TurntableRenderer
from vaserl.synthetic import photograph as photograph_module
from vaserl.synthetic.mesh import build_mesh, to_glb
from vaserl.synthetic.paint import paint_vase
from vaserl.synthetic.photograph import PhotographKind, shard_of, take_photograph
from vaserl.synthetic.vase import VaseTraits

KINDS = get_args(PhotographKind)


def test_take_photograph_kinds_have_their_characteristics(traits: VaseTraits, monkeypatch: pytest.MonkeyPatch) -> None:
    traits = with_facts(traits, shape="AMPHORA, NECK")
    mesh = build_mesh(traits, paint_vase(traits))
    to_glb(mesh)
    with TurntableRenderer(photograph_module.RESOLUTION) as camera:
        images = {kind: take_photograph(camera, mesh, kind, np.random.default_rng(5)) for kind in KINDS}
        again = take_photograph(camera, mesh, "intact", np.random.default_rng(5))
    assert all(image.shape == (224, 224, 3) and image.dtype == np.uint8 for image in images.values())
    assert (again == images["intact"]).all()

    def sharpness(kind: str) -> float:
        grey = images[kind].astype(float).mean(axis=-1)
        return float(np.abs(np.diff(grey, axis=1)).mean() / grey.std())

    def touches_the_frame(kind: str) -> bool:
        image = images[kind].astype(int)
        border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        return bool(np.abs(border - np.median(border, axis=0)).max() > 40)

    assert sharpness("blur") < 0.6 * sharpness("intact")
    assert touches_the_frame("crop")
    assert not any(touches_the_frame(kind) for kind in ("intact", "above", "fragment", "blur"))

    def height(kind: str) -> int:
        image = images[kind].astype(int)
        rows = np.flatnonzero(np.abs(image - image[0, 0]).max(axis=(1, 2)) > 40)
        return int(rows[-1] - rows[0])

    assert height("above") < 0.93 * height("intact"), "a body seen from above is foreshortened"
    colourful = {kind: np.ptp(images[kind].astype(int), axis=-1).max() for kind in KINDS}
    assert colourful["sketch"] < 40 < colourful["intact"]


def test_shard_of_is_a_small_part_of_the_vase(traits: VaseTraits) -> None:
    mesh = build_mesh(traits, paint_vase(traits))
    for seed in range(8):
        shard = shard_of(mesh, np.random.default_rng(seed))
        assert 0.005 < shard.area / mesh.area < 0.45
        assert shard.visual.uv.shape == (len(shard.vertices), 2)  # type: ignore[union-attr]
