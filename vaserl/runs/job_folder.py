"""The output folder of a job, with the files that every kind of job writes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Generic, TypeVar

import vaserl
from vaserl.errors import UserError
from vaserl.files import write_atomic
from vaserl.files.strict_json import strict_json
from vaserl.runs.versions import RUN_FORMAT, RunVersions, current_versions, read_versions
from vaserl.settings.section import Section, dump_config, load_config

SettingsT = TypeVar("SettingsT", bound=Section)


class JobFolder(Generic[SettingsT]):
    """The output folder of a job, with methods that read and write its config.toml, versions.json and features.json.

    The constructor reads and writes no files.
    """

    def __init__(self, path: Path, kind: type[SettingsT]):
        """kind: class of the job's settings, into which config.toml is parsed."""
        self.path = Path(path)
        self._kind = kind

    @property
    def config_file(self) -> Path:
        """Path of the TOML file with all settings of the job, defaults included."""
        return self.path / "config.toml"

    @property
    def features_file(self) -> Path:
        """Path of the JSON file with the vision encoders' counters; a job without vision encoders doesn't write it.

        "encoded": number of videos encoded. "damaged", "evicted", "refused": number of feature-store entries that were
        found damaged, were removed to save space, or could not be stored.
        """
        return self.path / "features.json"

    @property
    def _versions_file(self) -> Path:
        return self.path / "versions.json"

    @property
    def settings(self) -> SettingsT:
        """The settings that the job ran with, defaults included.

        Raises: UserError if config.toml is absent or does not fit this version of vaserl. The message contains the
        file, the key, the version of vaserl that wrote the folder, and what to do.
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
        """Versions of the software that wrote the folder. Raises: UserError if versions.json is damaged."""
        return read_versions(self._versions_file)

    def check_format(self) -> None:
        """Checks that this version of vaserl can read the folder's format. Raises: UserError if the format is newer."""
        found = self.versions
        if found.format > RUN_FORMAT:
            raise UserError(
                f"{self.path} was written by vaserl {found.vaserl} in run format {found.format}; this is vaserl "
                f"{vaserl.__version__}, which reads formats up to {RUN_FORMAT}. Install vaserl {found.vaserl} or newer."
            )

    def set_aside(self) -> Path:
        """Renames the folder to <name>.before-<n>, so that a new job can use the name. Returns: its new path.

        Raises: UserError if the folder can't be renamed.
        """
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.before-{number}")).exists():
            number += 1
        try:
            return self.path.rename(aside)
        except OSError as error:  # the folder is a mounted disk, for example the volume of a container
            raise UserError(
                f"{self.path} can't be renamed to {aside.name}, to keep the results in it: {error.strerror}. Name "
                "another --run_dir, such as a folder in it"
            ) from error

    def begin(self, settings: SettingsT, reward_sha256: Mapping[str, str] | None = None) -> None:
        """Creates the folder and writes the settings and the versions of the installed software.

        reward_sha256: SHA-256 of the code of each reward function, by the function's name in the config.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomic(self.config_file, dump_config(settings).encode())
        self._write_json(self._versions_file, current_versions(reward_sha256).as_dict())

    def write_features(self, counts: Mapping[str, int]) -> None:
        """Writes the vision encoders' counters to features.json. counts: see `features_file`."""
        self._write_json(self.features_file, counts)

    def _write_json(self, path: Path, content: object) -> None:
        write_atomic(path, (strict_json(content, indent=1) + "\n").encode())
