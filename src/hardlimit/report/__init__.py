"""Findings become pages: the HTML report, the terminal's summary, the files on disk; nothing here is computed."""

from hardlimit.report.family import render_family_terminal
from hardlimit.report.files import UnwritableError, Written, write_family, write_report
from hardlimit.report.page import render_family_html, render_html, render_lab_html, render_scaling_html
from hardlimit.report.terminal import render_terminal

__all__ = [
    "UnwritableError",
    "Written",
    "render_family_html",
    "render_family_terminal",
    "render_html",
    "render_lab_html",
    "render_scaling_html",
    "render_terminal",
    "write_family",
    "write_report",
]
