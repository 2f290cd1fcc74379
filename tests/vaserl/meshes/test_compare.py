"""Tests VaseEval, the comparison of generated with true meshes, against numbers by hand, scikit-image's SSIM, LPIPS'
definition, and transformed copies of a mesh."""

import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import safetensors.torch
import torch
import torchvision
import trimesh
from PIL import Image
from skimage.metrics import structural_similarity
from trimesh.visual.texture import SimpleMaterial, TextureVisuals

from launch.vaseeval import main
from tests.fakes.striped_jar import jar
from vaserl.errors import UserError
from vaserl.meshes.compare import LpipsSettings, VaseEvalSettings
from vaserl.meshes.compare.align import align
from vaserl.meshes.compare.evaluate import Pair, comparison_summary, evaluate
from vaserl.meshes.compare.geometry import chamfer_distance, normal_consistency
from vaserl.meshes.compare.pictures import OpenClipScores, load_lpips, psnr, ssim
from vaserl.meshes.compare.surface import sample_surface
from vaserl.meshes.compare.table import comparison_table
from vaserl.meshes.turntable import TurntableRenderer
from vaserl.settings import OpenClipSettings
from vaserl.synthetic.models.tiny_filters import CLIP_CONFIG, CLIP_PREPROCESS, CLIP_WEIGHTS


def moved(mesh: trimesh.Trimesh, turn_deg: float, lean_deg: float = 0.0) -> trimesh.Trimesh:
    copy = mesh.copy()
    copy.apply_transform(trimesh.transformations.rotation_matrix(np.radians(turn_deg), [0, 1, 0]))
    copy.apply_transform(trimesh.transformations.rotation_matrix(np.radians(lean_deg), [0.6, 0, 0.8]))
    copy.apply_scale(7.3)
    copy.apply_translation([4.0, -2.0, 11.0])
    return copy


def settings(tmp_path: Path, **changes) -> VaseEvalSettings:
    given = {"run_dir": tmp_path / "run", "generated": {"copy": tmp_path / "made"}, "true": tmp_path / "true"}
    return VaseEvalSettings(**(given | {"num_views": 4, "resolution": 96, "num_points": 4000} | changes))


def save(folder: Path, **meshes: trimesh.Trimesh) -> None:
    folder.mkdir(exist_ok=True)
    for name, mesh in meshes.items():
        mesh.export(folder / f"{name}.glb")


def test_evaluate_is_perfect_for_itself_and_nearly_for_a_moved_copy(tmp_path):
    save(tmp_path / "true", same=jar(), moved=jar())
    save(tmp_path / "made", same=jar(), moved=moved(jar(), 133.0, 3.0))
    pairs = {pair["id"]: pair for pair in evaluate(settings(tmp_path))["copy"]["pairs"]}
    same, copy = pairs["same"], pairs["moved"]
    assert same["scores"]["psnr"] == float("inf") and same["scores"]["ssim"] == pytest.approx(1.0, abs=1e-6)
    assert same["scores"]["chamfer"] == 0.0 and same["scores"]["normal_consistency"] == pytest.approx(1.0, abs=1e-9)
    # turned back by -133 = 227 degrees, in steps of 5
    assert abs(copy["turn_deg"] - 227.0) <= 5.0
    assert copy["scores"]["ssim"] > 0.97 and copy["scores"]["psnr"] > 27
    assert copy["scores"]["chamfer"] < 0.012 and copy["scores"]["normal_consistency"] > 0.98
    assert same["failure"] == copy["failure"] == ""


def test_align_paint_decides_the_turn_of_what_is_round():
    found = align(moved(jar(), 90.0), jar())
    assert abs(found.turn_deg - 270.0) <= 5.0
    assert abs(align(jar(mark_deg=-60.0), jar(mark_deg=40.0)).turn_deg - 100.0) <= 5.0
    # without paint all turns are equal, so the first one is kept
    bare = trimesh.Trimesh(jar().vertices, jar().faces, process=False)
    assert align(bare, bare).turn_deg == 0.0


def test_align_undoes_scale_place_and_lean():
    true, copy = jar(), moved(jar(), 20.0, 4.0)
    found = align(copy, true)
    here = trimesh.transform_points(copy.vertices, found.to_frame)
    there = trimesh.transform_points(true.vertices, found.true_to_frame)
    assert np.ptp(there[:, 1]) == pytest.approx(1.0)
    assert np.linalg.norm(here - there, axis=1).mean() < 0.012
    assert np.cbrt(np.linalg.det(found.to_frame[:3, :3])) == pytest.approx(1 / 7.3, rel=0.01)


def test_sample_surface_looks_colours_up_with_v_upwards():
    """Uses a textured square that is red above and blue below."""
    picture = Image.fromarray(np.repeat(np.array([[[255, 0, 0]], [[0, 0, 255]]], np.uint8), 2, axis=1))
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    visual = TextureVisuals(uv=corners[:, :2], material=SimpleMaterial(image=picture))
    square = trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]], visual=visual, process=False)
    surface = sample_surface(square, 500)
    above = surface.points[:, 1] > 0.5
    assert (surface.colours[above] == [1, 0, 0]).all() and (surface.colours[~above] == [0, 0, 1]).all()


def test_chamfer_distance_of_concentric_spheres_by_hand():
    """Checks spheres whose radii differ by 0.25: the Chamfer distance is 0.25 up to the sampling error, and the normals
    of nearest points are equal."""
    small, large = (sample_surface(trimesh.creation.icosphere(5, radius=r), 20_000) for r in (1.0, 1.25))
    assert chamfer_distance(small, large) == pytest.approx(0.25, abs=0.004)
    assert chamfer_distance(small, large) == chamfer_distance(large, small)
    assert normal_consistency(small, large) > 0.995


def test_normal_consistency_at_an_angle_by_hand():
    """Uses a square and a copy turned by 60 degrees: |cos| = 0.5 everywhere, whichever points are nearest."""
    square = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]], process=False)
    turned = square.copy()
    turned.apply_transform(trimesh.transformations.rotation_matrix(np.radians(60), [1, 0, 0]))
    assert normal_consistency(*(sample_surface(mesh, 500) for mesh in (square, turned))) == pytest.approx(0.5)
    inverted = trimesh.Trimesh(turned.vertices, turned.faces[:, ::-1], process=False)  # scans are wound either way
    assert normal_consistency(*(sample_surface(mesh, 500) for mesh in (square, inverted))) == pytest.approx(0.5)


def test_psnr_by_hand_and_ssim_against_scikit_image():
    rng = np.random.default_rng(0)
    one = rng.integers(0, 255, (2, 48, 48, 3), dtype=np.uint8)
    flat = np.full_like(one, 100)
    # all pixels differ by 51 = 0.2 of 255: 10 log10(1 / 0.04) = 13.979 dB
    assert psnr(flat, flat + np.uint8(51)) == pytest.approx(13.979, abs=1e-3)
    other = np.clip(one.astype(int) + rng.integers(-60, 60, one.shape), 0, 255).astype(np.uint8)
    # a plain margin, as in renderings, where both libraries' ways to pad an image agree
    one, other = (np.pad(p, ((0, 0), (12, 12), (12, 12), (0, 0)), constant_values=255) for p in (one, other))
    options = {"channel_axis": -1, "data_range": 255, "gaussian_weights": True, "use_sample_covariance": False}
    maps = [structural_similarity(a, b, full=True, **options)[1] for a, b in zip(one, other, strict=True)]
    expected = float(np.mean(maps))
    assert 0.3 < expected < 0.98
    assert ssim(one, other) == pytest.approx(expected, abs=2e-4)


def test_load_lpips_is_the_distance_of_scaled_features(tmp_path):
    """Computes LPIPS by its definition: channels normalised at each pixel, differences squared, weighted, averaged,
    summed."""
    torch.manual_seed(0)
    alexnet = torchvision.models.alexnet(weights=None).eval()
    torch.save(alexnet.state_dict(), tmp_path / "alexnet.pth")
    lpips = load_lpips(LpipsSettings(path=tmp_path / "alexnet.pth"))
    one, other = np.random.default_rng(1).integers(0, 255, (2, 1, 64, 64, 3), dtype=np.uint8)
    assert lpips(one, one) == 0.0
    import torchmetrics

    linear = torch.load(
        Path(torchmetrics.__file__).parent / "functional/image/lpips_models/alex.pth", map_location="cpu"
    )
    mean, deviation = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    here, there = (
        (((torch.from_numpy(p).float() / 127.5 - 1) - mean) / deviation).permute(0, 3, 1, 2) for p in (one, other)
    )
    expected = 0.0
    with torch.no_grad():
        level = 0
        for layer in alexnet.features:
            here, there = layer(here.clone()), layer(there.clone())
            if isinstance(layer, torch.nn.ReLU):
                unit = [f / torch.sqrt(1e-8 + (f**2).sum(1, keepdim=True)) for f in (here, there)]
                weighted = (unit[0] - unit[1]) ** 2 * linear[f"lin{level}.model.1.weight"]
                expected += float(weighted.sum(1).mean())
                level += 1
    assert expected > 1e-4
    assert lpips(one, other) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("backbone", ["squeeze"])
def test_load_lpips_names_wrong_weights(tmp_path, backbone):
    torch.save(torchvision.models.alexnet(weights=None).state_dict(), tmp_path / "alexnet.pth")
    with pytest.raises(UserError, match=rf"alexnet\.pth: not torchvision's weights of '{backbone}'"):
        load_lpips(LpipsSettings(path=tmp_path / "alexnet.pth", backbone=backbone))
    (tmp_path / "noise.pth").write_bytes(b"no weights")
    with pytest.raises(UserError, match=r"noise\.pth"):
        load_lpips(LpipsSettings(path=tmp_path / "noise.pth"))


def test_load_lpips_fills_every_layer_of_squeezenet(tmp_path):
    weights = torchvision.models.squeezenet1_1(weights=None).state_dict()
    torch.save(weights, tmp_path / "s.pth")
    lpips = load_lpips(LpipsSettings(path=tmp_path / "s.pth", backbone="squeeze"))
    black, white = np.zeros((1, 64, 64, 3), np.uint8), np.full((1, 64, 64, 3), 255, np.uint8)
    first = lpips(black, white)
    weights["features.12.expand3x3.weight"] *= -1.0
    torch.save(weights, tmp_path / "s.pth")
    other = load_lpips(LpipsSettings(path=tmp_path / "s.pth", backbone="squeeze"))(black, white)
    assert first != other


def test_open_clip_scores_are_mean_cosines(tmp_path):
    """Compares the scores with plain open_clip calls, for random weights of the real architecture."""
    (tmp_path / "clip").mkdir()
    model = open_clip.CLIP(**CLIP_CONFIG).eval()  # type: ignore[arg-type]
    safetensors.torch.save_file(model.state_dict(), tmp_path / "clip" / CLIP_WEIGHTS)
    config = {"model_cfg": CLIP_CONFIG, "preprocess_cfg": CLIP_PREPROCESS}
    (tmp_path / "clip" / "open_clip_config.json").write_text(json.dumps(config))
    scores = OpenClipScores(OpenClipSettings(path=tmp_path / "clip"))
    one, other = np.random.default_rng(2).integers(0, 255, (2, 3, 64, 64, 3), dtype=np.uint8)
    here, there = scores.features(one), scores.features(other)
    assert scores.image_score(here, here) == pytest.approx(1.0, abs=1e-6)
    mean, deviation = (torch.tensor(CLIP_PREPROCESS[name]).view(3, 1, 1) for name in ("mean", "std"))

    def encoded(pictures: np.ndarray) -> torch.Tensor:
        pixels = (torch.from_numpy(pictures.copy()).permute(0, 3, 1, 2).float() / 255 - mean) / deviation
        return torch.nn.functional.normalize(model.encode_image(pixels), dim=-1)

    with torch.no_grad():
        expected = (encoded(one) * encoded(other)).sum(dim=1).mean()
        words = open_clip.get_tokenizer(f"local-dir:{tmp_path / 'clip'}")(["Athenian amphora"])
        text = torch.nn.functional.normalize(model.encode_text(words), dim=-1)
        expected_text = (encoded(one) @ text.T).mean()
    assert scores.image_score(here, there) == pytest.approx(float(expected), abs=1e-4)
    assert scores.text_score(here, "Athenian amphora") == pytest.approx(float(expected_text), abs=1e-4)
    for parameter in scores._model.visual.parameters():
        torch.nn.init.constant_(parameter, float("nan"))
    with pytest.raises(UserError, match=r"clip\.path .* isn't finite"):
        scores.features(one)


def test_evaluate_counts_failed_pairs_and_lists_extra_models(tmp_path):
    save(tmp_path / "true", kept=jar(), torn=jar(), absent=jar())
    save(tmp_path / "made", kept=moved(jar(belly=0.26), 10.0), torn=jar(), extra=jar())
    (tmp_path / "made" / "torn.glb").write_bytes(b"glTF but no more")
    (tmp_path / "made" / "notes.txt").touch()
    (tmp_path / "c.toml").write_text(
        f'run_dir = "{tmp_path}/run"\ntrue = "{tmp_path}/true"\nnum_views = 2\nresolution = 64\nnum_points = 1000\n'
        f'[generated]\nslim = "{tmp_path}/made"\n'
    )
    assert main([str(tmp_path / "c.toml")]) == 0
    found = json.loads((tmp_path / "run" / "vaseeval.json").read_text())["generators"]["slim"]
    assert (found["num_pairs"], found["num_failed"], found["without_true"]) == (3, 2, ["extra"])
    assert found["without_generated"] == ["absent"] and found["other_files"] == ["notes.txt"]
    assert found["failures"]["absent"] == "the generator made no mesh" and "damaged" in found["failures"]["torn"]
    assert found["metrics"]["chamfer"]["num"] == 1 and 0.005 < found["metrics"]["chamfer"]["mean"] < 0.05
    assert "lpips" not in found["metrics"] and "clip_image" not in found["metrics"]
    words = (tmp_path / "run" / "vaseeval.md").read_text()
    assert "| slim | 3 | 2 |" in words and "0.8676" in words and "* slim torn:" in words
    assert "* slim, 1 generated meshes without a true mesh, not compared: extra" in words
    assert "* slim, 1 true meshes without a generated mesh, failed: absent" in words
    assert "* slim, 1 files that are no GLBs, not read: notes.txt" in words


def test_comparison_summary_counts_equal_pictures_beside_the_mean():
    def pair(name: str, value: float) -> Pair:
        return Pair(id=name, generated=name, failure="", turn_deg=0.0, misfit=0.0, scores={"psnr": value, "ssim": 1.0})

    found = comparison_summary([pair("a", float("inf")), pair("b", 20.0), pair("c", 30.0)], seed=0)
    assert found["metrics"]["psnr"]["mean"] == 25.0 and found["metrics"]["psnr"]["num_equal"] == 1
    assert "25.00" in comparison_table({"g": found}) and "1 equal" in comparison_table({"g": found})


def test_render_views_two_models_can_share_one_camera():
    """Renders a jar of half the size. With the large jar's camera it covers a quarter of the large jar's pixels; with
    its own camera, as many."""
    large, small = jar(), jar()
    small.apply_scale(0.5)
    with TurntableRenderer(resolution=96) as turntable:

        def covered(mesh: trimesh.Trimesh, **framing) -> int:
            picture = turntable.render_views(mesh, [(0.0, 0.0)], background=(0.0, 1.0, 0.0), **framing)[0]
            return int((np.abs(picture.astype(int) - [0, 255, 0]).max(axis=2) > 60).sum())

        assert covered(small) == pytest.approx(covered(large), rel=0.05)
        assert covered(small, framed_by=large) == pytest.approx(covered(large) / 4, rel=0.1)


def test_evaluate_names_missing_folders_and_captions(tmp_path):
    with pytest.raises(UserError, match=r"true .*: no \.glb files"):
        evaluate(settings(tmp_path))
    save(tmp_path / "true", a=jar())
    save(tmp_path / "made", a=jar())
    (tmp_path / "texts.json").write_text("[1]")
    with pytest.raises(UserError, match=r"texts\.json: expected a JSON object"):
        evaluate(settings(tmp_path, texts=tmp_path / "texts.json"))
