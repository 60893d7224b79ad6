"""The probes by name: the built-in ones, and those that plugins declare under `hardlimit.probes`."""

from hardlimit.core import Catalog
from hardlimit.probes.context import Needle
from hardlimit.probes.hallucination import NonExistent, ShortFacts
from hardlimit.probes.protocol import Probe

PROBES: Catalog[type[Probe]] = Catalog(
    "probe",
    {kind.name: kind for kind in (ShortFacts, NonExistent, Needle)},
    group="hardlimit.probes",
)
"""Every probe by its name, as a class: its fields are its parameters, and all have defaults."""
