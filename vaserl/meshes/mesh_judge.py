"""Interface of a mesh judge: a vision-language model or other code that accepts or rejects meshes after the gate.

The setting mesh_gate.judge identifies the judge as "package.module:name". The judge is called with each mesh that
passed the gate's geometric checks. It may read the photograph, render the mesh or call a server. A function is called
directly. A class is instantiated once, without arguments, in the process that runs the gate, and its instance is
called.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from vaserl.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A mesh to be judged, with the photograph that it was made from.

    Example: Candidate(vase_id="v00012", photo="photographs/v00012_1.png", mesh=Path("models/v00012.glb"))
    """

    vase_id: str
    photo: str
    """Path or URL of the photograph; `read_photograph` accepts both."""
    mesh: Path
    """GLB with Y up and the front towards +Z."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A judge's decision on one candidate.

    Example: Judgement(accepted=False, score=0.2, reason="the neck is bent")
    """

    accepted: bool
    """True when the mesh is accepted; only accepted meshes are rendered."""
    score: float
    """Quality on the judge's own scale, larger is better; stored in the manifest's column `judge`."""
    reason: str
    """Why the mesh was rejected; stored as the reason in the photograph's row."""


class MeshJudge(Protocol):
    """A callable that judges one mesh.

    An exception that it raises ends the run: a failing judge must not look like a rejection.
    """

    def __call__(self, candidate: Candidate) -> Judgement: ...


def load_judge(name: str) -> MeshJudge:
    """Returns the judge with the name "package.module:name"; if this is a class, an instance of it.

    Raises: UserError when the judge can't be imported or isn't callable.
    """
    judge = find_judge(name)
    return cast(MeshJudge, judge() if isinstance(judge, type) else judge)


def find_judge(name: str) -> Any:
    """Returns the function or class with the name "package.module:name".

    A class isn't instantiated, because its constructor may load a neural network.

    Raises: UserError when the judge can't be imported or isn't callable.
    """
    module, colon, attribute = name.partition(":")
    if not module or not colon or not attribute.isidentifier():
        raise UserError(f"mesh_gate.judge {name!r}: expected package.module:name")
    try:
        found: Any = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(f"mesh_gate.judge {name!r}: {error}") from error
    is_class = isinstance(found, type)
    if not (_makes_callables(found) if is_class else callable(found)):
        what = found.__name__ if is_class else type(found).__name__
        raise UserError(f"mesh_gate.judge {name!r}: expected a function or a class with __call__, got {what}")
    return found


def file_of_judge(name: str) -> Path | None:
    """Returns the source file of the judge's module, or None for a built-in module.

    A change of the file's hash invalidates cached judgements.

    Raises: UserError when the judge can't be imported or isn't callable.
    """
    find_judge(name)
    file = getattr(importlib.import_module(name.partition(":")[0]), "__file__", None)
    return Path(file) if file else None


def _makes_callables(kind: type) -> bool:
    return any("__call__" in base.__dict__ for base in kind.__mro__)
