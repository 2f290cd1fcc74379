"""What a model was trained on: the shape of its clips, and whether its vases were synthetic.

An exported model carries these facts in training.json, because its run and data set may be elsewhere by then. The model
folder of a supervised run needs no such file: its run lies around it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.files import write_atomic
from vaserl.files.strict_json import strict_json
from vaserl.runs.run import SftRun
from vaserl.settings import CAPTION_PROMPT, DataSettings

TRAINING_FILE = "training.json"
"""Name of the file in an exported model's folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOrigin:
    """What a model was trained on.

    Example: TrainingOrigin(num_frames=4, fps=2.0, resolution=112, num_vases=576, num_synthetic=576)
    """

    num_frames: int
    """Number of frames of each clip that the model got."""
    fps: float
    """Rate of these frames, in frames per second."""
    resolution: int
    """Width and height of a frame in pixels."""
    num_vases: int
    """Number of training vases."""
    num_synthetic: int
    """Number of training vases whose records say that they are synthetic."""
    prompt: str = CAPTION_PROMPT
    """Text that asked for a caption in training."""
    system: str = ""
    """Text of the system message in training; empty if there was none."""

    @property
    def is_synthetic(self) -> bool:
        """True if every training vase was synthetic."""
        return self.num_synthetic == self.num_vases


def origin_of_data(data: DataSettings) -> TrainingOrigin | None:
    """Returns what a run with these settings is trained on; None if its data set isn't there any more."""
    dataset = DataSet.of_settings(data)
    if not dataset.exists:
        return None
    vases = dataset.vases("train")
    clip = dataset.clips.load(vases[0].clip, data.num_frames)
    return TrainingOrigin(
        num_frames=data.num_frames,
        fps=clip.fps,
        resolution=clip.frames.shape[2],
        num_vases=len(vases),
        num_synthetic=sum(vase.is_synthetic for vase in vases),
        prompt=data.prompt,
        system=data.system,
    )


def write_origin(folder: Path, origin: TrainingOrigin) -> None:
    """Writes the facts to a model's folder."""
    write_atomic(folder / TRAINING_FILE, (strict_json(asdict(origin), indent=1) + "\n").encode())


def origin_of_model(folder: Path) -> TrainingOrigin | None:
    """Returns what the model in a folder was trained on; None if neither the folder nor the run around it says so.

    Raises: UserError if the folder's file is damaged, or the run or its data set can't be read.
    """
    file, run = folder / TRAINING_FILE, SftRun(folder.absolute().parent)
    if file.is_file():
        try:
            found = json.loads(file.read_text())
            kinds = {"num_frames": int, "fps": float, "resolution": int, "num_vases": int, "num_synthetic": int}
            # models of earlier versions have no texts
            prompt, system = str(found.get("prompt", CAPTION_PROMPT)), str(found.get("system", ""))
            numbers = {name: kind(found[name]) for name, kind in kinds.items()}
            return TrainingOrigin(**numbers, prompt=prompt, system=system)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{file} is damaged; export the model again, or delete the file") from error
    if run.model_folder.resolve() == folder.resolve() and run.config_file.is_file():
        return origin_of_data(run.settings.data)
    return None
