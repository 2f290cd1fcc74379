"""Replaces a model of the Hugging Face hub in a job's settings by the folder that it was downloaded to."""

import sys
import tomllib
from pathlib import Path
from typing import Any

from vaserl.files.hub import HUB, HubModel, download_model
from vaserl.runs.run import Run


def fetch_hub_model(values: dict[str, Any]) -> None:
    """Downloads the model if `model.path` of a config's values names one on the hub, and puts its folder there and its
    commit into `model.hub`.

    A run that is continued keeps the commit that it was started with, unless the path names a revision.

    Raises: UserError if the model can't be downloaded.
    """
    section = values.get("model")
    path = section.get("path") if isinstance(section, dict) else None
    if not isinstance(section, dict) or not isinstance(path, str) or not path.startswith(HUB):
        return
    model = HubModel.parse(path)
    found = download_model(_as_started(model, values.get("run_dir")))
    print(f"model: {found.model} in {found.folder}", file=sys.stderr)
    section["path"], section["hub"] = str(found.folder), str(found.model)


def _as_started(model: HubModel, run_dir: Any) -> HubModel:
    config = Run(Path(run_dir).expanduser()).config_file if isinstance(run_dir, str) else None
    if model.revision or config is None or not config.is_file():
        return model
    try:
        stated = tomllib.loads(config.read_text()).get("model", {}).get("hub", "")
    except (OSError, ValueError):
        return model  # the job names the damaged file itself
    started = HubModel.parse(stated) if stated else model
    return started if started.name == model.name else model
