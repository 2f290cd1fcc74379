"""What a submitted job is asked to do: the job, its config, and the folder that it writes to."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from launch.jobs import JOBS
from launch.main import read_arguments, settings_class
from launch.submit.attempt import run_name
from launch.submit.upload import Upload
from vaserl.errors import UserError
from vaserl.settings import load_config, nearest_name
from vaserl.settings.section import path_roles
from vaserl.settings.submitted import STORAGE, JobPlace

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
    job, *rest = words
    if job not in JOBS or JOBS[job].settings is None:
        jobs = [each for each in JOBS if JOBS[each].settings]
        meant = nearest_name(job, jobs)
        hint = f"did you mean {meant!r}?" if meant else f"the jobs are {', '.join(jobs)}"
        raise UserError(f"no job {job!r} can be submitted; {hint}")
    arguments, overrides = read_arguments(job, rest)
    for file in (arguments.config, *arguments.overlays):
        if not upload.has(str(file)):
            raise UserError(
                f"{file}: not among the uploaded files. Give its path relative to {upload.folder}, outside of the "
                "folders that are left out (docs, tests, runs, data, hidden ones)"
            )
    place = JobPlace(storage=environment.get(STORAGE, "").removeprefix("file://"), uploaded=upload.has)
    kind = settings_class(job)
    settings = load_config(kind, arguments.config, overrides, overlays=arguments.overlays, place=place)
    (key,) = (location[0] for location, role in path_roles(kind) if role.written and len(location) == 1)
    output = str(getattr(settings, key))
    root = place.storage.rstrip("/")
    below = output.removeprefix(f"{root}/") if root else output
    return JobRequest(arguments=tuple(words), output=output, run=name or run_name(below))
