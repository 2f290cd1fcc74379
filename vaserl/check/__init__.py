"""What a folder holds before anything is run on it: an input for curation, a curated data set, or a published one."""

from vaserl.check.dataset import check_dataset
from vaserl.check.findings import Checked, Finding
from vaserl.check.published import check_published
from vaserl.check.source import check_source

__all__ = ["Checked", "Finding", "check_dataset", "check_published", "check_source"]
