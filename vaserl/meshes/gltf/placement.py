"""Places the meshes of a GLB in the world: scenes, nodes, morph weights and skins (glTF 2.0, sections 3.5 and 3.7)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vaserl.files.glb import GlbContent, UnsoundGlb
from vaserl.meshes.gltf.arrays import read_accessor


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A mesh of the file at one place in the world."""

    mesh: int
    """Index of the mesh in the file."""
    matrix: np.ndarray
    """float64 [4, 4] from the mesh to the world."""
    weights: Sequence[float]
    """Weights of the mesh's morph targets; empty for none."""
    joints: np.ndarray | None
    """float64 [J, 4, 4] from the mesh's bind pose to the world for each joint of its skin, which then replaces
    `matrix`; None without a skin."""


def placements(content: GlbContent) -> Iterator[Placement]:
    """Yields each mesh that a node of the scene places, in the order of the nodes.

    The scene is the file's default, or else its first. A file without scenes shows all its nodes, and one without
    nodes all its meshes where they are.

    Raises: UnsoundGlb for a default scene that doesn't exist.
    """
    header = content.header
    nodes: Sequence[Mapping[str, Any]] = header.get("nodes", [])
    if not nodes:
        for mesh in range(len(header.get("meshes", []))):
            yield Placement(mesh=mesh, matrix=np.eye(4), weights=_weights(header, mesh, {}), joints=None)
        return
    world = _world_matrices(nodes)
    for index in sorted(_shown(content, nodes)):
        node = nodes[index]
        if "mesh" in node:
            yield Placement(
                mesh=node["mesh"],
                matrix=world[index],
                weights=_weights(header, node["mesh"], node),
                joints=_joints(content, node["skin"], world) if "skin" in node else None,
            )


def _shown(content: GlbContent, nodes: Sequence[Mapping[str, Any]]) -> set[int]:
    """Returns the indices of the nodes that belong to the scene."""
    scenes = content.header.get("scenes", [])
    if scenes:
        scene = content.header.get("scene", 0)
        if not 0 <= scene < len(scenes):
            raise UnsoundGlb(f"damaged GLB model: shows scene {scene} of {len(scenes)}")
        waiting = list(scenes[scene].get("nodes", []))
    else:
        waiting = list(range(len(nodes)))
    shown: set[int] = set()
    while waiting:
        index = waiting.pop()
        extensions = content.entry("nodes", index).get("extensions", {})
        visible = extensions.get("KHR_node_visibility", {}).get("visible", True)
        if index not in shown and visible:
            shown.add(index)
            waiting += nodes[index].get("children", [])
    return shown


def _world_matrices(nodes: Sequence[Mapping[str, Any]]) -> list[np.ndarray]:
    """Returns each node's transform to the world, float64 [4, 4]. The nodes are known to form trees."""
    world = [_local_matrix(node) for node in nodes]
    children = {child for node in nodes for child in node.get("children", [])}
    waiting = [index for index in range(len(nodes)) if index not in children]
    while waiting:
        parent = waiting.pop()
        for child in nodes[parent].get("children", []):
            world[child] = world[parent] @ world[child]
            waiting.append(child)
    return world


def _local_matrix(node: Mapping[str, Any]) -> np.ndarray:
    if "matrix" in node:
        return np.asarray(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = np.asarray(node.get("rotation", (0.0, 0.0, 0.0, 1.0)), np.float64)
    length = x * x + y * y + z * z + w * w
    s = 2.0 / length if length > 0 else 0.0
    rotation = np.array(
        [
            [1 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w)],
            [s * (x * y + z * w), 1 - s * (x * x + z * z), s * (y * z - x * w)],
            [s * (x * z - y * w), s * (y * z + x * w), 1 - s * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.asarray(node.get("scale", (1.0, 1.0, 1.0)), np.float64)
    matrix[:3, 3] = node.get("translation", (0.0, 0.0, 0.0))
    return matrix


def _weights(header: Mapping[str, Any], mesh: int, node: Mapping[str, Any]) -> Sequence[float]:
    return node.get("weights", header["meshes"][mesh].get("weights", []))


def _joints(content: GlbContent, index: int, world: Sequence[np.ndarray]) -> np.ndarray:
    skin = content.entry("skins", index)
    for joint in skin["joints"]:
        content.entry("nodes", joint)  # refuses those that don't exist
    joints = np.stack([world[joint] for joint in skin["joints"]])
    if "inverseBindMatrices" not in skin:
        return joints
    bind = read_accessor(content, skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
    return joints @ bind[: len(joints)]
