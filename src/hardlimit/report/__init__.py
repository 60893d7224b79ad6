"""Findings become pages: the HTML report, the terminal's summary, the files on disk; nothing here is computed."""

from hardlimit.report.files import UnwritableError, Written, write_report
from hardlimit.report.page import render_html, render_scaling_html
from hardlimit.report.terminal import render_terminal

__all__ = ["UnwritableError", "Written", "render_html", "render_scaling_html", "render_terminal", "write_report"]
