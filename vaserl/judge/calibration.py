"""Calibration of a judge: pairs whose answer is known, and its record, which every later report is bound to."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from vaserl.errors import UserError
from vaserl.files import write_atomic
from vaserl.files.strict_json import strict_json
from vaserl.judge.degrade import MeshDamage, damaged_mesh
from vaserl.judge.gates import CheckedGate, failed_gates
from vaserl.judge.inputs import JudgedObjects
from vaserl.judge.pair import MeshPair
from vaserl.judge.settings import CalibrateSettings
from vaserl.judge.store import PairHashes, StoreBinding
from vaserl.judge.verdict import PairVerdict
from vaserl.meshes.glb import load_mesh, write_glb

CLEAR, BASE = "clear", "base"
"""First part of the ids of pairs with a clear gap, and of base against base."""
DAMAGE: tuple[MeshDamage, ...] = ("drop_faces", "smooth", "noise", "holes", "stretch")
"""Kinds of damage, in the order in which the clear pairs take turns."""
_BASE_NOISE = 0.3
"""Strength of the noise on both meshes where base against base has no second seed of a generator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationPairs:
    """Pairs of a calibration."""

    clear: Sequence[MeshPair]
    """Intact (a) against damaged (b)."""
    base: Sequence[MeshPair]
    """Two equally good meshes."""


def calibration_pairs(objects: JudgedObjects, settings: CalibrateSettings, folder: Path, seed: int) -> CalibrationPairs:
    """Returns the pairs, and writes the damaged meshes to the folder unless they are there.

    The first generator of `objects` is the base. A mesh that can't be read stays undamaged: asking about the pair finds
    it unusable.

    Raises: UserError if `settings.again` names no generator.
    """
    base = next(iter(objects.meshes))
    if settings.again is not None and settings.again not in objects.meshes:
        raise UserError(
            f"calibrate.again = {settings.again!r} is no key of [meshes]; the keys are {', '.join(objects.meshes)}"
        )
    names = _shuffled(objects.shared([base]), seed)
    clear = []
    for index in range(min(settings.num_clear, len(names) * len(DAMAGE))):
        turn, place = divmod(index, len(names))
        name, kind = names[place], DAMAGE[(place + turn) % len(DAMAGE)]
        intact = objects.meshes[base][name]
        damaged = _written(intact, folder, kind, settings.strength, seed)
        clear.append(MeshPair(id=f"{CLEAR}/{kind}/{name}", photo=objects.photos[name], a=intact, b=damaged))
    pairs = []
    if settings.again is not None:
        for name in _shuffled(objects.shared([base, settings.again]), seed)[: settings.num_base]:
            a, b = objects.meshes[base][name], objects.meshes[settings.again][name]
            pairs.append(MeshPair(id=f"{BASE}/seeds/{name}", photo=objects.photos[name], a=a, b=b))
    else:
        for index in range(settings.num_base):
            turn, place = divmod(index, len(names))
            name = names[place]
            intact, first = objects.meshes[base][name], seed + 2 * turn
            a, b = (_written(intact, folder, "noise", _BASE_NOISE, first + part) for part in (1, 2))
            pairs.append(MeshPair(id=f"{BASE}/noise/{name}/{turn}", photo=objects.photos[name], a=a, b=b))
    return CalibrationPairs(clear=clear, base=pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Record of a calibration, as calibration.json holds it."""

    binding: StoreBinding
    gates: Sequence[CheckedGate]
    anchors: Sequence[MeshPair]
    """Pairs that every later run asks again."""
    hashes: Mapping[str, PairHashes]
    """Hashes of the anchors' files, by pair."""
    verdicts: Mapping[str, PairVerdict]
    """The judge's verdicts on the anchors, by pair."""

    @property
    def is_passed(self) -> bool:
        """True if the judge passed all gates."""
        return not failed_gates(self.gates)

    def write(self, folder: Path) -> None:
        """Writes calibration.json; the anchors' paths are absolute."""
        anchors = [
            {
                "id": pair.id,
                **{name: str(getattr(pair, name)) for name in ("photo", "a", "b")},
                "sha256": asdict(self.hashes[pair.id]),
                "ab": self.verdicts[pair.id].ab,
                "ba": self.verdicts[pair.id].ba,
            }
            for pair in self.anchors
        ]
        content = {
            "binding": asdict(self.binding),
            "gates": [asdict(gate) for gate in self.gates],
            "anchors": anchors,
        }
        write_atomic(folder / "calibration.json", (strict_json(content, indent=1) + "\n").encode())


def read_calibration(folder: Path, binding: StoreBinding) -> Calibration:
    """Returns the calibration that `python -m launch judge calibrate` wrote to a folder.

    Raises: UserError if there is none, if it is another judge's, prompt's or render's, or if an anchor's file has
    changed.
    """
    file = folder / "calibration.json"
    if not file.is_file():
        raise UserError(f"calibration = {folder}: no calibration.json; run `python -m launch judge calibrate` first")
    values = json.loads(file.read_text())
    StoreBinding.read(values["binding"]).check_same(binding, str(file))
    anchors, hashes, verdicts = [], {}, {}
    for row in values["anchors"]:
        pair = MeshPair(id=row["id"], **{name: Path(row[name]) for name in ("photo", "a", "b")})
        anchors.append(pair)
        hashes[pair.id] = PairHashes(**row["sha256"])
        if PairHashes.of(pair) != hashes[pair.id]:
            raise UserError(f"{file}: a file of the anchor {pair.id!r} has changed or is missing; calibrate again")
        verdicts[pair.id] = PairVerdict(pair_id=pair.id, ab=row["ab"], ba=row["ba"], confidence=None)
    return Calibration(
        binding=binding,
        gates=[CheckedGate(**gate) for gate in values["gates"]],
        anchors=anchors,
        hashes=hashes,
        verdicts=verdicts,
    )


def _shuffled(names: Sequence[str], seed: int) -> list[str]:
    return [names[int(index)] for index in np.random.default_rng(seed).permutation(len(names))]


def _written(intact: Path, folder: Path, kind: MeshDamage, strength: float, seed: int) -> Path:
    target = folder / f"{intact.stem}.{kind}.{strength:g}.{seed}.glb"
    if target.is_file():
        return target
    try:
        mesh = load_mesh(intact).to_mesh()
    except UserError:
        return intact
    folder.mkdir(parents=True, exist_ok=True)
    aside = target.with_suffix(".partial")
    write_glb(aside, damaged_mesh(mesh, kind, strength=strength, seed=seed))
    aside.replace(target)
    return target
