"""A sandbox for programs that a model wrote: a process of its own that the kernel keeps from everything."""

from hardlimit.mitigations.sandbox.run import Limits, Outcome, run

__all__ = ["Limits", "Outcome", "run"]
