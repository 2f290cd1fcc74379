"""python -m launch JOB CONFIG [--section.key value …]"""

import importlib
import sys
from collections.abc import Sequence

from launch.jobs import JOBS
from launch.main import start_job
from vaserl.commands.closed_pipe import exit_code_of
from vaserl.errors import USER_ERROR_EXIT
from vaserl.settings import nearest_name


def main(argv: Sequence[str] | None = None) -> int:
    """Starts the job whose name is the first argument. Returns: the job's exit code, 2 if no job has that name, or 141
    if standard output was closed early, as `| head` does."""
    given = list(sys.argv[1:] if argv is None else argv)
    return exit_code_of(lambda: _started(given))


def _started(given: list[str]) -> int:
    if not given or given[0] in ("-h", "--help"):
        print(_usage())
        return 0
    name, *rest = given
    if name not in JOBS:
        meant = nearest_name(name, JOBS)
        hint = f"did you mean {meant!r}?" if meant else f"the jobs are {', '.join(JOBS)}"
        print(f"error: no job {name!r}; {hint}", file=sys.stderr)
        return USER_ERROR_EXIT
    if JOBS[name].settings is None:
        return importlib.import_module(JOBS[name].module).main(rest)
    return start_job(name, rest)


def _usage() -> str:
    lines = [f"usage: {__doc__}", "", "jobs:"]
    lines += [f"  {name:14} {job.line}" for name, job in JOBS.items()]
    lines += ["", "python -m launch JOB --help lists the keys of a job's CONFIG; examples are in configs/."]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
