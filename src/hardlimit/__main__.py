"""Run hardlimit as `python -m hardlimit`."""

from hardlimit.cli import entry

entry()
