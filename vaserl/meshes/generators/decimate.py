"""Mesh decimation: collapses the edges with the smallest quadric error (Garland and Heckbert, 1997).

Many edges are collapsed in each round: those whose error is smaller than, or similar to, that of every edge near them,
chosen so that no two collapsed edges touch the same face. Quadrics are computed from the current mesh in each round
(Lindstrom and Turk, 1998). The surface's topology is preserved: an edge is collapsed only if its two vertices have
exactly two common neighbours and no face would flip. Edges at holes are never collapsed.

trimesh's `simplify_quadric_decimation` (fast-simplification 0.2.0) is deterministic and much faster, but doesn't
preserve topology. It pinches a thin ring, such as a handle, into an open surface, and moves and partly closes the edges
of holes, so the mesh gate would measure a surface that the generator didn't make.
"""

import numpy as np
import trimesh
from scipy import sparse

MAX_ROUNDS = 200
SHARE = 0.5
"""Share of the edges that are considered in each round: those with the smallest errors."""
MIN_COSINE = 0.2
"""Smallest allowed cosine between a face's normals before and after a collapse; a smaller one counts as a flip."""
_REGULARISATION = 1e-3
"""Weight of a term that pulls the new vertex to the edge's midpoint. It is needed on a flat surface, where the quadric
error has no unique minimum."""


def decimate(mesh: trimesh.Trimesh, num_faces: int) -> trimesh.Trimesh:
    """Returns a copy of the mesh, reduced to at most `num_faces` faces.

    The copy has more faces if `MAX_ROUNDS` is reached, or if further collapses would change the topology. It has no
    colours or textures, so colour a mesh after decimating it.
    """
    vertices, faces = np.asarray(mesh.vertices, np.float64).copy(), np.asarray(mesh.faces).copy()
    # refused edges must not stay candidates: as the cheapest ones around, they would block all edges near them
    refused = np.empty(0, np.int64)
    for _ in range(MAX_ROUNDS):
        excess = (len(faces) - num_faces + 1) // 2
        if excess <= 0:
            break
        collapsed = _collapse(vertices, faces, excess, refused)
        if collapsed is None:
            break
        vertices, faces, refused = collapsed
    slim = trimesh.Trimesh(vertices, faces, process=False)
    slim.remove_unreferenced_vertices()
    return slim


def _collapse(
    vertices: np.ndarray, faces: np.ndarray, max_collapses: int, refused: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Runs one round of at most `max_collapses` edge collapses.

    refused: keys, int64 [R], of edges whose collapse an earlier round refused and whose ends have not moved since. The
    key of an edge (a, b) with a < b is a * len(vertices) + b.

    Returns: the new vertices, faces and refused edges; None when no edge can be collapsed.
    """
    sides = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    keys, counts = np.unique(sides[:, 0] * len(vertices) + sides[:, 1], return_counts=True)
    edges = np.stack(np.divmod(keys, len(vertices)), axis=1)
    fixed = np.zeros(len(vertices), bool)
    fixed[edges[counts != 2].ravel()] = True
    free = ~fixed[edges].any(axis=1) & ~np.isin(keys, refused, assume_unique=True)
    candidates, keys = edges[free], keys[free]
    if not len(candidates):
        return None
    cost, place = _costs(vertices, faces, candidates)
    chosen = _apart(candidates, cost, edges, len(vertices))
    chosen = chosen[np.argsort(cost[chosen], kind="stable")]
    allowed = _keeps_topology(candidates[chosen], edges, len(vertices))
    allowed[allowed] = _flips_no_face(vertices, faces, candidates[chosen[allowed]], place[chosen[allowed]])
    refused = np.concatenate([refused, keys[chosen[~allowed]]])
    chosen = chosen[allowed][:max_collapses]
    kept, gone = candidates[chosen].T
    moved = np.zeros(len(vertices), bool)
    moved[kept] = moved[gone] = True
    refused = refused[~moved[np.stack(np.divmod(refused, len(vertices)))].any(axis=0)]
    vertices[kept] = place[chosen]
    target = np.arange(len(vertices))
    target[gone] = kept
    faces = target[faces]
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return vertices, faces[whole], refused


def _costs(vertices: np.ndarray, faces: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the cost of collapsing each of E edges, float64 [E], and the vertex that replaces it, float64 [E, 3].

    The cost is the quadric error: the area-weighted sum of the new vertex's squared distances from the planes of the
    faces that touch the edge's ends.
    """
    corners = vertices[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    double_area = np.linalg.norm(normal, axis=1)
    normal /= np.maximum(double_area, 1e-30)[:, None]
    plane = np.stack([*normal.T, -(normal * corners[:, 0]).sum(axis=1)])
    # a symmetric 4 x 4 matrix, as its ten different entries
    of_face = np.stack([double_area * plane[i] * plane[j] for i in range(4) for j in range(i, 4)], axis=1)
    touches = sparse.csr_array(
        (np.ones(faces.size), (faces.ravel(), np.repeat(np.arange(len(faces)), 3))), shape=(len(vertices), len(faces))
    )
    of_vertex = np.asarray(touches @ of_face)
    xx, xy, xz, xw, yy, yz, yw, zz, zw, ww = np.ascontiguousarray((of_vertex[edges[:, 0]] + of_vertex[edges[:, 1]]).T)
    ends = vertices[edges[:, 0]].T, vertices[edges[:, 1]].T
    middle = (ends[0] + ends[1]) / 2
    pull = _REGULARISATION * (xx + yy + zz) + 1e-30
    right = pull * middle - np.stack([xw, yw, zw])
    x, y, z = _solved(xx + pull, xy, xz, yy + pull, yz, zz + pull, right)
    cost = x * (xx * x + 2 * (xy * y + xz * z + xw)) + y * (yy * y + 2 * (yz * z + yw)) + z * (zz * z + 2 * zw) + ww
    # on a flat surface all costs are 0: the shortest edge is collapsed first, since slivers would grow otherwise
    return cost + 1e-6 * pull * ((ends[0] - ends[1]) ** 2).sum(axis=0), np.stack([x, y, z], axis=1)


def _solved(
    xx: np.ndarray, xy: np.ndarray, xz: np.ndarray, yy: np.ndarray, yz: np.ndarray, zz: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Returns the solutions, float64 [3, E], of E symmetric systems of three equations with the right sides [3, E]."""
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    e, f, i = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    determinant = xx * a + xy * b + xz * c
    r, s, t = right
    return np.stack([a * r + b * s + c * t, b * r + e * s + f * t, c * r + f * s + i * t]) / determinant


def _apart(candidates: np.ndarray, cost: np.ndarray, edges: np.ndarray, num_vertices: int) -> np.ndarray:
    """Returns the indices, int [C], of the candidate edges that can be collapsed in the same round.

    Each of these edges comes, in the order of costs, before every other candidate at most one edge away from its ends.
    Costs that differ by less than a factor of two count as equal; the order of equal ones is random, with a fixed seed.
    """
    # on an even surface the cost changes slowly from edge to edge, and an exact order has few local minima
    similar = np.floor(np.log2(np.maximum(cost, 1e-300))) + np.random.default_rng(len(cost)).random(len(cost))
    share = max(1, int(SHARE * len(cost)))
    order = np.argpartition(similar, share - 1)[:share]
    order = order[np.argsort(similar[order], kind="stable")]
    rank = np.arange(len(order))
    nearest = np.full(num_vertices, len(order))
    nearest[candidates[order][::-1]] = rank[::-1, None]  # of a vertex's edges, the one of least rank is written last
    around = nearest.copy()
    np.minimum.at(around, edges[:, 0], nearest[edges[:, 1]])
    np.minimum.at(around, edges[:, 1], nearest[edges[:, 0]])
    return order[(around[candidates[order]] == rank[:, None]).all(axis=1)]


def _keeps_topology(chosen: np.ndarray, edges: np.ndarray, num_vertices: int) -> np.ndarray:
    """Returns, for each of C edges, whether its ends have exactly two common neighbours, bool [C].

    Otherwise, collapsing the edge would change the topology.
    """
    ones = np.ones(2 * len(edges), np.int32)
    both = np.concatenate([edges, edges[:, ::-1]])
    neighbours = sparse.csr_array((ones, (both[:, 0], both[:, 1])), shape=(num_vertices, num_vertices))
    common = neighbours[chosen[:, 0]].multiply(neighbours[chosen[:, 1]])
    return np.asarray(common.sum(axis=1)).ravel() == 2


def _flips_no_face(vertices: np.ndarray, faces: np.ndarray, chosen: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Returns, for each of C edges, whether collapsing it flips no face, bool [C].

    No two of the edges touch the same face, so all of them are tested at once.
    """
    moved, owner = vertices.copy(), np.full(len(vertices), -1)
    for end in range(2):
        moved[chosen[:, end]] = place
        owner[chosen[:, end]] = np.arange(len(chosen))
    owners = owner[faces]
    stays = (owners >= 0).sum(axis=1) == 1  # a face with two corners on the edge vanishes
    before, after = (_normals(points[faces[stays]]) for points in (vertices, moved))
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    bad = (before * after).sum(axis=1) <= MIN_COSINE * lengths
    allowed = np.ones(len(chosen), bool)
    allowed[owners[stays].max(axis=1)[bad]] = False
    return allowed


def _normals(corners: np.ndarray) -> np.ndarray:
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
