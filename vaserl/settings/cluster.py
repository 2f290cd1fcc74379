"""The Ray cluster that a job runs on."""

from vaserl.settings.section import Section


class ClusterSettings(Section):
    """The Ray cluster that the job runs on."""

    address: str = "local"
    """"local" starts Ray on this machine; "auto" joins the running cluster (the one at RAY_ADDRESS, where it is
    set)."""
    num_cpus: int | None = None
    """Logical CPUs of a local Ray; without it, the CPUs of the machine."""
    placement_timeout_s: float = 10.0
    """Seconds to wait for the actors to be placed; after that the job stops with the resources that are missing."""
