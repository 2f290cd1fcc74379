"""Fewer faces, the same surface: collapse of the cheapest edges by quadric error (Garland and Heckbert, 1997).

Edges are collapsed many at a time: in each round those that are cheaper than every edge near them, so that no two touch
the same face. Quadrics are those of the mesh as it is in that round (Lindstrom and Turk, 1998). The surface's topology
stays: an edge goes only if its ends have two neighbours in common, edges of holes stay, and no face may turn over.
"""

import numpy as np
import trimesh
from scipy import sparse

MAX_ROUNDS = 200
SHARE = 0.5
"""Of the edges, the cheapest that a round looks at: dearer ones wait until the cheap ones are gone."""
MIN_COSINE = 0.2
"""Between a face's normal before and after."""
_REGULARISATION = 1e-3
"""Pull towards the edge's middle, where a flat surface leaves the best place open."""


def decimate(mesh: trimesh.Trimesh, num_faces: int) -> trimesh.Trimesh:
    """A mesh of at most `num_faces` faces or, where topology forbids that, as few as it allows.

    Colours and textures don't survive: decimate before painting.
    """
    vertices, faces = np.asarray(mesh.vertices, np.float64).copy(), np.asarray(mesh.faces).copy()
    for _ in range(MAX_ROUNDS):
        excess = (len(faces) - num_faces + 1) // 2
        if excess <= 0:
            break
        collapsed = _round(vertices, faces, excess)
        if collapsed is None:
            break
        vertices, faces = collapsed
    slim = trimesh.Trimesh(vertices, faces, process=False)
    slim.remove_unreferenced_vertices()
    return slim


def _round(vertices: np.ndarray, faces: np.ndarray, num_wanted: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Vertices and faces after one round of at most `num_wanted` collapses; None when no edge may go."""
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
    chosen = chosen[_two_in_common(candidates[chosen], edges, len(vertices))]
    chosen = chosen[np.argsort(cost[chosen], kind="stable")][:num_wanted]
    chosen = chosen[_turns_no_face(vertices, faces, candidates[chosen], place[chosen])]
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
    """float64 [E] the squared distance from the planes around each edge, weighted by area; [E, 3] the place for it."""
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
    # on flat ground all costs are 0: the shortest edge first, or slivers would grow
    return cost + 1e-6 * pull * ((vertices[edges[:, 0]] - vertices[edges[:, 1]]) ** 2).sum(axis=1), place


def _apart(candidates: np.ndarray, cost: np.ndarray, edges: np.ndarray, num_vertices: int) -> np.ndarray:
    """int [C] indices of the candidates that are cheaper than all others within an edge's length of their ends."""
    order = np.argsort(cost, kind="stable")[: max(1, int(SHARE * len(cost)))]
    rank = np.arange(len(order))
    nearest = np.full(num_vertices, len(order))
    np.minimum.at(nearest, candidates[order].ravel(), np.repeat(rank, 2))
    around = nearest.copy()
    np.minimum.at(around, edges[:, 0], nearest[edges[:, 1]])
    np.minimum.at(around, edges[:, 1], nearest[edges[:, 0]])
    return order[(around[candidates[order]] == rank[:, None]).all(axis=1)]


def _two_in_common(chosen: np.ndarray, edges: np.ndarray, num_vertices: int) -> np.ndarray:
    """bool [C]: the ends have exactly two neighbours in common, so that collapsing pinches nothing off."""
    ones = np.ones(2 * len(edges), np.int32)
    both = np.concatenate([edges, edges[:, ::-1]])
    neighbours = sparse.csr_array((ones, (both[:, 0], both[:, 1])), shape=(num_vertices, num_vertices))
    common = neighbours[chosen[:, 0]].multiply(neighbours[chosen[:, 1]])
    return np.asarray(common.sum(axis=1)).ravel() == 2


def _turns_no_face(vertices: np.ndarray, faces: np.ndarray, chosen: np.ndarray, place: np.ndarray) -> np.ndarray:
    """bool [C]: every face around the edge keeps its side. Chosen edges share no face, so all are tried at once."""
    moved, owner = vertices.copy(), np.full(len(vertices), -1)
    for end in range(2):
        moved[chosen[:, end]] = place
        owner[chosen[:, end]] = np.arange(len(chosen))
    owners = owner[faces]
    stays = (owners >= 0).sum(axis=1) == 1  # two corners of one edge: the face that vanishes
    before, after = (_normals(points[faces[stays]]) for points in (vertices, moved))
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    bad = (before * after).sum(axis=1) <= MIN_COSINE * lengths
    allowed = np.ones(len(chosen), bool)
    allowed[owners[stays].max(axis=1)[bad]] = False
    return allowed


def _normals(corners: np.ndarray) -> np.ndarray:
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
