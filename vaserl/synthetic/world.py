"""Writes a synthetic collection: meshes, photographs and museum records, all determined by a seed.

    OUT/records.jsonl         one record per line, in the Beazley form, with the vase's `id`
    OUT/photographs.jsonl     {"file", "vase_id", "view", "kind", "label_quality", "label_intact"}
    OUT/photographs/ID_V.png  224 x 224
    OUT/models/ID.glb         mesh with texture, Y up
    OUT/world.json            seed, counts, hash of everything above

The folder is written under another name and renamed when it is complete.
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
"""Probability of 0, 1, 2, 3 good photographs of a vase."""
P_NUM_FLAWED = (0.30, 0.40, 0.30)
"""Probability of 0, 1, 2 flawed photographs of a vase."""
P_OF_SERIES: Mapping[PhotographKind, float] = {
    "intact": 0.40,
    "above": 0.16,
    "fragment": 0.11,
    "blur": 0.11,
    "sketch": 0.11,
    "crop": 0.11,
}
"""Probability of each kind when `num_views` is given; only then are there views from above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSummary:
    """Content of `world.json`: how the collection was generated, and hashes to compare it by."""

    seed: int
    num_vases: int
    """Number of vases; each has one record and one mesh."""
    num_views: int | None
    """Number of photographs of each vase; None when it is random."""
    num_photographs: int
    num_by_kind: Mapping[str, int]
    """Number of photographs of each kind."""
    content_hash: str
    """SHA-256 of the names and hashes of all files except `world.json`."""
    generator_hash: str
    """SHA-256 of the generator's source code; with another hash, the same seed may give another world."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaseFiles:
    """One vase's record, and the names and hashes of its files."""

    record: Mapping[str, str]
    photographs: tuple[Mapping[str, str | int], ...]
    """The vase's lines of `photographs.jsonl`."""
    hashes: Mapping[str, str]
    """SHA-256 of each file, by its path relative to the collection's folder."""


def build_world(
    out_dir: Path,
    num_vases: int,
    seed: int,
    num_workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    num_views: int | None = None,
) -> WorldSummary:
    """Writes the collection to `out_dir` with `num_workers` processes (default: one for each usable core).

    `num_views` photographs are rendered of each vase, with kinds drawn from P_OF_SERIES; by default, `kinds_of` draws
    one to five. `progress` is called with (vases done, all vases) after each vase. A folder that already contains this
    world is kept.

    Raises: UserError when the folder contains anything else.
    """
    out_dir = Path(out_dir)
    if num_vases < 1:
        raise UserError(f"num_vases is {num_vases}: a world needs at least one vase")
    if num_views is not None and num_views < 1:
        raise UserError(f"num_views is {num_views}: a vase needs at least one photograph")
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
    """Samples the traits of vase `index` of the world with this seed; they don't depend on the world's size."""
    return sample_traits(_generator(seed, index, "traits"))


def make_vase(out_dir: Path, seed: int, num_views: int | None, index: int, turntable: TurntableRenderer) -> VaseFiles:
    """Generates mesh, texture, photographs and record of one vase, and writes its files."""
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
    """Draws the kinds of one vase's photographs, at least one, in random order, so that a view's number is no hint."""
    num_good = int(rng.choice(len(P_NUM_GOOD), p=P_NUM_GOOD))
    num_flawed = max(int(rng.choice(len(P_NUM_FLAWED), p=P_NUM_FLAWED)), 1 if num_good == 0 else 0)
    kinds: list[PhotographKind] = ["intact"] * num_good
    kinds += [FLAWED[k] for k in rng.integers(len(FLAWED), size=num_flawed)]
    return [kinds[k] for k in rng.permutation(len(kinds))]


def series_of(num_views: int, rng: np.random.Generator) -> list[PhotographKind]:
    """Draws the kinds of one vase's `num_views` photographs; of five, none is "intact" for one vase in thirteen."""
    kinds = list(P_OF_SERIES)
    return [kinds[k] for k in rng.choice(len(kinds), size=num_views, p=list(P_OF_SERIES.values()))]


def _generator(seed: int, index: int, purpose: str) -> np.random.Generator:
    """Returns an independent random generator for each vase and purpose, so that a change in one affects no other."""
    return np.random.default_rng(np.random.SeedSequence([seed, index, *purpose.encode()]))


def _vases(
    make: Callable[[int, TurntableRenderer], VaseFiles], num_vases: int, num_workers: int
) -> Iterable[VaseFiles]:
    """Yields all vases in order, made in this process or by spawned ones: a GL context can't be forked."""
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
    """Returns the summary of the world in `out_dir` if its numbers are those requested.

    requested: num_vases, num_views, seed and generator_hash.

    Raises: UserError for any other content.
    """
    try:
        summary = WorldSummary(**json.loads((out_dir / "world.json").read_text()))
    except (OSError, TypeError, ValueError) as error:
        raise UserError(f"{out_dir}: not empty and not a complete world; remove it or choose another folder") from error
    found = (summary.num_vases, summary.num_views, summary.seed, summary.generator_hash)
    if requested != found:
        by_other_code = ", made by another version of the code" if summary.generator_hash != requested[3] else ""
        raise UserError(
            f"{out_dir}: contains another world (num_vases {found[0]}, num_views {found[1]}, seed {found[2]}"
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
