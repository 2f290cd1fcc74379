"""The report of a finished run: one HTML page, and the lines printed at its end."""

from vaserl.report.console import console_summary
from vaserl.report.page import write_report

__all__ = ["console_summary", "write_report"]
