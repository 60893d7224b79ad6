"""The experiments of the lab, by name. They need torch only when they measure."""

from hardlimit.core import Catalog
from hardlimit.lab.experiment import Experiment
from hardlimit.lab.experiments.accumulation import Accumulation
from hardlimit.lab.experiments.capacity import Capacity
from hardlimit.lab.experiments.creativity import Creativity
from hardlimit.lab.experiments.crowding import Crowding
from hardlimit.lab.experiments.dimension import Dimension
from hardlimit.lab.experiments.dominance import Dominance
from hardlimit.lab.experiments.encoding import Encoding
from hardlimit.lab.experiments.hops import Hops
from hardlimit.lab.experiments.monofacts import Monofacts
from hardlimit.lab.experiments.positions import Positions
from hardlimit.lab.experiments.shortcut import Shortcut

EXPERIMENTS: Catalog[type[Experiment]] = Catalog(
    "experiment",
    {
        kind.name: kind
        for kind in (
            Crowding,
            Positions,
            Capacity,
            Hops,
            Monofacts,
            Dimension,
            Encoding,
            Shortcut,
            Dominance,
            Accumulation,
            Creativity,
        )
    },
    group="hardlimit.experiments",
)
