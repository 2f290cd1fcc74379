"""Tests the picture of vaserl's rooms: what is drawn, and that the committed docs/rooms.svg is current."""

from tests.rooms_picture import PICTURE, import_graph, levels, reduced, svg
from tests.test_layers import COMING, ROOMS


def test_picture_is_current():
    assert PICTURE.read_text(encoding="utf-8") == svg(), "docs/rooms.svg is out of date: python -m tests.rooms_picture"


def test_import_graph_has_every_room_and_keeps_to_the_table():
    graph = import_graph()
    assert set(graph) == (set(ROOMS) - COMING) | {"actors", "launch"}
    assert all(graph[room] <= ROOMS[room] for room in graph.keys() & ROOMS.keys())


def test_reduced_leaves_out_what_follows():
    graph = {"a": {"b", "c", "d"}, "b": {"c"}, "c": set(), "d": set()}
    assert reduced(graph) == {"a": {"b", "d"}, "b": {"c"}, "c": set(), "d": set()}


def test_levels_put_each_room_below_all_that_import_it():
    assert levels({"a": {"b", "c"}, "b": {"c"}, "c": set(), "z": {"c"}}) == {"a": 0, "z": 0, "b": 1, "c": 2}
