"""The result of checking a folder, and its text for the terminal. The text lists the first five problems of each kind
and the number of the others."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from vaserl.errors import Effect, Problem

NUM_SHOWN = 5
_WIDTH = 110


@dataclass(frozen=True, slots=True, kw_only=True)
class VaseExample:
    """An example for the user: all prompts about a vase, with the answers that the vision-language model learns."""

    vase_id: str
    turns: Sequence[tuple[str, str]]
    """Pairs of (prompt, answer to learn). The first pair asks for a caption; each further pair is a question about the
    vase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The result of checking a folder."""

    counts: Sequence[tuple[str, str]]
    """Lines of the overview of the folder's contents, as (name, text). Example: ("vases", "48: 40 train, 8 test")"""
    problems: Sequence[Problem]
    """Problems of the folder's files, in the order in which they were found."""
    examples: Sequence[VaseExample]

    @property
    def costs(self) -> bool:
        """True if at least one of the problems would stop a run or make it leave out a row."""
        return any(problem.effect != "keeps the row" for problem in self.problems)


def page(checked: Checked) -> str:
    """Returns the result of a check as the text that the command `vaserl check` prints."""
    width = max((len(name) for name, _ in checked.counts), default=0)
    lines = [f"{name:{width}}  {words}" for name, words in checked.counts]
    kinds: dict[tuple[Effect, str], list[Problem]] = {}
    for effect in get_args(Effect):
        for problem in checked.problems:
            if problem.effect == effect:
                kinds.setdefault((effect, problem.kind), []).append(problem)
    if kinds:
        widest = max(len(kind) for _, kind in kinds)
        lines += ["", f"{'problem':{widest}} {'rows':>7}  effect"]
        lines += [f"{kind:{widest}} {len(found):7,}  {effect}" for (effect, kind), found in kinds.items()]
    for (_, kind), found in kinds.items():
        lines += ["", f"{kind}:"]
        lines += [f"  {problem.where}: {problem.message}" for problem in found[:NUM_SHOWN]]
        if len(found) > NUM_SHOWN:
            lines.append(f"  … and {len(found) - NUM_SHOWN:,} more")
    for example in checked.examples:
        lines += ["", f"── vase {example.vase_id} ".ljust(_WIDTH, "─")]
        for prompt, answer in example.turns:
            lines += [prompt, textwrap.indent(answer, "  → "), ""]
        lines.pop()
    if not checked.problems:
        lines += ["", "no problems found"]
    return "\n".join(lines)
