"""Environment variables of a submitted job, and the choice of Ray's token authentication."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from vaserl.errors import UserError
from vaserl.settings.submitted import STORAGE, without_password

AUTH_MODE = "RAY_AUTH_MODE"
STOP_WAIT = "RAY_JOB_STOP_WAIT_TIME_S"
"""Environment variable from which Ray reads how long a stopped job may go on before it is killed."""

_PASSED = (
    *(STORAGE, "HF_HUB_OFFLINE", "VASERL_WORKER_LOGS"),
    *("WANDB_PROJECT", "WANDB_ENTITY", "WANDB_NAME", "WANDB_RUN_GROUP", "WANDB_MODE"),
)
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|(^|_)(API_?)?KEY(_|$)|ACCESS_KEY", re.IGNORECASE)


def job_environment(environment: Mapping[str, str], names: Sequence[str], *, stop_wait_s: int) -> dict[str, str]:
    """Returns the environment variables that every process of the job gets, beside those of its node.

    environment: the submitting process's. names: further variables of it to pass on.

    Raises: UserError for a variable that is absent, and for one that looks like a secret: Ray shows the variables of a
    job to everyone who may see the job.
    """
    for name in names:
        if _SECRET.search(name):
            raise UserError(
                f"--env {name}: Ray stores a job's variables in clear and shows them in its dashboard. Set secrets in "
                "the environment in which each node runs `ray start`, or in a file there"
            )
        if name not in environment:
            raise UserError(f"--env {name}: this variable is not set here; export it first")
    storage = environment.get(STORAGE, "")
    if without_password(storage) != storage:
        raise UserError(f"{STORAGE} contains a user name or password. Put credentials into each node's environment")
    passed = {name: environment[name] for name in (*_PASSED, *names) if name in environment}
    return {
        AUTH_MODE: auth_mode(environment),
        STOP_WAIT: str(stop_wait_s),
        "HF_HUB_OFFLINE": "1",
        **passed,
    }


def auth_mode(environment: Mapping[str, str]) -> str:
    """Returns how this machine identifies itself to the cluster: RAY_AUTH_MODE if it is set, else "token" if there is a
    token, else "disabled". Ray itself sends no token unless RAY_AUTH_MODE says so, even if there is one."""
    if environment.get(AUTH_MODE):
        return environment[AUTH_MODE]
    stated = environment.get("RAY_AUTH_TOKEN") or environment.get("RAY_AUTH_TOKEN_PATH")
    default = Path(environment.get("HOME", "~"), ".ray", "auth_token")
    return "token" if stated or default.is_file() else "disabled"
