"""What a judge gets to see: the protocol's mode, and the modes that are known to mislead judges.

The failing modes can be run, to reproduce the failure with a judge at hand. Their verdicts never mix with those of the
protocol: the mode is part of what a store of verdicts is bound to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Literal

JudgeMode = Literal["montage", "panel", "shaded", "reference_free"]
"""Name of a mode."""


@dataclass(frozen=True)
class ModeCard:
    """Description of a mode."""

    num_images: int
    """Number of images in a query."""
    failure: str
    """How the mode misleads judges, as a sentence; "" for the protocol's mode."""
    prompt_name: str
    """Name of the prompt's file in `prompts/`."""

    @cached_property
    def prompt(self) -> str:
        """Text of the prompt, the same for both orders."""
        return (Path(__file__).parent / "prompts" / self.prompt_name).read_text(encoding="utf-8").strip()

    @property
    def prompt_sha256(self) -> str:
        """Hash of the prompt's text."""
        return sha256(self.prompt.encode()).hexdigest()


MODES: Mapping[JudgeMode, ModeCard] = {
    "montage": ModeCard(num_images=2, failure="", prompt_name="montage.txt"),
    "panel": ModeCard(
        num_images=7,
        failure="Image overload: with the photograph and three views of each mesh as seven images, judges answer by "
        "order.",
        prompt_name="panel.txt",
    ),
    "shaded": ModeCard(
        num_images=2,
        failure="Paint hides geometry: in renders with colours, broken surfaces look intact.",
        prompt_name="shaded.txt",
    ),
    "reference_free": ModeCard(
        num_images=2,
        failure="No reference: without the photograph, a smooth mesh of another object looks as good as the right one.",
        prompt_name="reference_free.txt",
    ),
}
"""All modes; "montage" is the protocol's."""
