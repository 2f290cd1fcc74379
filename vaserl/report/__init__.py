"""The report of a finished quick start: one HTML page, and a summary for the terminal."""

from vaserl.report.console import console_summary
from vaserl.report.page import write_report

__all__ = ["console_summary", "write_report"]
