"""What a check found, and the page that says it: a hundred findings of one kind are five lines and a number."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Effect = Literal["stops the run", "drops the row", "keeps the row"]
NUM_SHOWN = 5
_WIDTH = 110


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to mend, or to know of."""

    kind: str
    """What findings of its kind share, as the table of costs names it."""
    where: str
    """File, and line or row."""
    message: str
    """What is wrong, and the way out."""
    effect: Effect
    """What it does to a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaseExample:
    """A vase as a model will meet it."""

    vase_id: str
    """Whose it is."""
    turns: Sequence[tuple[str, str]]
    """(what the model is given, the answer that it is taught), the caption first, then each question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A checked folder."""

    counts: Sequence[tuple[str, str]]
    """What there is: name and words."""
    findings: Sequence[Finding]
    """What is wrong, in the order in which it was met."""
    examples: Sequence[VaseExample]
    """Vases as a model will meet them."""

    @property
    def costs(self) -> bool:
        """Whether something would stop a run or drop a row."""
        return any(finding.effect != "keeps the row" for finding in self.findings)


def page(checked: Checked) -> str:
    """The check in words."""
    width = max((len(name) for name, _ in checked.counts), default=0)
    lines = [f"{name:{width}}  {words}" for name, words in checked.counts]
    kinds: dict[tuple[Effect, str], list[Finding]] = {}
    for effect in ("stops the run", "drops the row", "keeps the row"):
        for finding in checked.findings:
            if finding.effect == effect:
                kinds.setdefault((effect, finding.kind), []).append(finding)
    if kinds:
        widest = max(len(kind) for _, kind in kinds)
        lines += ["", f"{'problem':{widest}} {'rows':>7}  effect"]
        lines += [f"{kind:{widest}} {len(found):7,}  {effect}" for (effect, kind), found in kinds.items()]
    for (_, kind), found in kinds.items():
        lines += ["", f"{kind}:"]
        lines += [f"  {finding.where}: {finding.message}" for finding in found[:NUM_SHOWN]]
        if len(found) > NUM_SHOWN:
            lines.append(f"  … and {len(found) - NUM_SHOWN:,} more")
    for example in checked.examples:
        lines += ["", f"── vase {example.vase_id} ".ljust(_WIDTH, "─")]
        for prompt, answer in example.turns:
            lines += [prompt, textwrap.indent(answer, "  → "), ""]
        lines.pop()
    if not checked.findings:
        lines += ["", "nothing to mend"]
    return "\n".join(lines)
