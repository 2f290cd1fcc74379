"""Reconstructs a vase from several photographs, each from one of its four sides.

The profile is that of the photograph whose body no handle hides, usually a side view. Handles are taken from the
photographs in whose image plane they lie. The paint of each side is that of the photograph from there; a handle that
stands before the body isn't painted onto it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from vaserl.meshes.lathe.above_mouth import rises_above_lip, rows_above_mouth, without_part_above_mouth
from vaserl.meshes.lathe.atlas import lay_out
from vaserl.meshes.lathe.failure import LatheError
from vaserl.meshes.lathe.measured import MAX_ASYMMETRY, MeasuredVase, measure_vase
from vaserl.meshes.lathe.profile import profile_of
from vaserl.meshes.lathe.projection import silhouette_in
from vaserl.meshes.lathe.result import AZIMUTH_DEG, LatheResult, UsedView, VaseSide
from vaserl.meshes.lathe.revolve import revolve
from vaserl.meshes.lathe.sides import find_sides
from vaserl.meshes.lathe.signs import (
    Signs,
    backdrop_inside,
    foot_width,
    has_opening,
    lower_asymmetry,
    mirror_asymmetry,
    paint_asymmetry,
    rectangularity,
)
from vaserl.meshes.lathe.surround import PlacedWall, surround
from vaserl.meshes.lathe.sweep import Tube, sweep, tube_of
from vaserl.meshes.lathe.texture import FrontWall, Lookup, front_wall, inside_colour, paint_atlas, strip_of
from vaserl.meshes.silhouette import intersection_over_union

MIN_IOU = 0.87
"""Smallest accepted intersection over union of the finished mesh's silhouette and the first photograph's mask."""
WARNING_IOU = 0.95
"""Intersection over union of model and photograph below which a warning is given."""
HANDLE_MARGIN = 0.015
"""Margin around a handle before the body that isn't painted onto it, as a share of the body's rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaseView:
    """A photograph of one side of a vase."""

    photo: np.ndarray
    """uint8 [H, W, 3]."""
    mask: np.ndarray
    """bool [H, W] mask of the vase without the gaps under handles."""
    side: VaseSide | None = None
    """Side that the photograph shows; None to find out."""


def lathe_views(
    views: Sequence[VaseView], *, num_sections: int = 96, texture_size: tuple[int, int] = (512, 256)
) -> LatheResult:
    """Reconstructs the vase in one to four photographs.

    A photograph that can't be used is left out with a warning, if another can. `num_sections` is the number of points
    of the profile; `texture_size` is (width, height) of the texture in pixels.

    Raises: LatheError with the reason when no photograph can be used, or two show the same side.
    """
    if num_sections < 16:
        raise ValueError(f"num_sections must be at least 16, got {num_sections}")
    if not views:
        raise ValueError("at least one photograph is needed")
    used, measured, given, warnings = _measured(views)
    if any(rises_above_lip(vase) for vase in measured):
        measured = [without_part_above_mouth(vase) for vase in measured]
    best = min(measured, key=lambda vase: (vase.num_handles, vase.edges.asymmetry))
    profile = profile_of(best.edges.half_width, best.view, num_sections)
    look_ups = [Lookup(vase.exposure) for vase in measured]
    rough = lay_out(texture_size, 0)
    shape = (rough.wall[1] - rough.wall[0], texture_size[0])
    if len(measured) == 1:
        sides: tuple[VaseSide, ...] = (given[0] or "front",)
    else:
        walls = [front_wall(v.exposure, look, shape, profile) for v, look in zip(measured, look_ups, strict=True)]
        sides = find_sides(given, [vase.num_handles for vase in measured], walls)
    counts = [vase.num_handles for vase in measured]
    sides_assumed = len(measured) > 1 and None in given and not min(counts) == 0 < max(counts)
    azimuths = [AZIMUTH_DEG[side] for side in sides]
    sources = _handle_sources(measured, sides)
    tubes = _tubes(measured, azimuths, sources, profile)
    atlas = lay_out(texture_size, len(tubes))
    shape = (atlas.wall[1] - atlas.wall[0], texture_size[0])
    walls = [front_wall(v.exposure, look, shape, profile) for v, look in zip(measured, look_ups, strict=True)]
    placed = [
        PlacedWall(front=wall, azimuth_deg=azimuth, hidden=_hidden(vase, wall, azimuth, tubes))
        for vase, wall, azimuth in zip(measured, walls, azimuths, strict=True)
    ]
    wall, seen_share = surround(placed)
    strips = [
        strip_of(look_ups[index], outline, texture_size[0], band[1] - band[0])
        for (index, outline), band in zip(
            [(index, outline) for index in sources for outline in measured[index].handles], atlas.handles, strict=True
        )
    ]
    first = measured[0]
    lip = np.median(wall[:3], axis=(0, 1))
    texture = paint_atlas(atlas, wall, strips, inside_colour(first.exposure, look_ups[0], profile, lip))
    mesh = revolve(profile, tubes, atlas, texture)
    silhouettes = [
        silhouette_in(vase.exposure, mesh.vertices, mesh.faces, azimuth)
        for vase, azimuth in zip(measured, azimuths, strict=True)
    ]
    ious = [intersection_over_union(seen, vase.mask) for seen, vase in zip(silhouettes, measured, strict=True)]
    if ious[0] < MIN_IOU:
        raise LatheError(
            f"not a vessel of revolution: as one, its silhouette would overlap the real one by only {ious[0]:.2f}"
        )
    return LatheResult(
        mesh=mesh,
        profile=profile,
        tubes=tuple(tubes),
        mask=first.mask,
        view=first.view,
        tilt_deg=first.axis.tilt_deg,
        silhouette=silhouettes[0],
        silhouette_iou=ious[0],
        views=tuple(
            UsedView(index=index, side=side, num_handles=count, silhouette_iou=iou)
            for index, side, count, iou in zip(used, sides, counts, ious, strict=True)
        ),
        seen_share=seen_share,
        signs=_signs(first, measured, len({tube.handle for tube in tubes})),
        warnings=(*warnings, *_warnings(measured, sides, ious, tubes, sides_assumed)),
    )


def _measured(views: Sequence[VaseView]) -> tuple[list[int], list[MeasuredVase], list[VaseSide | None], list[str]]:
    """Returns the indices of the usable photographs, what is measured on them, their sides as given, and warnings about
    the others."""
    used: list[int] = []
    found: list[MeasuredVase] = []
    sides: list[VaseSide | None] = []
    failures: list[tuple[int, LatheError]] = []
    for number, view in enumerate(views, start=1):
        try:
            found.append(measure_vase(view.photo, view.mask))
            sides.append(view.side)
            used.append(number - 1)
        except LatheError as failure:
            failures.append((number, failure))
    if not found:
        raise failures[0][1]
    return used, found, sides, [f"photograph {number} was not used: {failure}" for number, failure in failures]


def _handle_sources(measured: list[MeasuredVase], sides: Sequence[VaseSide]) -> list[int]:
    """Returns the indices of the photographs from which handles are taken: of front and back, and of right and left,
    the one that shows more handles in its image plane."""
    sources = []
    for pair in (("front", "back"), ("right", "left")):
        candidates = [index for index, side in enumerate(sides) if side in pair]
        if candidates:
            sources.append(max(candidates, key=lambda index: measured[index].num_handles))
    return sources


def _tubes(measured: list[MeasuredVase], azimuths: list[float], sources: list[int], profile: np.ndarray) -> list[Tube]:
    """Returns the handles of the photographs `sources` as tubes around the vase, numbered anew."""
    tubes: list[Tube] = []
    for index in sources:
        offset = len({tube.handle for tube in tubes})
        for outline in measured[index].handles:
            tube = tube_of(outline, measured[index].exposure, profile)
            tubes.append(replace(tube.turned(azimuths[index]), handle=offset + outline.handle))
    return tubes


def _hidden(vase: MeasuredVase, wall: FrontWall, azimuth_deg: float, tubes: list[Tube]) -> np.ndarray:
    """Returns the part of the wall that tubes between it and the camera hide, bool [rows, width]."""
    hiding = np.zeros(vase.mask.shape, bool)
    for tube in tubes:
        towards = tube.turned(-azimuth_deg).curve[:, 2]
        if towards.mean() > 0.5 * float(np.abs(tube.curve[:, [0, 2]]).max()):
            vertices, _, faces, _ = sweep(tube, (0.0, 1.0))
            hiding |= silhouette_in(vase.exposure, vertices, faces, azimuth_deg)
    if not hiding.any():
        return np.zeros(wall.places.shape[1:], bool)
    margin = max(1, round(HANDLE_MARGIN * len(vase.edges.half_width)))
    hiding = np.asarray(ndimage.binary_dilation(hiding, iterations=margin), bool)
    known = np.isfinite(wall.places[0])
    column, row = np.where(known, wall.places, 0.0).round().astype(int)
    height, width = hiding.shape
    return known & hiding[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]


def _signs(first: MeasuredVase, measured: list[MeasuredVase], num_handles: int) -> Signs:
    rows, columns = np.mgrid[: first.upright.shape[0], : first.upright.shape[1]]
    x, y = first.axis.to_photo(columns - first.upright.shape[1] // 2, rows - first.upright.shape[0] // 2)
    turned = np.stack(
        [ndimage.map_coordinates(first.small[..., c], [y, x], order=1, mode="nearest") for c in range(3)], axis=-1
    )
    return Signs(
        backdrop_inside=backdrop_inside(first.small, first.mask),
        outline_asymmetry=mirror_asymmetry(first.upright),
        body_asymmetry=first.edges.asymmetry,
        lower_asymmetry=lower_asymmetry(first.upright),
        shared_profile=first.edges.shared_profile,
        has_opening=has_opening(first.mask),
        paint_asymmetry=paint_asymmetry(turned, first.upright),
        rectangularity=rectangularity(first.mask),
        foot_width=foot_width(first.edges.half_width),
        handles_elsewhere=max(max(vase.num_handles for vase in measured) - num_handles, 0),
    )


def _warnings(
    measured: list[MeasuredVase],
    sides: Sequence[VaseSide],
    ious: list[float],
    tubes: list[Tube],
    sides_assumed: bool,
) -> list[str]:
    first = measured[0]
    found = []
    if first.mask[[0, -1]].any() or first.mask[:, [0, -1]].any():
        found.append("the vase touches the image's border")
    if first.edges.asymmetry > MAX_ASYMMETRY / 3:
        found.append(f"the two sides differ by {first.edges.asymmetry:.0%} of their width")
    if rows_above_mouth(first.edges.half_width):
        found.append(
            "a narrow part stands above the mouth: a knob, or a handle toward the camera, which isn't modelled"
        )
    if first.view.is_top_round:
        found.append("the top of the outline is round: a lid, or the camera looks down by more than 31 degrees")
    if ious[0] < WARNING_IOU:
        found.append(f"the model's silhouette overlaps the photograph's by only {ious[0]:.2f}")
    for side, iou in list(zip(sides, ious, strict=True))[1:]:
        if iou < WARNING_IOU:
            found.append(f"the model's silhouette overlaps that of the {side} by only {iou:.2f}")
    if len({tube.handle for tube in tubes}) == 1:
        found.append("one handle was found; a second may be hidden in front of the body or behind it")
    if sides_assumed:
        found.append("the sides were assumed from the photographs' order, since handles don't tell them apart")
    counts = {vase.num_handles for vase, side in zip(measured, sides, strict=True) if side in ("front", "back")}
    if len(counts) > 1:
        found.append("front and back show different numbers of handles")
    return found
