"""Checks a folder before a run uses it: the input of a curation, a curated data set, or a published data set."""

from vaserl.curation.check.checked import Checked
from vaserl.curation.check.dataset import check_dataset
from vaserl.curation.check.published import check_published
from vaserl.curation.check.source import check_photographs

__all__ = ["Checked", "check_dataset", "check_photographs", "check_published"]
