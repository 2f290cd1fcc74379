"""Names of the folders of checkpoints: `step=00012` on a disk, `step=00012-e3` behind a URL.

`e3` is the epoch, the number of the claim on the run folder under which the checkpoint was written. Behind a URL a
folder can't be renamed, so two processes that write the same step need different names. On a disk a name with an epoch
is used only if there is a checkpoint of the step already, which is damaged or written by another process.
"""

import re
from typing import NamedTuple

_NAME = re.compile(r"step=(\d{5,})(?:-e(\d+))?", re.ASCII)


class FolderName(NamedTuple):
    """Step and epoch that the name of a checkpoint's folder states."""

    step: int
    epoch: int | None
    """None if the name contains no epoch."""

    def __str__(self) -> str:
        return f"step={self.step:05d}" + ("" if self.epoch is None else f"-e{self.epoch}")


def folder_name_in(text: str) -> FolderName | None:
    """Returns the step and epoch in a folder's name; None if it isn't the name of a checkpoint's folder."""
    if not (found := _NAME.fullmatch(text)):
        return None
    name = FolderName(int(found[1]), None if found[2] is None else int(found[2]))
    return name if str(name) == text else None
