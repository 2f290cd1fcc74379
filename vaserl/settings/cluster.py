"""Settings of the Ray cluster that a job runs on."""

from vaserl.settings.section import Section


class ClusterSettings(Section):
    """Settings of the Ray cluster that the job runs on."""

    address: str = "local"
    """"local" starts Ray on this machine; "auto" joins the running cluster (the one at RAY_ADDRESS, where it is
    set)."""
    num_cpus: int | None = None
    """Number of logical CPUs of a Ray started on this machine; default: the CPUs of the machine."""
    placement_timeout_s: float = 10.0
    """Seconds to wait until the cluster has room for all actors; after that the job stops with an error that compares
    the resources requested with those of each node."""
