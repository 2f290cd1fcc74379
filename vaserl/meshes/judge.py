"""The door for a judge of models: a vision-language model, or any other opinion, that has the last word at the gate.

A judge is named "package.module:name" in the settings. It sees what passed the geometry; it may look at the photograph,
film the model, ask a server. A function is called as it is; a class is made once, without arguments, in the process
that holds the gate, and its instance called.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from vaserl.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model that asks to be let in.

    Example: Candidate(vase_id="v00012", photo="photographs/v00012_1.png", mesh=Path("models/v00012.glb"))
    """

    vase_id: str
    """Whose model it is."""
    photo: str
    """Path or URL of the photograph that it was made from; `read_photograph` reads either."""
    mesh: Path
    """The GLB: Y up, front towards +Z."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a judge says.

    Example: Judgement(accepted=False, score=0.2, reason="the neck is bent")
    """

    accepted: bool
    """Whether the model goes on to the turntable."""
    score: float
    """How good it is, larger is better, on the judge's own scale; kept in the manifest."""
    reason: str
    """In words; what the row says when it is rejected."""


class MeshJudge(Protocol):
    """Has an opinion of a model. What it raises ends the run: a judge that can't judge mustn't look like a refusal."""

    def __call__(self, candidate: Candidate) -> Judgement: ...


def load_judge(name: str) -> MeshJudge:
    """The judge of that name. Raises: UserError when there is none, or none that can be called."""
    judge = find_judge(name)
    return cast(MeshJudge, judge() if isinstance(judge, type) else judge)


def find_judge(name: str) -> Any:
    """The function, or the class before it is made: making it may load a model. Raises: UserError like `load_judge`."""
    module, colon, attribute = name.partition(":")
    if not module or not colon or not attribute.isidentifier():
        raise UserError(f"mesh_gate.judge {name!r}: wanted package.module:name")
    try:
        found: Any = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(f"mesh_gate.judge {name!r}: {error}") from error
    is_class = isinstance(found, type)
    if not (_makes_callables(found) if is_class else callable(found)):
        what = found.__name__ if is_class else type(found).__name__
        raise UserError(f"mesh_gate.judge {name!r}: a {what} can't be called with a candidate")
    return found


def file_of_judge(name: str) -> Path | None:
    """The file that defines it, whose change is a change of mind; None for what is built in. Raises: UserError."""
    find_judge(name)
    file = getattr(importlib.import_module(name.partition(":")[0]), "__file__", None)
    return Path(file) if file else None


def _makes_callables(kind: type) -> bool:
    return any("__call__" in base.__dict__ for base in kind.__mro__)
