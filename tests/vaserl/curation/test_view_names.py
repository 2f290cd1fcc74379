"""Tests what the names of a vase's views say: their order and their sides."""

from itertools import permutations

import pytest

from vaserl.curation.stage import Kept, Photograph
from vaserl.curation.stages.best_view import BestView
from vaserl.curation.stages.view_names import named_sides, names_no_whole_vase, view_rank, view_ranks


@pytest.mark.parametrize(
    "views",
    [
        ("front", "back", "bottom"),
        ("obverse", "reverse", "base"),
        ("side A", "side B", "detail 1"),
        ("Side_A", "side-b", "top"),
        ("left", "back", "all"),
        ("profile", "1", "2"),
        ("front view", "three-quarter", "back view"),
        ("1", "2", "10"),
        ("", "back", "interior"),
        ("01", "3/4", "back"),
        ("img_002", "img_010", "detail_001"),
        ("side A/B", "back", "detail"),
        ("side A", "detail of side A", "neck, side A"),
        ("Vorderseite", "Rückseite", "Detail"),
        ("avers", "profil gauche", "dessous"),
        ("recto", "¾ left", "verso"),
        ("left profile", "view 3", "west"),
        ("handle side", "back", "left handle"),
    ],
)
def test_view_rank_puts_front_and_side_before_numbers_and_details_last(views):
    for shuffled in permutations(views):
        assert tuple(sorted(shuffled, key=view_rank)) == views


def test_best_view_without_a_score_is_never_the_first_of_the_alphabet():
    photographs = [
        Photograph(photo=f"v_{view}.jpg", vase_id="v", view=view, columns={"photo_sha256": view})
        for view in ("back", "bottom", "detail", "front", "above")
    ]
    for order in (photographs, photographs[::-1]):
        kept = [
            p.view for p, verdict in zip(order, BestView().judge_all(order), strict=True) if isinstance(verdict, Kept)
        ]
        assert kept == ["front"]


@pytest.mark.parametrize(
    ("views", "sides"),
    [
        (("front", "back", "left", "right profile"), ("front", "back", "left", "right")),
        (("Side A", "side-b", "A/B"), ("front", "back", "aside")),
        (("front", "back", "side-a", "side-b"), ("front", "back", "aside", "aside")),
        (("front", "side A", "side B"), ("front", "front", "back")),  # no other view is named the back
        (("Vorderseite", "Rückseite", "profil gauche"), ("front", "back", "left")),
        (("1", "2", "", "west"), (None, None, None, None)),
        (("front left", "back right", "three-quarter"), (None, None, None)),
        (("detail of side A", "interior", "bottom", "above"), (None, None, None, None)),
    ],
)
def test_named_sides_are_those_that_the_names_state(views, sides):
    assert tuple(named_sides(views)) == sides


def test_view_ranks_put_sides_between_front_and_back_after_the_front():
    views = ("side-a", "back", "front", "side-b", "top")
    ranks = view_ranks(views)
    assert [views[index] for index in sorted(range(5), key=ranks.__getitem__)] == [
        "front",
        "side-a",
        "side-b",
        "back",
        "top",
    ]
    alone = view_ranks(("side-b", "side-a"))
    assert alone[1] < alone[0] and alone == [view_rank("side-b"), view_rank("side-a")]


@pytest.mark.parametrize(
    ("view", "says_so"),
    [
        ("top", True),
        ("detail-a", True),
        ("interior", True),
        ("front", False),
        ("3", False),
        ("", False),
        ("west", False),
    ],
)
def test_names_no_whole_vase_only_where_the_name_says_so(view, says_so):
    assert names_no_whole_vase(view) is says_so
