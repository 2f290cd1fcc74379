"""The driver of a submitted job, on the cluster: checks every node, then runs the job."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from launch.main import PLACED, start_job
from vaserl.settings import ClusterSettings, RewardSettings, Section
from vaserl.settings.section import path_roles

_READ_ON_NODES = (("model", "path"), ("data", "path"), ("start", "weights"), ("start", "optimizer"))


@contextmanager
def checked_nodes(settings: Section) -> Iterator[None]:
    """Connects to the cluster and checks that each node sees the job's folders, can import its reward functions, and
    that the cluster is large enough. The connection lasts until the end of the `with` block, also for the job.

    A job without settings of a cluster runs on the head node alone, so nothing is checked.

    Raises: UserError with every node that lacks something.
    """
    cluster = getattr(settings, "cluster", None)
    if not isinstance(cluster, ClusterSettings):
        yield
        return
    from actors.cluster import connect
    from actors.node_check import NodeNeeds, check_nodes
    from vaserl.planning.requests import role_requests

    reward = getattr(settings, "reward", None)
    needs = NodeNeeds(
        read={".".join(key): path for key in _READ_ON_NODES if (path := _value(settings, key)) is not None},
        written={key: Path(_value(settings, (key,))) for key in _written_keys(type(settings))},
        reward=reward if isinstance(reward, RewardSettings) else None,
        requests=role_requests(settings) if isinstance(settings, PLACED) else {},
    )
    with connect(cluster):
        check_nodes(needs, cluster)
        yield


def _written_keys(kind: type[Section]) -> list[str]:
    return [location[0] for location, role in path_roles(kind) if role.written and len(location) == 1]


def _value(settings: Section, key: Sequence[str]) -> Any:
    value: Any = settings
    for part in key:
        value = getattr(value, part, None)
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the job whose name is the first argument. Returns: the job's exit code."""
    name, *rest = sys.argv[1:] if argv is None else argv
    return start_job(name, rest, around=checked_nodes)


if __name__ == "__main__":
    sys.exit(main())
