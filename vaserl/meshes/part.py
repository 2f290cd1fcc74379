"""A model as it is filmed: parts with positions in float64, normals and paint."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import trimesh
from PIL import Image
from trimesh.visual.color import ColorVisuals
from trimesh.visual.material import PBRMaterial
from trimesh.visual.texture import TextureVisuals

from vaserl.meshes.colour_space import linear_from_srgb

Wrap = Literal["repeat", "mirror", "clamp"]

VERTEX_COLOURS = "linear_colours"
"""Vertex attribute of a trimesh mesh with linear RGBA from 0 to 1, float [V, 4]; it takes precedence over the mesh's
own vertex colours, which have 8 bits."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PaintTexture:
    """A picture that is laid on a surface."""

    pixels: np.ndarray
    """uint8 [H, W, 3], or [H, W, 4] with alpha; colours are sRGB."""
    wrap: tuple[Wrap, Wrap] = ("repeat", "repeat")
    """Continuation of the picture beyond its edges, horizontally and vertically."""
    is_smooth: bool = True
    """True if colours are interpolated between pixels."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Paint:
    """The look of a surface. Its colour is the product of factor, texture and the part's vertex colours."""

    factor: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    """Linear RGB and alpha from 0 to 1."""
    texture: PaintTexture | None = None
    emission: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Linear RGB of the light that the surface emits."""
    emission_texture: PaintTexture | None = None
    normal_map: PaintTexture | None = None
    occlusion_map: PaintTexture | None = None
    roughness_map: PaintTexture | None = None
    """Green is roughness, blue is metalness."""
    metallic: float = 0.0
    roughness: float = 0.9
    alpha_mode: Literal["OPAQUE", "MASK", "BLEND"] = "OPAQUE"
    alpha_cutoff: float = 0.5
    """With "MASK", points with a smaller alpha are invisible."""
    is_double_sided: bool = False
    is_declared: bool = False
    """True if the file or mesh gives the part colours: a texture or vertex colours."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """A piece of a model with one paint: V vertices and F triangles."""

    vertices: np.ndarray
    """float64 [V, 3] positions in the world; Y is up and the front faces +Z."""
    faces: np.ndarray
    """int64 [F, 3] indices of vertices; counter-clockwise seen from outside."""
    normals: np.ndarray
    """float64 [V, 3] unit normals."""
    uv: np.ndarray | None = None
    """float64 [V, 2] place of each vertex in the texture; (0, 0) is the picture's lower left corner."""
    colours: np.ndarray | None = None
    """float32 [V, 4] linear RGB and alpha, from 0 to 1."""
    paint: Paint

    def transformed(self, matrix: np.ndarray) -> "Part":
        """Returns the part moved by an affine transform, float64 [4, 4]."""
        vertices = self.vertices @ matrix[:3, :3].T + matrix[:3, 3]
        # cofactors instead of the inverse: they exist for singular matrices too
        a, b, c = matrix[:3, :3]
        cofactors = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)])
        is_mirrored = np.linalg.det(matrix[:3, :3]) < 0
        normals = unit_vectors(self.normals @ cofactors.T * (-1.0 if is_mirrored else 1.0))
        faces = self.faces[:, ::-1] if is_mirrored else self.faces
        return replace(self, vertices=vertices, normals=normals, faces=faces)

    def reversed(self) -> "Part":
        """Returns the part turned inside out."""
        return replace(self, faces=self.faces[:, ::-1], normals=-self.normals)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PaintedModel:
    """A model of one or more parts, as it was loaded from a file."""

    parts: Sequence[Part]

    @property
    def extents(self) -> np.ndarray:
        """Returns the size along x, y and z, float64 [3]."""
        return np.ptp(np.concatenate([part.vertices for part in self.parts]), axis=0)

    def transformed(self, matrix: np.ndarray) -> "PaintedModel":
        """Returns the model moved by an affine transform, float64 [4, 4]."""
        return PaintedModel(parts=[part.transformed(matrix) for part in self.parts])

    def to_mesh(self) -> trimesh.Trimesh:
        """Returns all parts as one mesh, for measuring its shape.

        The mesh keeps the texture if all parts share one. Otherwise it has vertex colours, linear as glTF's, with each
        texture's colour at the vertices; or none if no part is painted. Films are made of the model itself.
        """
        offsets = np.cumsum([0, *(len(part.vertices) for part in self.parts)])
        return trimesh.Trimesh(
            np.concatenate([part.vertices for part in self.parts]),
            np.concatenate([part.faces + offset for part, offset in zip(self.parts, offsets[:-1], strict=True)]),
            visual=self._visual(),
            process=False,
        )

    def _visual(self) -> TextureVisuals | ColorVisuals | None:
        textures = {id(part.paint.texture) for part in self.parts}
        first = self.parts[0].paint
        has_only_texture = all(
            part.uv is not None and part.colours is None and part.paint.factor[:3] == (1.0, 1.0, 1.0)
            for part in self.parts
        )
        if first.texture is not None and len(textures) == 1 and has_only_texture:
            picture = Image.fromarray(first.texture.pixels[..., :3])
            material = PBRMaterial(
                baseColorTexture=picture, metallicFactor=first.metallic, roughnessFactor=first.roughness
            )
            return TextureVisuals(uv=np.concatenate([part.uv for part in self.parts]), material=material)  # type: ignore[arg-type]
        if not any(part.paint.is_declared for part in self.parts):
            return None
        colours = np.concatenate([colours_at_vertices(part) for part in self.parts])
        return ColorVisuals(vertex_colors=np.round(colours * 255).astype(np.uint8))


def colours_at_vertices(part: Part) -> np.ndarray:
    """Returns the colour of each of V vertices, float64 [V, 4]: linear RGB from 0 to 1, and alpha 1."""
    colours = np.ones((len(part.vertices), 4))
    colours[:, :3] *= part.paint.factor[:3]
    if part.colours is not None:
        colours[:, :3] *= part.colours[:, :3]
    if part.paint.texture is not None and part.uv is not None:
        pixels = part.paint.texture.pixels
        height, width = pixels.shape[:2]
        at = np.nan_to_num(part.uv) % 1.0
        row = np.clip(((1 - at[:, 1]) * height).astype(int), 0, height - 1)
        colours[:, :3] *= linear_from_srgb(pixels[row, np.clip((at[:, 0] * width).astype(int), 0, width - 1), :3] / 255)
    return np.clip(colours, 0.0, 1.0)


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Returns vectors [N, 3] scaled to length 1; a zero vector stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-300)
