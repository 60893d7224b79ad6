"""Probes: one folder per limit; each makes cases from a seed and grades answers by program."""

from hardlimit.probes.protocol import Probe

__all__ = ["Probe"]
