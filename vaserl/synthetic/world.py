"""Writes a synthetic collection: meshes, photographs and museum records, all determined by a seed.

    OUT/records.jsonl         one museum record a line, in the form of the Beazley archive, with the vase's `id`
    OUT/photographs.jsonl     one photograph a line: file, vase_id, view, kind, label_quality, label_intact
    OUT/photographs/ID_V.png  photograph V of vase ID, 224 x 224 pixels
    OUT/models/ID.glb         mesh of vase ID with texture, Y up
    OUT/world.json            seed, counts and a hash of all other files

The collection is written to OUT.partial, which is renamed to OUT when it is complete.
"""

import hashlib
import json
import multiprocessing
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from vaserl.errors import UserError
from vaserl.files import sha256_of
from vaserl.meshes import turntable as turntable_module
from vaserl.meshes.turntable import TurntableRenderer
from vaserl.synthetic.mesh import build_mesh, to_glb
from vaserl.synthetic.paint import paint_vase
from vaserl.synthetic.photograph import FLAWED, RESOLUTION, PhotographKind, label_intact, label_quality, take_photograph
from vaserl.synthetic.record import beazley_record
from vaserl.synthetic.vase import VaseTraits, sample_traits

P_NUM_GOOD = (0.03, 0.40, 0.35, 0.22)
"""Probabilities that a vase has 0, 1, 2 or 3 good photographs."""
P_NUM_FLAWED = (0.30, 0.40, 0.30)
"""Probabilities that a vase has 0, 1 or 2 flawed photographs."""
P_OF_SERIES: Mapping[PhotographKind, float] = {
    "intact": 0.40,
    "above": 0.16,
    "fragment": 0.11,
    "blur": 0.11,
    "sketch": 0.11,
    "crop": 0.11,
}
"""Probability of each kind of photograph when the caller passes `num_views`. Otherwise, no photograph is from above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSummary:
    """Content of `world.json`: how a collection was generated, its counts, and hashes for comparing collections."""

    seed: int
    num_vases: int
    """Number of vases; each has one record and one mesh."""
    num_views: int | None
    """Number of photographs of each vase; None when the number is random."""
    num_photographs: int
    num_by_kind: Mapping[str, int]
    """Number of photographs of each kind."""
    content_hash: str
    """SHA-256 of the names and hashes of all files except `world.json`."""
    generator_hash: str
    """SHA-256 of the source code that generated the collection. With other code, the same seed may give another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaseFiles:
    """The museum record of one vase, and the names and hashes of the files that were written for it."""

    record: Mapping[str, str]
    photographs: tuple[Mapping[str, str | int], ...]
    """The lines of `photographs.jsonl` for this vase, parsed."""
    hashes: Mapping[str, str]
    """SHA-256 of each file of the vase, by the file's path relative to the collection's folder."""


def build_world(
    out_dir: Path,
    num_vases: int,
    seed: int,
    num_workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    num_views: int | None = None,
) -> WorldSummary:
    """Writes a collection to `out_dir` with `num_workers` processes (default: one for each usable core).

    If `num_views` is given, that many photographs of each vase are rendered, of kinds sampled from P_OF_SERIES.
    Otherwise `kinds_of` samples the kinds of one to five photographs. `progress` is called after each vase with the
    number of finished vases and the number of all vases. If `out_dir` already contains the same collection, nothing is
    written.

    Raises: UserError when `out_dir` contains anything else.
    """
    out_dir = Path(out_dir)
    if num_vases < 1:
        raise UserError(f"num_vases must be at least 1, got {num_vases}")
    if num_views is not None and num_views < 1:
        raise UserError(f"num_views must be at least 1, got {num_views}")
    generator_hash = _generator_hash()
    if out_dir.exists() and (not out_dir.is_dir() or any(out_dir.iterdir())):
        return _existing_world(out_dir, (num_vases, num_views, seed, generator_hash))
    started = out_dir.with_name(out_dir.name + ".partial")
    if started.exists():
        shutil.rmtree(started)
    for folder in ("photographs", "models"):
        (started / folder).mkdir(parents=True)
    num_workers = min(num_workers or len(os.sched_getaffinity(0)), num_vases)
    vases: list[VaseFiles] = []
    for files in _vases(partial(make_vase, started, seed, num_views), num_vases, num_workers):
        vases.append(files)
        if progress:
            progress(len(vases), num_vases)
    _write_lines(started / "records.jsonl", (vase.record for vase in vases))
    lines = [line for vase in vases for line in vase.photographs]
    _write_lines(started / "photographs.jsonl", lines)
    hashes = {name: digest for vase in vases for name, digest in vase.hashes.items()}
    hashes |= {name: sha256_of(started / name) for name in ("records.jsonl", "photographs.jsonl")}
    summary = WorldSummary(
        seed=seed,
        num_vases=num_vases,
        num_views=num_views,
        num_photographs=len(lines),
        num_by_kind=dict(sorted(Counter(str(line["kind"]) for line in lines).items())),
        content_hash=hashlib.sha256("".join(f"{n}\0{hashes[n]}\n" for n in sorted(hashes)).encode()).hexdigest(),
        generator_hash=generator_hash,
    )
    (started / "world.json").write_text(json.dumps(asdict(summary), indent=2) + "\n")
    if out_dir.exists():
        out_dir.rmdir()
    started.rename(out_dir)
    return summary


def traits_of(seed: int, index: int) -> VaseTraits:
    """Samples the traits of vase number `index`. They depend on seed and index, not on the number of vases."""
    return sample_traits(_generator(seed, index, "traits"))


def make_vase(out_dir: Path, seed: int, num_views: int | None, index: int, turntable: TurntableRenderer) -> VaseFiles:
    """Generates one vase, writes its mesh and photographs to `out_dir`, and returns its record and file hashes."""
    vase_id = f"v{index:05d}"
    traits = traits_of(seed, index)
    mesh = build_mesh(traits, paint_vase(traits))
    hashes = {f"models/{vase_id}.glb": _write(out_dir / "models" / f"{vase_id}.glb", to_glb(mesh))}
    rng = _generator(seed, index, "photographs")
    lines = []
    kinds = kinds_of(rng) if num_views is None else series_of(num_views, rng)
    for view, kind in enumerate(kinds, start=1):
        image = take_photograph(turntable, mesh, kind, rng, back=bool(rng.random() < 0.3))
        name = f"photographs/{vase_id}_{view}.png"
        Image.fromarray(image).save(out_dir / name, compress_level=4)
        hashes[name] = sha256_of(out_dir / name)
        lines.append(
            {
                "file": name,
                "vase_id": vase_id,
                "view": view,
                "kind": kind,
                "label_quality": label_quality(kind),
                "label_intact": label_intact(kind),
            }
        )
    return VaseFiles(record=beazley_record(vase_id, index, traits), photographs=tuple(lines), hashes=hashes)


def kinds_of(rng: np.random.Generator) -> list[PhotographKind]:
    """Samples the kinds of the photographs of one vase; a vase has at least one photograph.

    Their order is random, so that the number of a photograph gives no hint of its kind.
    """
    num_good = int(rng.choice(len(P_NUM_GOOD), p=P_NUM_GOOD))
    num_flawed = max(int(rng.choice(len(P_NUM_FLAWED), p=P_NUM_FLAWED)), 1 if num_good == 0 else 0)
    kinds: list[PhotographKind] = ["intact"] * num_good
    kinds += [FLAWED[k] for k in rng.integers(len(FLAWED), size=num_flawed)]
    return [kinds[k] for k in rng.permutation(len(kinds))]


def series_of(num_views: int, rng: np.random.Generator) -> list[PhotographKind]:
    """Samples the kinds of `num_views` photographs of one vase.

    It may be that none of them is "intact": with five photographs, this happens for one vase in thirteen.
    """
    kinds = list(P_OF_SERIES)
    return [kinds[k] for k in rng.choice(len(kinds), size=num_views, p=list(P_OF_SERIES.values()))]


def _generator(seed: int, index: int, purpose: str) -> np.random.Generator:
    """Returns a random generator that is independent of those for other vases and other purposes.

    So, if the code for one purpose uses more random numbers, everything else stays the same.
    """
    return np.random.default_rng(np.random.SeedSequence([seed, index, *purpose.encode()]))


def _vases(
    make: Callable[[int, TurntableRenderer], VaseFiles], num_vases: int, num_workers: int
) -> Iterable[VaseFiles]:
    """Yields all vases in order. If there are several workers, they are spawned: a GL context can't be forked."""
    if num_workers == 1:
        with TurntableRenderer(RESOLUTION) as turntable:
            for index in range(num_vases):
                yield make(index, turntable)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, mp_context=context, initializer=_start_worker) as pool:
        yield from pool.map(partial(_make_in_worker, make), range(num_vases), chunksize=4)


_worker_turntable: TurntableRenderer | None = None


def _start_worker() -> None:
    global _worker_turntable
    os.environ["LP_NUM_THREADS"] = "1"  # one rasteriser thread for each worker, since the workers use all cores
    _worker_turntable = TurntableRenderer(RESOLUTION)


def _make_in_worker(make: Callable[[int, TurntableRenderer], VaseFiles], index: int) -> VaseFiles:
    assert _worker_turntable is not None
    return make(index, _worker_turntable)


def _existing_world(out_dir: Path, requested: tuple[int, int | None, int, str]) -> WorldSummary:
    """Returns the summary of the collection in `out_dir` if that is the requested one.

    requested: num_vases, num_views, seed and generator_hash of the requested collection.

    Raises: UserError if `out_dir` contains anything else.
    """
    try:
        summary = WorldSummary(**json.loads((out_dir / "world.json").read_text()))
    except (OSError, TypeError, ValueError) as error:
        raise UserError(
            f"{out_dir}: the folder is not empty and is not a complete collection; remove it or choose another folder"
        ) from error
    found = (summary.num_vases, summary.num_views, summary.seed, summary.generator_hash)
    if requested != found:
        by_other_code = ", made by another version of the code" if summary.generator_hash != requested[3] else ""
        raise UserError(
            f"{out_dir}: contains another collection (num_vases {found[0]}, num_views {found[1]}, seed {found[2]}"
            f"{by_other_code}); requested num_vases {requested[0]}, num_views {requested[1]}, seed {requested[2]}: "
            "remove it or choose another folder"
        )
    return summary


def _generator_hash() -> str:
    sources = [*sorted(Path(__file__).parent.glob("*.py")), Path(str(turntable_module.__file__))]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()


def _write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def _write_lines(path: Path, rows: Iterable[Mapping[str, str | int]]) -> None:
    path.write_text("".join(json.dumps(dict(row)) + "\n" for row in rows))
