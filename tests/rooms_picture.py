"""Draws docs/rooms.svg from the imports of the code: python -m tests.rooms_picture

The rooms (parts) of vaserl are boxes in rows: each room lies above all rooms that it imports. An arrow that follows
from other arrows is left out (transitive reduction), because the picture would be unreadable with all of them.
"""

import ast
import textwrap
from collections import defaultdict
from graphlib import TopologicalSorter
from html import escape
from itertools import pairwise
from statistics import mean

from tests.test_layers import ROOT, files_of, imported, room_of, rooms_imported

PICTURE = ROOT / "docs" / "rooms.svg"
LAYERS = ("actors", "launch")
"""Packages that are drawn beside the rooms of vaserl, each as one box."""

_WIDTH, _HEIGHT, _GAP, _LANE, _RISE = 224, 76, 24, 28, 44
"""In pixels: width and height of a box, gap between boxes, width of the lane of an arrow that passes a row, and gap
between rows."""

_HEAD = 'stroke-width="1.3" marker-end="url(#head)"'
"""SVG attributes of an arrow."""

Graph = dict[str, set[str]]
"""Each room and the rooms that it imports."""

Node = str | tuple[str, str, int]
"""A room, or the place (from, to, row) where the arrow between two rooms passes a row."""


def import_graph() -> Graph:
    """Returns the rooms that each room of vaserl, and each layer above it, imports."""
    graph: Graph = defaultdict(set)
    for path in files_of("vaserl"):
        if room_of(path) != "__init__":
            graph[room_of(path)] |= rooms_imported(path)
    for layer in LAYERS:
        for path in files_of(layer):
            parts = [name.split(".") for name in imported(path)]
            graph[layer] |= {part[1] for part in parts if part[0] == "vaserl" and len(part) > 1}
            graph[layer] |= {part[0] for part in parts if part[0] in LAYERS}
    return {room: (graph[room] & graph.keys()) - {room} for room in sorted(graph)}


def reduced(graph: Graph) -> Graph:
    """Returns the graph without the arrows that follow from other arrows (its transitive reduction)."""
    reach: Graph = {}
    for room in TopologicalSorter(graph).static_order():
        reach[room] = graph[room].union(*(reach[other] for other in graph[room]))
    return {
        room: {to for to in below if not any(to in reach[other] for other in below if other != to)}
        for room, below in graph.items()
    }


def levels(graph: Graph) -> dict[str, int]:
    """Returns the row of each room, counted from the top: one below the lowest room that imports it."""
    importers = {room: {other for other in graph if room in graph[other]} for room in graph}
    level: dict[str, int] = {}
    for room in TopologicalSorter(importers).static_order():
        level[room] = 1 + max((level[other] for other in importers[room]), default=-1)
    return level


def sentence(room: str) -> str:
    """Returns the first sentence of the docstring of a room's `__init__`."""
    folder = ROOT / room if room in LAYERS else ROOT / "vaserl" / room
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    words = " ".join((ast.get_docstring(ast.parse(file.read_text())) or "").split())
    return words.partition(". ")[0].rstrip(".").replace("`", "")


def svg() -> str:
    """Returns the picture as the text of an SVG file."""
    graph = reduced(import_graph())
    level = levels(graph)
    chains = [_chain(room, to, level) for room in graph for to in sorted(graph[room])]
    centres = _centres(graph, level, chains)
    left = min(x - _size(node) / 2 for node, x in centres.items())
    width = max(x + _size(node) / 2 for node, x in centres.items()) - left + 2 * _GAP
    height = (max(level.values()) + 1) * (_HEIGHT + _RISE) - _RISE + 2 * _GAP

    def place(node: Node) -> tuple[float, float]:
        """Returns x and y of the middle of the node's upper edge."""
        row = level[node] if isinstance(node, str) else node[2]
        return centres[node] - left + _GAP, row * (_HEIGHT + _RISE) + _GAP

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif">',
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" fill="#555"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>',
    ]
    for chain in chains:
        parts.append(f'<path d="{_curve([place(node) for node in chain])}" fill="none" stroke="#555" {_HEAD}/>')
    parts += [_box(room, *place(room)) for room in graph]
    return "\n".join([*parts, "</svg>", ""])


def _chain(room: str, to: str, level: dict[str, int]) -> list[Node]:
    return [room, *((room, to, row) for row in range(level[room] + 1, level[to])), to]


def _size(node: Node) -> int:
    return _WIDTH if isinstance(node, str) else _LANE


def _centres(graph: Graph, level: dict[str, int], chains: list[list[Node]]) -> dict[Node, float]:
    """Returns the x of each node's middle. Each row is centred at 0 and sorted by the mean x of its nodes'
    neighbours."""
    rows: defaultdict[int, list[Node]] = defaultdict(list)
    for room in graph:
        rows[level[room]].append(room)
    near: defaultdict[Node, list[Node]] = defaultdict(list)
    for chain in chains:
        for row, node in enumerate(chain[1:-1], start=level[str(chain[0])] + 1):
            rows[row].append(node)
        for above, below in pairwise(chain):
            near[above].append(below)
            near[below].append(above)
    centres: dict[Node, float] = {}
    for _ in range(8):
        for row in [*sorted(rows), *sorted(rows, reverse=True)]:
            wish = {node: mean([centres[n] for n in near[node] if n in centres] or [0.0]) for node in rows[row]}
            rows[row].sort(key=lambda node: (wish[node], str(node)))
            edge = -(sum(map(_size, rows[row])) + _GAP * (len(rows[row]) - 1)) / 2
            for node in rows[row]:
                centres[node] = edge + _size(node) / 2
                edge += _size(node) + _GAP
    return centres


def _curve(points: list[tuple[float, float]]) -> str:
    """Returns the SVG path of an arrow from the first box's lower edge to the last one's upper edge. It is vertical
    where it passes a row."""
    (x, y), *rest = points
    y += _HEIGHT
    path = f"M{x:.1f} {y:.1f}"
    for to_x, to_y in rest:
        middle = (y + to_y) / 2
        path += f" C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}"
        x, y = to_x, to_y
        if (to_x, to_y) != points[-1]:
            y += _HEIGHT
            path += f" V{y:.1f}"
    return path


def _box(room: str, x: float, y: float) -> str:
    fill = "#f3e3d3" if room in LAYERS else "#eef2f6"
    lines = textwrap.wrap(sentence(room), 34, max_lines=3, placeholder=" …")
    words = "".join(
        f'<text x="{x:.1f}" y="{y + 37 + 14 * index:.1f}" font-size="11" text-anchor="middle" fill="#333">'
        f"{escape(line)}</text>"
        for index, line in enumerate(lines)
    )
    return (
        f'<rect x="{x - _WIDTH / 2:.1f}" y="{y:.1f}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="{fill}" '
        f'stroke="#444"/><text x="{x:.1f}" y="{y + 20:.1f}" font-size="15" font-weight="bold" text-anchor="middle">'
        f"{escape(room)}</text>{words}"
    )


if __name__ == "__main__":
    PICTURE.write_text(svg(), encoding="utf-8")
    print(PICTURE)
