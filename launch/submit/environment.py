"""Environment variables of a submitted job."""

from collections.abc import Mapping, Sequence

from launch.submit.secret import is_secret_name
from vaserl.errors import UserError
from vaserl.settings.submitted import STORAGE, has_password

STOP_WAIT = "RAY_JOB_STOP_WAIT_TIME_S"
"""Environment variable from which Ray reads how long a stopped job may go on before it is killed."""

_PASSED = (
    *(STORAGE, "HF_HUB_OFFLINE", "VASERL_WORKER_LOGS"),
    *("WANDB_PROJECT", "WANDB_ENTITY", "WANDB_NAME", "WANDB_RUN_GROUP", "WANDB_MODE"),
)


def job_environment(environment: Mapping[str, str], names: Sequence[str], *, stop_wait_s: int) -> dict[str, str]:
    """Returns the environment variables that every process of the job gets, beside those of its node.

    Ray's authentication is not among them: it is the node's, as `ray start` set it there. The client may have a token
    for another cluster, and a process that sends one where the cluster has none is refused.

    environment: the submitting process's. names: further variables of it to pass on.

    Raises: UserError for a variable that is absent, and for one that looks like a secret: Ray shows the variables of a
    job to everyone who may see the job.
    """
    for name in names:
        if is_secret_name(name):
            raise UserError(
                f"--env {name}: Ray stores a job's variables in clear and shows them in its dashboard. Set secrets in "
                "the environment in which each node runs `ray start`, or in a file there"
            )
        if name not in environment:
            raise UserError(f"--env {name}: this variable is not set here; export it first")
    passed = {name: environment[name] for name in (*_PASSED, *names) if name in environment}
    for name, value in passed.items():
        if has_password(value):
            raise UserError(
                f"{name} contains a URL with a password, and Ray stores a job's variables in clear. Put credentials "
                "into the environment in which each node runs `ray start`"
            )
    return {STOP_WAIT: str(stop_wait_s), "HF_HUB_OFFLINE": "1", **passed}
