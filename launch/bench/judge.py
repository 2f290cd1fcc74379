"""Measures the geometric judge against known geometry: synthetic vases, each with pairs of copies that are damaged in
different ways and to different degrees.

The judge sees the photograph and both copies, never the true mesh. The truth is the smaller Chamfer distance from the
true mesh, in heights of the vase. The same pairs are judged again with damaged photographs.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from launch.bench.timing import circumstances
from vaserl.errors import UserError
from vaserl.judge.calibration import DAMAGE
from vaserl.judge.certification import JudgedPair, KnownPair, certify, false_certification, judged_pairs
from vaserl.judge.degrade import MeshDamage, PhotoDamage, damaged_mesh, damaged_photograph
from vaserl.judge.gap_curve import gap_curve
from vaserl.judge.geometric import GeometricJudge
from vaserl.judge.judge import JudgeQuery
from vaserl.judge.pair import ORDERS, MeshPair
from vaserl.judge.truth import true_distance
from vaserl.judge.verdict import PairVerdict, verdict_of
from vaserl.meshes.glb import write_glb
from vaserl.meshes.turntable import TurntableRenderer
from vaserl.synthetic.mesh import build_mesh
from vaserl.synthetic.paint import paint_vase
from vaserl.synthetic.photograph import RESOLUTION, take_photograph
from vaserl.synthetic.world import traits_of

_PHOTO_DAMAGE: tuple[PhotoDamage, ...] = ("crop", "occlusion", "downscale", "blur")
_PHOTO_STRENGTH = 0.6
_STRENGTHS = (0.03, 1.0)
"""Smallest and largest strength of a copy's damage, which is drawn evenly on a logarithmic scale."""
MAX_WRONG = 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options that set the number and the seed of the vases."""
    parser.add_argument("--num-vases", type=int, default=150, help="vases (%(default)s)")
    parser.add_argument("--pairs-per-vase", type=int, default=2, help="pairs of each vase (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of vases, photographs and damage (%(default)s)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Judges all pairs. Returns: shares of flips and of wrong verdicts, by gap, by photograph and by kind of damage,
    and the certificate at `MAX_WRONG`."""
    if arguments.num_vases < 1 or arguments.pairs_per_vase < 1:
        raise UserError("--num-vases and --pairs-per-vase must be at least 1")
    with tempfile.TemporaryDirectory() as folder:
        pairs, known = _pairs(Path(folder), arguments.seed, arguments.num_vases, arguments.pairs_per_vase)
        judge = GeometricJudge()
        verdicts = {pair.id: _verdict(judge, pair) for pair in pairs}
        judged = judged_pairs(known, verdicts)
        with_damaged = {
            kind: judged_pairs(known, _verdicts_with_damaged_photos(pairs, kind, judge, Path(folder)))
            for kind in _PHOTO_DAMAGE
        }
    return {
        "num_vases": arguments.num_vases,
        "num_pairs": len(pairs),
        "seed": arguments.seed,
        "all": _rates(judged),
        "by_gap": [asdict(each) for each in gap_curve(judged)],
        "by_damage": {kind: _rates([pair for pair in judged if kind in pair.pair_id.split("/")]) for kind in DAMAGE},
        "damaged_photograph": {kind: _rates(each) for kind, each in with_damaged.items()},
        "certificate": asdict(certify(judged, MAX_WRONG, seed=arguments.seed)),
        **circumstances(),
    }


def words(measured: dict[str, Any]) -> str:
    """Returns the result of `run` as text for the terminal."""
    groups = {
        "all": measured["all"],
        **{f"a copy with {kind}": rates for kind, rates in measured["by_damage"].items()},
        **{f"photograph: {kind}": rates for kind, rates in measured["damaged_photograph"].items()},
    }
    lines = [f"{measured['num_pairs']} pairs of {measured['num_vases']} vases, seed {measured['seed']}"]
    lines += [
        f"  {name:24} n {rates['num_pairs']:4}  with a winner {rates['num_certified']:4}  wrong {rates['num_wrong']:3}"
        for name, rates in groups.items()
    ]
    lines += [
        f"  gap {bin_['low']:.4f} to {bin_['high']:.4f}  n {bin_['num_pairs']:3}  undecided {_share(bin_['undecided'])}"
        f"  right {_share(bin_['right'])}"
        for bin_ in measured["by_gap"]
    ]
    found = measured["certificate"]
    lines.append(
        f"not certified at {MAX_WRONG:.0%}: {found['reason']}"
        if found["threshold"] is None
        else f"certified at {MAX_WRONG:.0%} from confidence {found['threshold']:.3f}, coverage "
        f"{_share(found['on_test']['coverage'])}"
    )
    return "\n".join(lines)


def _share(interval: Mapping[str, float] | None) -> str:
    return "–" if interval is None else f"{interval['mean']:.2f} [{interval['low']:.2f}, {interval['high']:.2f}]"


def _rates(judged: Sequence[JudgedPair]) -> dict[str, Any]:
    return asdict(false_certification(judged))


def _pairs(folder: Path, seed: int, num_vases: int, pairs_per_vase: int) -> tuple[list[MeshPair], list[KnownPair]]:
    """Writes photographs and damaged copies, and returns the pairs with their true distances."""
    pairs, known = [], []
    with TurntableRenderer(resolution=RESOLUTION) as turntable:
        for index in range(num_vases):
            rng = np.random.default_rng([seed, index])
            traits = traits_of(seed, index)
            mesh = build_mesh(traits, paint_vase(traits))
            photo, true = folder / f"v{index}.png", folder / f"v{index}.glb"
            Image.fromarray(take_photograph(turntable, mesh, "intact", rng)).save(photo)
            write_glb(true, mesh)
            for number in range(pairs_per_vase):
                kinds: list[MeshDamage] = [DAMAGE[int(k)] for k in rng.choice(len(DAMAGE), 2, replace=False)]
                copies = []
                for kind in kinds:
                    strength = float(np.exp(rng.uniform(*np.log(_STRENGTHS))))
                    copies.append(folder / f"v{index}.{number}.{kind}.glb")
                    write_glb(copies[-1], damaged_mesh(mesh, kind, strength=strength, seed=seed + index))
                pair = MeshPair(id=f"{index}/{number}/{kinds[0]}/{kinds[1]}", photo=photo, a=copies[0], b=copies[1])
                pairs.append(pair)
                one, other = (true_distance(copy, true) for copy in copies)
                known.append(KnownPair(pair_id=pair.id, distance_a=one, distance_b=other))
    return pairs, known


def _verdict(judge: GeometricJudge, pair: MeshPair) -> PairVerdict:
    queries = [JudgeQuery(pair=pair, order=order, prompt="", images=()) for order in ORDERS]
    return verdict_of("evaluation", pair.id, dict(zip(ORDERS, judge.answer(queries), strict=True)))


def _verdicts_with_damaged_photos(
    pairs: Sequence[MeshPair], kind: PhotoDamage, judge: GeometricJudge, folder: Path
) -> dict[str, PairVerdict]:
    found = {}
    for pair in pairs:
        photo = folder / f"{kind}.{pair.photo.name}"
        if not photo.exists():
            damaged_photograph(Image.open(pair.photo), kind, strength=_PHOTO_STRENGTH, seed=0).save(photo)
        found[pair.id] = _verdict(judge, MeshPair(id=pair.id, photo=photo, a=pair.a, b=pair.b))
    return found
