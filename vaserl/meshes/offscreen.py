"""Drawing on pyrender without a display: the process's renderer, and parts as pyrender's meshes.

pyrender's shader is changed in two places when it is compiled: points of a part with the alpha mode MASK are left out
below the cutoff, which pyrender accepts and ignores, and the back of a double-sided surface is lit from its own side.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from vaserl.meshes.egl_device import device_of_this_process
from vaserl.meshes.part import Paint, PaintTexture, Part

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")  # rendering without a display; must be set before pyrender's import
if not hasattr(np, "infty"):
    np.infty = np.inf  # type: ignore[attr-defined]  # pyrender 0.1.45 uses this name, which numpy 2 removed
with contextlib.suppress(ImportError):
    # Mesa's software renderer and triton each contain an LLVM, and triton crashes the process when it is loaded second.
    # torch imports triton at some later time, so it is loaded here first, which takes a quarter of a second.
    import triton._C.libtriton  # noqa: F401  # pyright: ignore[reportMissingImports]
import pyrender
from OpenGL.GL import GL_UNPACK_ALIGNMENT, glPixelStorei
from pyrender.constants import GLTF
from pyrender.shader_program import ShaderProgram, ShaderProgramCache

_CHANGES = {
    "vec3 n = normalize(get_normal());": "vec3 n = normalize(get_normal()); if (!gl_FrontFacing) n = -n;",
    # a negative alpha marks the mode MASK, with the cutoff scaled to 1/2
    "frag_color = clamp(vec4(pow(": "float coverage = color.a * base_color.a;\n"
    "    if (coverage < 0.0 ? coverage > -0.5 : coverage < 0.002) discard;\n    frag_color = clamp(vec4(pow(",
}
"""Replacements in pyrender's fragment shader for lit meshes, whose text is that of pyrender 0.1.45."""
_WRAPS = {"repeat": GLTF.REPEAT, "mirror": GLTF.MIRRORED_REPEAT, "clamp": GLTF.CLAMP_TO_EDGE}


class Drawing:
    """Converts parts to pyrender's meshes; a texture that several parts have is uploaded once."""

    def __init__(self) -> None:
        self._textures: dict[tuple[int, str], pyrender.Texture] = {}

    def mesh(self, part: Part) -> pyrender.Mesh:
        """Returns the part as a mesh of one primitive, in single precision."""
        paint = part.paint
        is_opaque = paint.alpha_mode == "OPAQUE" or _is_covering(part)
        colours = part.colours
        if is_opaque and colours is not None:
            colours = np.concatenate([colours[:, :3], np.ones_like(colours[:, :1])], axis=1)
        primitive = pyrender.Primitive(
            positions=part.vertices.astype(np.float32),
            normals=part.normals.astype(np.float32),
            texcoord_0=None if part.uv is None else part.uv.astype(np.float32),
            color_0=colours,
            indices=part.faces.astype(np.uint32),
            material=self._material(paint, is_opaque),
            mode=GLTF.TRIANGLES,
        )
        return pyrender.Mesh(primitives=[primitive])

    def _material(self, paint: Paint, is_opaque: bool) -> pyrender.MetallicRoughnessMaterial:
        alpha = paint.factor[3]
        if is_opaque:
            alpha = 1.0
        elif paint.alpha_mode == "MASK":
            alpha = -0.5 / max(paint.alpha_cutoff, 1e-6) * alpha
        return pyrender.MetallicRoughnessMaterial(
            alphaMode="BLEND" if paint.alpha_mode == "BLEND" and not is_opaque else "OPAQUE",
            baseColorFactor=np.array([*paint.factor[:3], alpha]),
            baseColorTexture=self._texture(paint.texture, "RGB" if is_opaque else "RGBA"),
            # the shader multiplies by the factor twice
            emissiveFactor=np.sqrt(paint.emission),
            emissiveTexture=self._texture(paint.emission_texture, "RGB"),
            normalTexture=self._texture(paint.normal_map, "RGB"),
            occlusionTexture=self._texture(paint.occlusion_map, "R"),
            metallicRoughnessTexture=self._texture(paint.roughness_map, "GB"),
            metallicFactor=paint.metallic,
            roughnessFactor=paint.roughness,
            doubleSided=paint.is_double_sided,
        )

    def _texture(self, texture: PaintTexture | None, channels: str) -> pyrender.Texture | None:
        if texture is None:
            return None
        key = (id(texture), channels)
        if key not in self._textures:
            horizontal, vertical = (_WRAPS[wrap] for wrap in texture.wrap)
            filters: dict[str, Any] = {} if texture.is_smooth else {"magFilter": GLTF.NEAREST}
            sampler = pyrender.Sampler(wrapS=horizontal, wrapT=vertical, **filters)
            self._textures[key] = pyrender.Texture(source=texture.pixels, source_channels=channels, sampler=sampler)
        return self._textures[key]


def _is_covering(part: Part) -> bool:
    """Tells whether every point of the part has the alpha 1, so that the alpha mode makes no difference."""
    texture = part.paint.texture
    return (
        part.paint.factor[3] >= 1.0
        and (part.colours is None or float(part.colours[:, 3].min(initial=1.0)) >= 1.0)
        and (texture is None or texture.pixels.shape[2] == 3 or int(texture.pixels[..., 3].min(initial=255)) == 255)
        and part.paint.alpha_cutoff <= 1.0
    )


class _Programs(ShaderProgramCache):
    """pyrender's shader programs, with `_CHANGES` made to their text."""

    def get_program(self, *args: Any, **kwargs: Any) -> ShaderProgram:
        program = super().get_program(*args, **kwargs)
        if not program._in_context():
            program.__class__ = _ChangedProgram
        return program


class _ChangedProgram(ShaderProgram):
    def _load(self, shader_filename: str) -> str:
        text = super()._load(shader_filename)
        if os.path.basename(shader_filename) == "mesh.frag":
            for old, new in _CHANGES.items():
                assert text.count(old) == 1  # pyrender's version is pinned
                text = text.replace(old, new)
        return text


_renderer: pyrender.OffscreenRenderer | None = None
_num_users = 0


def acquire_renderer() -> pyrender.OffscreenRenderer:
    """Returns the pyrender renderer that the whole process shares.

    If there were several renderers, deleting one would end the EGL display that all of them use.
    """
    global _renderer, _num_users
    if _renderer is None:
        with _egl_device_in_environment():
            _renderer = pyrender.OffscreenRenderer(64, 64)
        # rows of RGB textures have any number of bytes; with OpenGL's default of 4 an odd width would shear the picture
        glPixelStorei(GL_UNPACK_ALIGNMENT, 1)
        _renderer._renderer._program_cache = _Programs()  # type: ignore[union-attr]
    _num_users += 1
    return _renderer


@contextlib.contextmanager
def _egl_device_in_environment() -> Iterator[None]:
    """Sets EGL_DEVICE_ID, the index of the GPU that pyrender renders on, only within the `with` block.

    It isn't set permanently, because child processes inherit the environment and may use other GPUs.
    """
    if "EGL_DEVICE_ID" in os.environ:
        yield
        return
    os.environ["EGL_DEVICE_ID"] = str(device_of_this_process())
    try:
        yield
    finally:
        del os.environ["EGL_DEVICE_ID"]


def release_renderer() -> None:
    """Releases the process's renderer once for each `acquire_renderer`; the last one deletes it."""
    global _renderer, _num_users
    _num_users -= 1
    if _num_users == 0 and _renderer is not None:
        _renderer.delete()
        _renderer = None
