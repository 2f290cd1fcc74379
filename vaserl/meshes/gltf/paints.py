"""Reads the materials of a GLB as paint: factors, textures with their coordinates, alpha and emission (glTF 2.0,
section 3.9; KHR_texture_transform, KHR_materials_pbrSpecularGlossiness, KHR_materials_emissive_strength)."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vaserl.files.glb import GlbContent, UnsoundGlb
from vaserl.meshes.gltf.pictures import DecodedPictures
from vaserl.meshes.part import Paint, PaintTexture, Wrap

log = logging.getLogger(__name__)

_WRAPS: dict[int, Wrap] = {10497: "repeat", 33648: "mirror", 33071: "clamp"}
_NEAREST = 9728
_ROUNDING = 1e-3
"""Distance from a limit up to which a number beyond it counts as rounded."""
_DARK = 1 / 255
"""Base colours up to this, linear, count as black: the surface shows what it emits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinates:
    """The texture coordinates of a texture, and their transform."""

    set_index: int = 0
    """Number N of the attribute TEXCOORD_N."""
    offset: tuple[float, float] = (0.0, 0.0)
    rotation: float = 0.0
    """Radians."""
    scale: tuple[float, float] = (1.0, 1.0)

    def applied(self, uv: np.ndarray) -> np.ndarray:
        """Returns transformed coordinates of glTF, [V, 2], whose origin is the picture's upper left corner."""
        u, v = uv[:, 0] * self.scale[0], uv[:, 1] * self.scale[1]
        cos, sin = np.cos(self.rotation), np.sin(self.rotation)
        return np.stack([cos * u + sin * v + self.offset[0], cos * v - sin * u + self.offset[1]], axis=1)


class Paints:
    """The paints of a GLB, by material; each is read once."""

    def __init__(self, content: GlbContent) -> None:
        self._content = content
        self._pictures = DecodedPictures(content)
        self._textures: dict[tuple[int, bool], PaintTexture | None] = {}
        self._read: dict[int, tuple[Paint, Coordinates]] = {}

    def of_material(self, index: int) -> tuple[Paint, Coordinates]:
        """Returns a material's paint, and the coordinates of its textures.

        All textures of a paint have the coordinates of its colour. Maps that only change the shading (normals,
        occlusion, roughness) are left out, with a warning, where theirs are others.

        Raises: UnsoundGlb for textures in formats that aren't read, and where colour and emission have textures with
        different coordinates.
        """
        if index not in self._read:
            self._read[index] = self._paint(self._content.entry("materials", index))
        return self._read[index]

    def _paint(self, material: Mapping[str, Any]) -> tuple[Paint, Coordinates]:
        extensions = material.get("extensions", {})
        glossy = extensions.get("KHR_materials_pbrSpecularGlossiness")
        base = material.get("pbrMetallicRoughness", {})
        factor = _numbers(base.get("baseColorFactor"), (1.0, 1.0, 1.0, 1.0))
        colour, metallic = base.get("baseColorTexture"), _number(base, "metallicFactor", 1.0, most=1.0)
        roughness = _number(base, "roughnessFactor", 1.0, most=1.0)
        if glossy is not None:
            factor = _numbers(glossy.get("diffuseFactor"), (1.0, 1.0, 1.0, 1.0))
            colour, metallic = glossy.get("diffuseTexture"), 0.0
            roughness = 1.0 - _number(glossy, "glossinessFactor", 1.0, most=1.0)
        strength = _number(extensions.get("KHR_materials_emissive_strength", {}), "emissiveStrength", 1.0)
        emission = tuple(strength * value for value in _numbers(material.get("emissiveFactor"), (0.0, 0.0, 0.0)))
        if min(emission) < 0:
            raise UnsoundGlb("damaged GLB model: a material emits less than no light")
        glow = material.get("emissiveTexture") if any(emission) else None
        if any(emission) and max(factor[:3]) <= _DARK:
            # exporters write a shadeless texture so: it is the paint, and is lit as other paint
            colour, glow, factor, emission = glow, None, (*emission, factor[3]), (0.0, 0.0, 0.0)
        coordinates = _coordinates(colour or glow or {})
        if colour and glow and _coordinates(glow) != coordinates:
            raise UnsoundGlb(
                "has textures of colour and emission with different coordinates, which isn't supported",
                "bake them into one texture",
            )
        mode = material.get("alphaMode", "OPAQUE")
        if mode not in ("OPAQUE", "MASK", "BLEND"):
            raise UnsoundGlb(f"damaged GLB model: alpha mode {mode!r:.20}")

        def shading(info: Mapping[str, Any] | None) -> PaintTexture | None:
            if info is None or not (colour or glow):
                return None
            if _coordinates(info) != coordinates:
                log.warning("a map of normals, occlusion or roughness has coordinates of its own and is left out")
                return None
            return self._texture(info)

        paint = Paint(
            factor=factor,  # type: ignore[arg-type]
            texture=self._texture(colour, keep_alpha=mode != "OPAQUE") if colour else None,
            emission=emission,  # type: ignore[arg-type]
            emission_texture=self._texture(glow) if glow else None,
            normal_map=shading(material.get("normalTexture")),
            occlusion_map=shading(material.get("occlusionTexture")),
            roughness_map=shading(base.get("metallicRoughnessTexture")) if glossy is None else None,
            metallic=metallic,
            roughness=roughness,
            alpha_mode=mode,
            alpha_cutoff=_number(material, "alphaCutoff", 0.5),
            is_double_sided=bool(material.get("doubleSided", False)),
        )
        return paint, coordinates

    def _texture(self, info: Mapping[str, Any], *, keep_alpha: bool = False) -> PaintTexture | None:
        key = (info["index"], keep_alpha)
        if key not in self._textures:
            texture = self._content.entry("textures", info["index"])
            pixels = self._pictures.of_texture(info["index"])
            sampler = self._content.entry("samplers", texture["sampler"]) if "sampler" in texture else {}
            wrap = tuple(_WRAPS.get(sampler.get(axis, 10497), "repeat") for axis in ("wrapS", "wrapT"))
            self._textures[key] = (
                pixels
                if pixels is None
                else PaintTexture(
                    pixels=pixels if keep_alpha else np.ascontiguousarray(pixels[..., :3]),
                    wrap=wrap,  # type: ignore[arg-type]
                    is_smooth=sampler.get("magFilter") != _NEAREST,
                )
            )
        return self._textures[key]


def _coordinates(info: Mapping[str, Any]) -> Coordinates:
    transform = info.get("extensions", {}).get("KHR_texture_transform", {})
    return Coordinates(
        set_index=int(transform.get("texCoord", info.get("texCoord", 0))),
        offset=_numbers(transform.get("offset"), (0.0, 0.0)),  # type: ignore[arg-type]
        rotation=_numbers([transform.get("rotation", 0.0)], (0.0,))[0],
        scale=_numbers(transform.get("scale"), (1.0, 1.0)),  # type: ignore[arg-type]
    )


def _number(fields: Mapping[str, Any], name: str, default: float, most: float = np.inf) -> float:
    """Returns the number in a field of a material, at least 0 and at most `most`.

    A number that rounding has moved beyond a limit is set to it, because the renderer raises an error for such numbers.

    Raises: UnsoundGlb for other numbers beyond the limits, and those that aren't finite.
    """
    value = float(fields.get(name, default))
    if not (-_ROUNDING <= value <= most + _ROUNDING) or not np.isfinite(value):
        limits = "of at least 0" if most == np.inf else f"from 0 to {most:g}"
        raise UnsoundGlb(f"damaged GLB model: the {name} of a material is {value:g}; expected a number {limits}")
    return min(max(value, 0.0), most)


def _numbers(values: Any, default: tuple[float, ...]) -> tuple[float, ...]:
    """Returns finite numbers, as many as the default has; the default where there are none.

    Raises: UnsoundGlb for another number of values, or values that aren't finite.
    """
    if values is None:
        return default
    numbers = tuple(float(value) for value in values)
    if len(numbers) != len(default) or not np.isfinite(numbers).all():
        raise UnsoundGlb(f"damaged GLB model: a material has {len(numbers)} numbers where {len(default)} are expected")
    return numbers
