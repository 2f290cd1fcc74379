"""What a folder holds before anything is run on it: an input for curation, or a curated data set."""

from vaserl.check.dataset import check_dataset
from vaserl.check.findings import Checked, Finding
from vaserl.check.source import check_source

__all__ = ["Checked", "Finding", "check_dataset", "check_source"]
