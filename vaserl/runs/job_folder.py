"""The folder that a job writes into, with the files that every job leaves there."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Generic, TypeVar

import vaserl
from vaserl.errors import UserError
from vaserl.files import write_atomic
from vaserl.runs.versions import RUN_FORMAT, RunVersions, current_versions, read_versions
from vaserl.settings.section import Section, dump_config, load_config

SettingsT = TypeVar("SettingsT", bound=Section)


class JobFolder(Generic[SettingsT]):
    """The folder of a job: paths, atomic writes and typed reads of config.toml, versions.json and features.json.

    Creating the object reads and writes nothing.
    """

    def __init__(self, path: Path, kind: type[SettingsT]):
        """kind: the class of the settings in config.toml."""
        self.path = Path(path)
        self._kind = kind

    @property
    def config_file(self) -> Path:
        """The resolved settings, as TOML."""
        return self.path / "config.toml"

    @property
    def features_file(self) -> Path:
        """Counts of what the vision encoders did; absent where the job had none."""
        return self.path / "features.json"

    @property
    def _versions_file(self) -> Path:
        return self.path / "versions.json"

    @property
    def settings(self) -> SettingsT:
        """The settings that the job ran with, defaults included.

        Raises: UserError when the file is absent or does not fit this version of vaserl; it names the file, the key,
        the version that wrote the folder, and what to do.
        """
        self.check_format()
        try:
            return load_config(self._kind, self.config_file)
        except UserError as error:
            written_by = self.versions
            raise UserError(
                f"{error}\n{self.path} was written by vaserl {written_by.vaserl} (run format {written_by.format}); "
                f"this is vaserl {vaserl.__version__}. Correct {self.config_file.name} in a copy of the folder, "
                f"or read it with vaserl {written_by.vaserl}."
            ) from error

    @property
    def versions(self) -> RunVersions:
        """The software that wrote the folder. Raises: UserError when the file is damaged."""
        return read_versions(self._versions_file)

    def check_format(self) -> None:
        """Raises: UserError when the folder has a newer format than this vaserl knows."""
        found = self.versions
        if found.format > RUN_FORMAT:
            raise UserError(
                f"{self.path} was written by vaserl {found.vaserl} in run format {found.format}; this is vaserl "
                f"{vaserl.__version__}, which reads formats up to {RUN_FORMAT}. Install vaserl {found.vaserl} or newer."
            )

    def begin(self, settings: SettingsT, reward_sha256: Mapping[str, str] | None = None) -> None:
        """Creates the folder and writes the settings and the versions of the software that runs now.

        reward_sha256: hash of each reward function's source file, by the function's name.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomic(self.config_file, dump_config(settings).encode())
        self._write_json(self._versions_file, current_versions(reward_sha256).as_dict())

    def write_features(self, counts: Mapping[str, int]) -> None:
        """Writes how many turntable videos the vision encoders encoded, evicted from their cache and so on."""
        self._write_json(self.features_file, counts)

    def _write_json(self, path: Path, content: object) -> None:
        write_atomic(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
