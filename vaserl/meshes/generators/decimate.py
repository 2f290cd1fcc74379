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
    for _ in range(MAX_ROUNDS):
        excess = (len(faces) - num_faces + 1) // 2
        if excess <= 0:
            break
        collapsed = _collapse(vertices, faces, excess)
        if collapsed is None:
            break
        vertices, faces = collapsed
    slim = trimesh.Trimesh(vertices, faces, process=False)
    slim.remove_unreferenced_vertices()
    return slim


def _collapse(vertices: np.ndarray, faces: np.ndarray, max_collapses: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Runs one round of at most `max_collapses` edge collapses.

    Returns: the new vertices and faces; None when no edge can be collapsed.
    """
    sides = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    keys, counts = np.unique(sides[:, 0] * len(vertices) + sides[:, 1], return_counts=True)
    edges = np.stack(np.divmod(keys, len(vertices)), axis=1)
    fixed = np.zeros(len(vertices), bool)
    fixed[edges[counts != 2].ravel()] = True
    candidates = edges[~fixed[edges].any(axis=1)]
    if not len(candidates):
        return None
    cost, place = _costs(vertices, faces, candidates)
    chosen = _apart(candidates, cost, edges, len(vertices))
    chosen = chosen[_keeps_topology(candidates[chosen], edges, len(vertices))]
    chosen = chosen[np.argsort(cost[chosen], kind="stable")][:max_collapses]
    chosen = chosen[_flips_no_face(vertices, faces, candidates[chosen], place[chosen])]
    if not len(chosen):
        return None
    kept, gone = candidates[chosen].T
    vertices[kept] = place[chosen]
    target = np.arange(len(vertices))
    target[gone] = kept
    faces = target[faces]
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return vertices, faces[whole]


def _costs(vertices: np.ndarray, faces: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the cost of collapsing each of E edges, float64 [E], and the vertex that replaces it, float64 [E, 3].

    The cost is the quadric error: the area-weighted sum of the new vertex's squared distances from the planes of the
    faces that touch the edge's ends.
    """
    corners = vertices[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    double_area = np.linalg.norm(normal, axis=1)
    normal /= np.maximum(double_area, 1e-30)[:, None]
    plane = np.concatenate([normal, -(normal * corners[:, 0]).sum(axis=1, keepdims=True)], axis=1)
    of_face = (double_area[:, None, None] * plane[:, :, None] * plane[:, None, :]).reshape(-1, 16)
    touches = sparse.csr_array(
        (np.ones(faces.size), (faces.ravel(), np.repeat(np.arange(len(faces)), 3))), shape=(len(vertices), len(faces))
    )
    of_vertex = np.asarray(touches @ of_face)
    quadric = (of_vertex[edges[:, 0]] + of_vertex[edges[:, 1]]).reshape(-1, 4, 4)
    middle = (vertices[edges[:, 0]] + vertices[edges[:, 1]]) / 2
    pull = _REGULARISATION * np.trace(quadric[:, :3, :3], axis1=1, axis2=2) + 1e-30
    left = quadric[:, :3, :3] + pull[:, None, None] * np.eye(3)
    place = np.linalg.solve(left, (pull[:, None] * middle - quadric[:, :3, 3])[..., None])[..., 0]
    homogeneous = np.concatenate([place, np.ones((len(place), 1))], axis=1)
    cost = np.einsum("ei,eij,ej->e", homogeneous, quadric, homogeneous)
    # on a flat surface all costs are 0: the shortest edge is collapsed first, since slivers would grow otherwise
    return cost + 1e-6 * pull * ((vertices[edges[:, 0]] - vertices[edges[:, 1]]) ** 2).sum(axis=1), place


def _apart(candidates: np.ndarray, cost: np.ndarray, edges: np.ndarray, num_vertices: int) -> np.ndarray:
    """Returns the indices, int [C], of the candidate edges that can be collapsed in the same round.

    Each of these edges comes, in the order of costs, before every other candidate at most one edge away from its ends.
    Costs that differ by less than a factor of two count as equal; the order of equal ones is random, with a fixed seed.
    """
    # on an even surface the cost changes slowly from edge to edge, and an exact order has few local minima
    similar = np.floor(np.log2(np.maximum(cost, 1e-300)))
    shuffled = np.random.default_rng(len(cost)).permutation(len(cost))
    order = np.lexsort((shuffled, similar))[: max(1, int(SHARE * len(cost)))]
    rank = np.arange(len(order))
    nearest = np.full(num_vertices, len(order))
    np.minimum.at(nearest, candidates[order].ravel(), np.repeat(rank, 2))
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
