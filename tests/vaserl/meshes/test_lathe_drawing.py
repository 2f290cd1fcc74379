"""Tests the profile drawing by reading back its SVG."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest

from tests.fakes.turned_vases import lathe_of, seen_mask, with_handles
from vaserl.meshes.lathe import profile_drawing


def test_profile_drawing_is_svg_in_millimetres_with_its_layers() -> None:
    result = lathe_of(seen_mask())
    root = ElementTree.fromstring(profile_drawing(result, height_mm=300.0, scale=0.5))
    space = "{http://www.w3.org/2000/svg}"
    layers = {group.get("id"): group for group in root.findall(f"{space}g")}
    assert set(layers) == {"section", "exterior", "handles", "centre-line", "scale-bar", "caption"}
    assert root.get("width", "").endswith("mm") and root.get("height", "").endswith("mm")
    assert root.get("viewBox") == f"0 0 {root.get('width', '')[:-2]} {root.get('height', '')[:-2]}"
    outline = next(path for path in layers["exterior"] if path.get("class") == "outline")
    points = np.array([float(word) for word in outline.get("d", "").split() if word not in "ML"]).reshape(-1, 2)
    assert np.ptp(points[:, 1]) == pytest.approx(150.0, abs=0.01)  # 300 mm at 1:2
    centre = float(layers["centre-line"][0].get("x1", "nan"))
    assert points[:, 0].max() - centre == pytest.approx(result.profile[:, 0].max() * 150.0, abs=0.01)
    assert points[:, 0].min() >= centre, "the outside is drawn on the right"
    bar = layers["scale-bar"][0]
    # the longest round length up to a quarter of 300 mm is 50 mm: 25 mm of paper
    assert float(bar.get("x2", "nan")) - float(bar.get("x1", "nan")) == pytest.approx(25.0, abs=0.01)
    assert layers["scale-bar"].findtext(f"{space}text") == "50 mm"
    kinds = [shape.get("class") for shape in layers["section"]]
    assert kinds == ["outline", "edge", "edge"], "a wall without a measured thickness isn't drawn"
    assert "wall not known" in (layers["caption"][1].text or "")
    measured = ElementTree.fromstring(profile_drawing(result, height_mm=300.0, wall_mm=6.0, scale=0.5))
    wall = next(group for group in measured if group.get("id") == "section")[0]
    corners = np.array([float(word) for word in wall.get("d", "").split() if word not in "ML"]).reshape(-1, 2)
    row = np.abs(corners[:, 1] - (points[:, 1].min() + 75.0)) < 2.5  # the belly, at half of the height
    # 0.3 of 300 mm and 6 mm less, at 1:2
    assert centre - corners[row, 0].min() == pytest.approx(0.3 * 150.0, abs=1.0)
    assert centre - corners[row, 0].max() == pytest.approx(0.3 * 150.0 - 3.0, abs=1.0)
    assert "not to scale" in profile_drawing(result)
    with pytest.raises(ValueError, match="must be positive, got -1"):
        profile_drawing(result, height_mm=-1)
    with pytest.raises(ValueError, match=r"wall_mm needs a height_mm .* got 6"):
        profile_drawing(result, wall_mm=6.0)


@pytest.mark.parametrize("sides", [(-1, 1), (1,)])
def test_profile_drawing_has_handles_where_they_stand_off_the_body(sides: tuple[int, ...]) -> None:
    result = lathe_of(with_handles(seen_mask(), sides))
    root = ElementTree.fromstring(profile_drawing(result, height_mm=300.0, scale=0.5))
    layers = {group.get("id"): group for group in root}
    centre = float(layers["centre-line"][0].get("x1", "nan"))
    lines = [
        np.array([float(word) for word in path.get("d", "").split() if word not in "ML"]).reshape(-1, 2)
        for path in layers["handles"]
    ]
    reach = [(line[:, 0] - centre)[np.argmax(np.abs(line[:, 0] - centre))] / 150.0 for line in lines]
    # the bar's middle runs out to 0.34 and it is 10 of 150 pixels thick: edges at 0.34 and 0.033 more and less
    for side in sides:
        of_side = sorted(abs(value) for value in reach if np.sign(value) == side)
        assert of_side[0] == pytest.approx(0.34 - 0.033, abs=0.02)
        assert of_side[-1] == pytest.approx(0.34 + 0.033, abs=0.02)
    assert {np.sign(value) for value in reach} == set(sides)


def test_profile_drawing_of_a_bar_that_begins_farthest_from_the_axis() -> None:
    result = lathe_of(with_handles(seen_mask(), (1,)))
    along = np.linspace(0, 1, 5)
    curve = np.stack([0.5 - 0.3 * along, 0.5 + 0.1 * along, 0.4 * along], axis=1)
    bar = replace(result.tubes[0], curve=curve, radius=np.full(5, 0.02))
    drawn = ElementTree.fromstring(profile_drawing(replace(result, tubes=(bar,)), height_mm=300.0, scale=0.5))
    handles = next(group for group in drawn if group.get("id") == "handles")
    points = [float(word) for path in handles for word in path.get("d", "").split() if word not in "ML"]
    centre = float(drawn.get("viewBox", "").split()[2]) / 2
    assert max(points[::2]) - centre == pytest.approx((0.5 + 0.02) * 150.0, abs=3.5)
