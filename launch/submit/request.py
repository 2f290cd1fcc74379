"""What a submitted job is asked to do: the job, its config, and the folder that it writes to."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from launch.jobs import JOBS
from launch.main import read_arguments, settings_class
from launch.submit.attempt import check_run_name, run_name
from launch.submit.upload import Upload
from vaserl.errors import UserError
from vaserl.settings import load_config, nearest_name
from vaserl.settings.section import path_roles
from vaserl.settings.submitted import STORAGE, JobPlace, has_password

_FRESH = "--fresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """A job with its arguments, checked as far as this machine can."""

    arguments: tuple[str, ...]
    """Name of the job, and its command line."""
    output: str
    """Folder that the job writes to, as the cluster's nodes see it."""
    run: str
    """Name of the run."""

    @property
    def arguments_to_continue(self) -> tuple[str, ...]:
        """The arguments without --fresh, which would set aside what the job has done so far."""
        return tuple(argument for argument in self.arguments if argument != _FRESH)

    def entrypoint(self, python: str, arguments: Sequence[str]) -> str:
        """Returns the shell command that runs the job on the cluster. The shell is replaced by Python, so that signals
        reach it."""
        return f"exec {shlex.quote(python)} -m launch.submit.driver {shlex.join(arguments)}"


def read_request(
    words: Sequence[str], upload: Upload, environment: Mapping[str, str], *, name: str | None = None
) -> JobRequest:
    """Reads the job and its config on this machine, with the paths as they will be in the job.

    words: name of the job, and its command line. environment: environment variables of the job.

    Raises: UserError for everything that the job would refuse before it reads its inputs.
    """
    if name is not None:
        check_run_name(name)
    job, *rest = words
    if job not in JOBS or JOBS[job].settings is None:
        jobs = [each for each in JOBS if JOBS[each].settings]
        meant = nearest_name(job, jobs)
        hint = f"did you mean {meant!r}?" if meant else f"the jobs are {', '.join(jobs)}"
        raise UserError(f"no job {job!r} can be submitted; {hint}")
    arguments, overrides = read_arguments(job, rest)
    _refuse_secrets(rest)
    for file in (arguments.config, *arguments.overlays):
        if not upload.has(str(file)):
            raise UserError(
                f"{file}: not among the uploaded files. Give its path relative to {upload.folder}, outside of the "
                "folders that are left out (docs, tests, runs, data, hidden ones). Links that lead out of it are left "
                "out too"
            )
    place = JobPlace(storage=environment.get(STORAGE, "").removeprefix("file://"), uploaded=upload.has)
    kind = settings_class(job)
    settings = load_config(kind, arguments.config, overrides, overlays=arguments.overlays, place=place)
    (key,) = (location[0] for location, role in path_roles(kind) if role.written and len(location) == 1)
    output = str(getattr(settings, key))
    root = place.storage.rstrip("/")
    below = output.removeprefix(f"{root}/") if root else output
    return JobRequest(arguments=tuple(words), output=output, run=name or run_name(below))


def _refuse_secrets(words: Sequence[str]) -> None:
    """Raises UserError for an override that holds a secret: Ray shows a job's command line."""
    where = "Ray shows a job's command line in clear. Put credentials into the environment of each node"
    for before, word in zip(("", *words), words, strict=False):
        key, is_joined, _ = word.partition("=")
        if key.startswith("--") and "storage_options" in key.split("."):
            raise UserError(f"{key}: {where}, other storage options into the config file")
        if has_password(word):
            named = key if key.startswith("--") and is_joined else before
            raise UserError(f"{named or 'an argument'}: contains a URL with a password. {where}")
