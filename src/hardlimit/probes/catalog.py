"""The probes by name: the built-in ones, and those that plugins declare under `hardlimit.probes`."""

from hardlimit.core import Catalog
from hardlimit.probes.context import Needle
from hardlimit.probes.hallucination import NonExistent, ShortFacts
from hardlimit.probes.multimodal import Drawn, UsualColour
from hardlimit.probes.protocol import Probe
from hardlimit.probes.reasoning import Arithmetic, Composition, Familiar, Hops, Tracking, Zebra
from hardlimit.probes.retrieval import Passages

PROBES: Catalog[type[Probe]] = Catalog(
    "probe",
    {
        kind.name: kind
        for kind in (
            ShortFacts,
            NonExistent,
            Needle,
            Passages,
            Hops,
            Tracking,
            Arithmetic,
            Composition,
            Zebra,
            Familiar,
            Drawn,
            UsualColour,
        )
    },
    group="hardlimit.probes",
)
"""Every probe by its name, as a class: its fields are its parameters, and all have defaults."""
