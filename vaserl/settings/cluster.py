"""Settings of the Ray cluster that a job runs on."""

from vaserl.settings.section import Section


class ClusterSettings(Section):
    """Settings of the Ray cluster that the job runs on."""

    address: str = "local"
    """"local" starts Ray on this machine. "auto" joins the Ray cluster that is running on this machine. If the
    environment variable RAY_ADDRESS is set, the job joins the cluster at that address instead."""
    num_cpus: int | None = None
    """Number of logical CPUs that Ray offers if the job starts it on this machine; default: the CPUs of the machine."""
    placement_timeout_s: float = 10.0
    """Seconds to wait until the cluster has free resources for all actors of the job. After that the job stops with an
    error that compares the resources requested with those of each node."""
