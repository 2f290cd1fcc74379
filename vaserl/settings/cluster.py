"""The Ray that a job runs on."""

from vaserl.settings.section import Section


class ClusterSettings(Section):
    address: str = "local"
    """"local" starts Ray on this machine; "auto" joins the running cluster (RAY_ADDRESS is honoured)."""
    num_cpus: int | None = None
    """Logical CPUs of a local Ray; default: the machine's."""
    placement_timeout_s: float = 10.0
    """Seconds to wait for actors to be placed before the run stops and says what is missing."""
