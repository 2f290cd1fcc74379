"""Tests of composed scenes: that the truth is true, and that a seed decides on everything."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from tests.fakes.scene_bank import scene_bank, scene_props
from vaserl.errors import UserError
from vaserl.meshes.cutout.views import VIEWS
from vaserl.synthetic.scenes import bank_file
from vaserl.synthetic.scenes.bank import ForegroundBank
from vaserl.synthetic.scenes.bank_file import kept_bank
from vaserl.synthetic.scenes.dice import Dice
from vaserl.synthetic.scenes.groups import GROUPS, group_rooms
from vaserl.synthetic.scenes.layout import SCENES, sample_layout
from vaserl.synthetic.scenes.lens import stored_as_jpeg
from vaserl.synthetic.scenes.placing import Placed, crowd, place
from vaserl.synthetic.scenes.pottery import Profile, sample_profile, wall_of
from vaserl.synthetic.scenes.raster import rendered
from vaserl.synthetic.scenes.scene import ScenePictures, compose
from vaserl.synthetic.scenes.sherds import break_up
from vaserl.synthetic.scenes.subjects import FOREGROUND_KINDS, Sight, Subject, sample_subject, shows_up, sight_kind
from vaserl.synthetic.scenes.surface import as_one, spanned, swept

CPU = torch.device("cpu")
SIDE = 64


@pytest.fixture(scope="module")
def bank() -> ForegroundBank:
    return scene_bank()


@pytest.fixture(scope="module")
def pictures(bank: ForegroundBank) -> ScenePictures:
    return compose(bank, scene_props(), Dice([5, 0], CPU), 120, SIDE)


def test_compose_shows_every_scene(pictures: ScenePictures):
    assert set(pictures.scenes) == set(SCENES)


def test_compose_pictures_are_eight_bit_colours(pictures: ScenePictures):
    values = pictures.pixels * 255
    assert float(values.min()) >= 0 and float(values.max()) <= 255
    assert torch.allclose(values, values.round(), atol=1e-3)


def test_compose_has_no_vase_and_no_colour_outside_the_frame(pictures: ScenePictures):
    outside = pictures.inside == 0
    assert outside.any()
    assert float((pictures.mask * outside).max()) == 0
    assert float((pictures.pixels * outside).max()) == 0
    assert float((pictures.counts * outside).max()) == 0


def test_compose_leaves_gaps_under_handles_out_of_the_mask(pictures: ScenePictures):
    whole = [k for k, scene in enumerate(pictures.scenes) if scene == "side"]
    gaps = 0
    for k in whole:
        mask = pictures.mask[k, 0].numpy() > 0.5
        gaps += int((ndimage.binary_fill_holes(mask) & ~mask).sum() > 3)
    # the ring's hole vanishes only where the object is a few pixels wide
    assert gaps >= 0.8 * len(whole)


def test_compose_views_are_those_of_the_scenes(pictures: ScenePictures):
    for scene, view in zip(pictures.scenes, pictures.views.tolist(), strict=True):
        assert VIEWS[view] == {"lying": "upside_down_or_lying", "empty": "other"}.get(scene, scene)


def test_compose_empty_pictures_have_no_vase_and_drawings_teach_no_mask(pictures: ScenePictures):
    for k, scene in enumerate(pictures.scenes):
        if scene == "empty":
            assert float(pictures.mask[k].max()) == 0
        if scene == "drawing":
            assert float(pictures.counts[k].max()) == 0


def test_compose_page_is_smaller_than_its_frame(pictures: ScenePictures):
    for k in np.flatnonzero(pictures.scenes == "page"):
        assert float(pictures.mask[k].sum()) < float(pictures.inside[k].sum())


def test_compose_repeats_a_seed_and_varies_with_it(bank: ForegroundBank):
    props = scene_props()
    one, same, other = (compose(bank, props, Dice([seed], CPU), 4, SIDE) for seed in (1, 1, 2))
    assert torch.equal(one.pixels, same.pixels) and torch.equal(one.mask, same.mask)
    assert not torch.equal(one.pixels, other.pixels)


def test_sample_layout_keeps_whole_vases_in_the_frame(bank: ForegroundBank):
    layout = sample_layout(bank, np.random.default_rng(0), 200, SIDE)
    placed = place(bank, layout.objects[0], Dice([0], CPU), SIDE)
    for k, scene in enumerate(layout.scenes):
        left, top, width, height = layout.frames[k]
        rows, columns = np.nonzero(placed.alpha[k, 0].numpy() > 0.5)
        if scene in ("side", "above", "mouth", "below") and len(rows):
            assert columns.min() >= left - 1 and columns.max() <= left + width
            assert rows.min() >= top - 1 and rows.max() <= top + height


def test_place_shows_a_foreground_where_the_layout_puts_it(bank: ForegroundBank):
    layout = sample_layout(bank, np.random.default_rng(1), 60, SIDE)
    first = layout.objects[0]
    placed = place(bank, first, Dice([0], CPU), SIDE)
    for k in np.flatnonzero(layout.scenes == "side")[:10]:
        # the share of the canvas that is covered is the foreground's, scaled
        expected = float((bank.pixels[first.foregrounds[k], -1] > 127).sum()) * first.shrinks[k] ** 2
        assert float(placed.alpha[k].sum()) == pytest.approx(expected, rel=0.08, abs=4)


def test_stored_as_jpeg_keeps_flat_pictures_and_changes_grain():
    flat = torch.full((2, 3, 32, 32), 128 / 255)
    assert torch.allclose(stored_as_jpeg(flat, Dice([0], CPU)), flat, atol=0.02)
    grain = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert float((stored_as_jpeg(grain, Dice([0], CPU)) - grain).abs().mean()) > 0.02


def ball(radius: float = 1.0, at: tuple[float, float, float] = (0.0, 0.0, 0.0)):
    latitude = np.linspace(-np.pi / 2, np.pi / 2, 24)[:, None]
    azimuth = np.linspace(-np.pi, np.pi, 33)[None]
    points = np.broadcast_arrays(
        np.cos(latitude) * np.sin(azimuth), np.sin(latitude), np.cos(latitude) * np.cos(azimuth)
    )
    return spanned(radius * np.stack(points, axis=-1) + np.array(at), np.linspace(0, 1, 24), np.ones(24))


def shot(surface, texture: np.ndarray, side: int = 64, **sight: float) -> np.ndarray:
    view = Sight(kind="side", azimuth_deg=sight.get("azimuth_deg", 0.0), elevation_deg=sight.get("elevation_deg", 0.0))
    return rendered(Subject(surface=surface, texture=texture, sights=(view,)), side, CPU)[0].numpy()


GREY = np.full((8, 8, 3), 90, np.uint8)


def test_rendered_ball_is_a_disc_with_normals_to_the_camera():
    found = shot(ball(), GREY)
    radius = 64 / 2 / 1.03
    assert (found[6] / 255).sum() == pytest.approx(np.pi * radius**2, rel=0.02)
    assert np.abs(found[:3][:, found[6] > 250].astype(int) - 90).max() <= 1
    x, y = found[3].astype(int) - 128, found[4].astype(int) - 128
    assert abs(x[32, 32]) < 9 and abs(y[32, 32]) < 9  # at the middle it faces the camera
    assert x[32, 58] > 90 > -90 > x[32, 5]  # to the right, and to the left
    assert y[5, 32] > 90 > -90 > y[58, 32]  # up, and down


def test_rendered_ring_is_open():
    circle = [(0.8 * np.cos(t), 0.8 * np.sin(t), 0.0) for t in np.linspace(0, 2 * np.pi, 25)]
    ring = swept(circle, (0.1, 0.1), 0.0, 0.5)
    found = shot(ring, GREY, elevation_deg=89.9)
    assert found[6, 32, 32] == 0
    assert (found[6, 32] > 200).any()


def test_rendered_nearer_surface_hides_the_further_one():
    # one texture coordinate each: the far ball is dark, the near one bright
    near, far = ball(0.5, (0, 0, 1.0)), ball(0.5, (0, 0, -1.0))
    texture = np.zeros((8, 8, 3), np.uint8)
    texture[:4] = 250
    parts = []
    for part, v in ((far, 0.1), (near, 0.9)):
        parts.append(
            type(part)(
                vertices=part.vertices,
                normals=part.normals,
                faces=part.faces,
                uv=np.full_like(part.uv, v),
                openness=part.openness,
            )
        )
    for both in (parts, parts[::-1]):
        assert shot(as_one(both), texture)[0, 32, 32] > 200


def test_sight_kind_by_elevation_and_how_much_of_the_mouth_is_seen():
    cup = Profile(
        points=np.array([[0.2, 0.0], [0.8, 1.0]]),
        belly=(0.8, 1.0),
        shoulder=(0.8, 1.0),
        lip=(0.8, 1.0),
        has_neck=False,
        is_open=True,
    )
    jar = Profile(
        points=np.array([[0.2, 0.0], [0.1, 1.0]]),
        belly=(0.2, 0.5),
        shoulder=(0.1, 0.8),
        lip=(0.1, 1.0),
        has_neck=True,
        is_open=True,
    )
    assert sight_kind(cup, 25) == "side"
    # between the lathe's limit and a view from above
    assert sight_kind(cup, 30) == ""
    # mouth 2 r sin e, wall cos e: at 40 degrees 1.03 and 0.77 for the cup, a share of 0.57
    assert sight_kind(cup, 40) == "above"
    # 0.13 and 0.77 for the jar: 0.14
    assert sight_kind(jar, 40) == ""
    assert sight_kind(jar, 20) == "side"
    assert sight_kind(jar, 85) == "mouth"
    assert sight_kind(jar, -60) == "below"


def test_shows_up_only_where_a_form_differs_from_itself_upside_down():
    def vase(lip: float, foot: float) -> Profile:
        return Profile(
            points=np.array([[foot, 0.0], [lip, 1.0]]),
            belly=(lip, 1.0),
            shoulder=(lip, 1.0),
            lip=(lip, 1.0),
            has_neck=False,
            is_open=True,
        )

    assert shows_up(vase(lip=0.8, foot=0.2))
    # a mean difference of 0.1 / 0.45 / 2 of the radius: a beaker
    assert not shows_up(vase(lip=0.5, foot=0.4))


@pytest.mark.parametrize("group", GROUPS)
def test_group_rooms_of_several_overlap_no_other_wholly_and_one_has_the_frame(group: str):
    frames = np.tile([[4.0, 10.0, 90.0, 60.0]], (40, 1))
    rooms = group_rooms(frames, np.full(40, group), np.array([1, 2, 3, 2] * 10), np.random.default_rng(0))
    assert (rooms[::4, 0] == frames[0]).all()
    first, second = rooms[1::4, 0], rooms[1::4, 1]
    assert (np.abs((first + first[:, [2, 3, 0, 1]] / 2 - second)[:, :2]).max(1) > 1).all()
    right = rooms[1::4, :2, 0] + rooms[1::4, :2, 2]
    beyond = (rooms[1::4, :2, 0] < 4 - 1) | (right > 94 + 1)
    assert beyond.any(1).all() == (group == "cut")


def test_crowd_repeats_an_object(bank: ForegroundBank):
    layout = sample_layout(bank, np.random.default_rng(1), 60, SIDE)
    placed = place(bank, layout.objects[0], Dice([0], CPU), SIDE)
    who = np.flatnonzero(layout.scenes == "side")[:10]
    many = crowd(placed, torch.from_numpy(who), torch.from_numpy(layout.frames), Dice([0], CPU))
    # copies of a row may touch
    copies = [ndimage.label(many.alpha[k, 0].numpy() > 0.5)[1] for k in who]
    assert sum(copies) > 2 * len(who)
    others = np.setdiff1d(np.arange(60), who)
    assert torch.equal(many.alpha[others], placed.alpha[others])


def test_break_up_leaves_large_sherds_and_small_ones_within_the_object(bank: ForegroundBank):
    layout = sample_layout(bank, np.random.default_rng(2), 80, SIDE)
    placed = place(bank, layout.objects[0], Dice([0], CPU), SIDE)
    whole = Placed(
        albedo=placed.albedo, normal=placed.normal, openness=placed.openness, alpha=torch.ones_like(placed.alpha)
    )
    frames = torch.tensor([[0.0, 0.0, SIDE, SIDE]]).expand(80, 4)
    sherds = break_up(whole, torch.arange(80), frames, Dice([0], CPU)).alpha[:, 0] > 0.5
    share = sherds.float().mean((1, 2))
    assert float(share.max()) > 0.7 and float(share.min()) < 0.35 and float(share.min()) > 0.02
    counts = []
    for one in sherds.numpy():
        parts, _ = ndimage.label(one)
        counts.append(int((np.bincount(parts.ravel())[1:] > 20).sum()))
    assert 30 < counts.count(1) < 65 and max(counts) >= 4


@pytest.mark.parametrize("number", range(16))
def test_sample_profile_is_a_profile(number: int):
    rng = np.random.default_rng(number)
    profile = sample_profile(rng)
    radius, height = profile.points.T
    assert (np.diff(height) >= 0).all() and height[-1] == pytest.approx(1) and height[0] <= 0.001
    assert (radius > 0).all()
    wall = wall_of(profile, rng, is_broken=profile.is_open)
    assert np.isfinite(wall.vertices).all() and np.isfinite(wall.normals).all()
    assert wall.vertices[:, 1].max() < 1.1


def test_sample_subject_repeats_its_seed_and_every_eighth_is_no_vase():
    one, same = sample_subject(0, 1), sample_subject(0, 1)
    assert np.array_equal(one.surface.vertices, same.surface.vertices) and np.array_equal(one.texture, same.texture)
    for subject in (one, sample_subject(0, 9)):
        assert {sight.kind for sight in subject.sights} == {"bystander"}
    assert "side" in {sight.kind for sight in sample_subject(0, 2).sights}


def test_kept_bank_renders_once_and_refuses_other_objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    calls = []
    monkeypatch.setattr(bank_file, "render_bank", lambda *arguments: calls.append(arguments) or scene_bank())
    path = tmp_path / "new" / "bank.safetensors"
    first = kept_bank(path, 0, range(3), 64, CPU, 1)
    again = kept_bank(path, 0, range(3), 64, CPU, 1)
    assert len(calls) == 1
    assert torch.equal(first.pixels, again.pixels) and np.array_equal(first.kinds, again.kinds)
    assert first.checksum() == again.checksum()
    with pytest.raises(UserError, match="holds seed 0, objects 0 to 2"):
        kept_bank(path, 0, range(4), 64, CPU, 1)


def test_bank_refuses_to_lack_a_kind(bank: ForegroundBank):
    with pytest.raises(UserError, match="show none of: bystander"):
        ForegroundBank(bank.pixels[:-2], np.repeat(np.arange(len(FOREGROUND_KINDS) - 1), 2))
