"""The lathe as a generator: it uses all of a vase's photographs that agree with each other."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np

from vaserl.files.photograph import read_photograph
from vaserl.meshes.cutout.cutout import CutoutError
from vaserl.meshes.cutout.method import CutoutMethod, cut_out_whole_vase
from vaserl.meshes.generators.generator import LiftFailure, ModelOfViews, OtherView
from vaserl.meshes.glb import write_glb
from vaserl.meshes.lathe import (
    MIN_IOU,
    LatheError,
    LatheResult,
    UsedView,
    VaseSide,
    VaseView,
    lathe_views,
    model_fault,
)

MOST_HANDLES = 3
"""Largest number of handles of a vase: a hydria has two at its sides and one at its back."""
_PAIRS: tuple[tuple[VaseSide, VaseSide], ...] = (("front", "back"), ("right", "left"))


class Lathe:
    """Rotates the vase's outline about its axis; see `meshes.lathe`."""

    def __init__(self, method: CutoutMethod) -> None:
        """`method` cuts the vase out of each photograph."""
        self._method = method

    def __call__(self, photo: Path, vase_id: str, glb: Path) -> float:
        """Writes the GLB. Returns: `silhouette_iou`."""
        return self.from_views(photo, (), glb).silhouette_iou

    def from_views(self, photo: Path, others: Sequence[OtherView], glb: Path) -> ModelOfViews:
        """Writes the GLB. `photo` shows the front of the model and must be usable; the others add to it."""
        try:
            main = self._view(photo, "front" if others else None)
            used, result = agreeing_views(main, [self._other_view(other) for other in others])
        except (CutoutError, LatheError) as error:
            raise LiftFailure(str(error)) from error
        write_glb(glb, result.mesh)
        return ModelOfViews(
            silhouette_iou=result.silhouette_iou,
            seen_share=result.seen_share,
            used=used,
            fault=model_fault(result.signs),
        )

    def _view(self, photo: Path, side: VaseSide | None) -> VaseView:
        image = read_photograph(photo, keep_alpha=True)
        found = cut_out_whole_vase(image, self._method)
        return VaseView(photo=np.asarray(found.photo), mask=found.mask, side=side)

    def _other_view(self, other: OtherView) -> VaseView:
        try:
            return self._view(other.photo, other.side)
        except CutoutError:  # with an empty mask, the lathe leaves the photograph out
            image = read_photograph(other.photo)
            return VaseView(photo=np.asarray(image), mask=np.zeros(image.size[::-1], bool), side=other.side)


def agreeing_views(main: VaseView, others: Sequence[VaseView]) -> tuple[tuple[int, ...], LatheResult]:
    """Returns the vase of the main photograph and of as many others as agree with it, and the indices of these others.

    A wrong mask in one photograph would spoil the profile, or add handles, for all. Photographs agree if the
    silhouette of their common model overlaps the mask in each by at least `MIN_IOU`, and opposite ones show the same
    number of handles. Handles in views from the right and the left, besides those in front and back, must be shown by
    both: in one of them, they are often parts of a volute that is turned to the camera. Of sets of the same size, the
    one with the fewest handles beside the body is used, because the backdrop's remains are taken for handles more
    often than a handle is missed from everywhere, then the one whose smallest overlap is the largest.

    Raises: LatheError when the main photograph can't be used.
    """
    usable, views = tuple(range(len(others))), list(others)
    for size in range(len(others), 0, -1):
        found: list[tuple[int, int, float, tuple[int, ...], LatheResult]] = []
        for chosen in combinations(usable, min(size, len(usable))):
            try:
                result = lathe_views([main, *(views[index] for index in chosen)])
            except LatheError:
                continue
            if result.views[0].index != 0:
                return (), lathe_views([main])  # raises the reason
            used = tuple(chosen[view.index - 1] for view in result.views[1:])
            usable = tuple(index for index in usable if index in used or index not in chosen)
            if _is_unplaced([views[index].side for index in used]):
                continue
            for index, view in zip(used, result.views[1:], strict=True):
                views[index] = replace(views[index], side=view.side)  # known without the one of the back, too
            if used and do_agree(result.views):
                handles = sum(view.num_handles for view in result.views)
                found.append((-len(used), handles, -min(view.silhouette_iou for view in result.views), used, result))
        if found:
            *_, used, result = min(found, key=lambda entry: entry[:4])
            return used, result
    return (), lathe_views([main])


def do_agree(views: Sequence[UsedView]) -> bool:
    """Returns whether the photographs of a common model agree; see `agreeing_views`."""
    if any(view.silhouette_iou < MIN_IOU for view in views):
        return False
    ahead, aside = ([view.num_handles for view in views if view.side in pair] for pair in _PAIRS)
    if len({*ahead}) > 1 or len({*aside}) > 1:
        return False
    both = max(ahead, default=0), max(aside, default=0)
    return 0 in both or (len(aside) == 2 and sum(both) <= MOST_HANDLES)


def _is_unplaced(sides: Sequence[VaseSide | None]) -> bool:
    """Returns whether the lathe would take a photograph from the right or the left for one of the back."""
    return None in sides and "back" not in sides
