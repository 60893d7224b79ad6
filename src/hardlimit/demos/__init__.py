"""Demonstrations: each limit made to appear in seconds, and made not to appear where theory says that it does not.

`DEMOS` has every demonstration by name; `find_demo` also takes its number, such as D7.
"""

from hardlimit.demos.catalog import DEMOS, find_demo
from hardlimit.demos.demonstration import Check, Demo, Demonstration, Figure, Series, Shown

__all__ = ["DEMOS", "Check", "Demo", "Demonstration", "Figure", "Series", "Shown", "find_demo"]
