"""Reporting: figures that docks share, and the HTML report of a study."""

from cellvote.reporting.report import report_summary, write_report

__all__ = ["report_summary", "write_report"]
