"""Tests which of a vase's photographs the lathe uses together, with a lathe that reads its findings from the pixels."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vaserl.meshes.generators import lathe_generator
from vaserl.meshes.generators.lathe_generator import agreeing_views, do_agree
from vaserl.meshes.lathe import LatheError, UsedView, VaseSide, VaseView

FREE: tuple[VaseSide, ...] = ("back", "right", "left")


def seen(side: VaseSide, num_handles: int = 0, silhouette_iou: float = 0.95, index: int = 0) -> UsedView:
    return UsedView(index=index, side=side, num_handles=num_handles, silhouette_iou=silhouette_iou)


def view(side: VaseSide | None, num_handles: int = 0, percent: int = 95) -> VaseView:
    """Returns a photograph whose only pixel holds the number of handles and the silhouettes' overlap in percent; one
    with an overlap of 0 can't be used."""
    pixel = np.array([[[num_handles, percent, 0]]], np.uint8)
    return VaseView(photo=pixel, mask=np.ones((1, 1), bool), side=side)


@pytest.fixture(autouse=True)
def lathe_of_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    def lathe_views(views: Sequence[VaseView]) -> Any:
        found: list[UsedView] = []
        for index, given in enumerate(views):
            num_handles, percent = int(given.photo[0, 0, 0]), int(given.photo[0, 0, 1])
            if percent:
                others = {v.side for v in views} | {v.side for v in found}
                side: VaseSide = given.side or next(free for free in FREE if free not in others)
                found.append(seen(side, num_handles, percent / 100, index))
        if not found:
            raise LatheError("no vase found")
        return SimpleNamespace(views=tuple(found), sides=tuple(v.side for v in found))

    monkeypatch.setattr(lathe_generator, "lathe_views", lathe_views)


def test_do_agree_compares_silhouettes_and_the_handles_of_opposite_views():
    assert do_agree([seen("front", 2), seen("right"), seen("back", 2), seen("left")])
    assert do_agree([seen("front", 2), seen("right", 1), seen("left", 1)]), "a hydria"
    assert do_agree([seen("front"), seen("right", 2)]), "a krater whose best view is from the side"
    assert not do_agree([seen("front", 2), seen("back", 2), seen("right", 1)]), "not confirmed from the left"
    assert not do_agree([seen("front", 2), seen("right", 2), seen("left", 2)]), "no vase has four"
    assert not do_agree([seen("front", 2), seen("back", 1)])
    assert not do_agree([seen("front"), seen("right", 1), seen("left")])
    assert not do_agree([seen("front"), seen("right", silhouette_iou=0.86)])


@pytest.mark.parametrize(
    ("others", "used"),
    [
        ((view("right"), view("back", 2), view("left")), (0, 1, 2)),
        ((view("right"), view("back", 1), view("left")), (0, 2)),  # the back should show the front's two handles
        ((view("right"), view("left", 2)), (0,)),
        ((view("right", 2), view("left")), (1,)),  # the one with fewer handles
        ((view("right", 0, 90), view("left", 0, 80)), (0,)),  # the left one shows another shape
        ((view("right", 0, 0), view("left"), view("back", 2)), (1, 2)),  # the first can't be used
        ((view("right", 1, 88), view("back", 1), view("left", 2)), ()),  # handles that no other view confirms
        ((view("back", 2, 0),), ()),
        ((), ()),
    ],
)
def test_agreeing_views_are_the_most_that_agree(others, used):
    assert agreeing_views(view("front", 2), others)[0] == used


def test_agreeing_views_places_a_view_from_the_right_or_the_left_beside_the_back():
    front, aside = view("front", 2), view(None)
    used, result = agreeing_views(front, [view("back", 1), aside])
    assert used == (1,) and result.sides == ("front", "right"), "known from the set with the back"
    assert agreeing_views(front, [aside])[0] == ()
    assert agreeing_views(front, [view("back", 2, 0), aside])[0] == (), "it would be taken for the back"


def test_agreeing_views_needs_the_main_photograph():
    with pytest.raises(LatheError, match="no vase found"):
        agreeing_views(view("front", 2, 0), [view("back", 2), view("right")])
