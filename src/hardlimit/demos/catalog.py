"""Every demonstration by name, and by number."""

from hardlimit.core import Catalog, UnknownNameError
from hardlimit.demos.collisions import COLLISIONS
from hardlimit.demos.context import BF16, CROWDING, DISPERSION
from hardlimit.demos.contrastive import INFONCE
from hardlimit.demos.demonstration import Demo
from hardlimit.demos.diagonal import DIAGONAL
from hardlimit.demos.halting import HALTING, REFUTE
from hardlimit.demos.memory import MEMORISE, PERCEPTRON
from hardlimit.demos.paper import PAPER
from hardlimit.demos.retrieval import MOMENT_CURVE, POISONING
from hardlimit.demos.sampling import BEST_OF_K
from hardlimit.demos.singletons import SINGLETONS

_ALL = (
    DIAGONAL, HALTING, REFUTE, MEMORISE, PERCEPTRON, SINGLETONS, DISPERSION, CROWDING, BF16, BEST_OF_K, MOMENT_CURVE,
    POISONING, INFONCE, COLLISIONS, PAPER,
)  # fmt: skip

DEMOS: Catalog[Demo] = Catalog("demonstration", {demo.name: demo for demo in _ALL})


def find_demo(name: str) -> Demo:
    """Return a demonstration by its name or its number.

    Args:
        name: such as `dispersion` or `D7`, in any case.

    >>> find_demo("d7").name
    'dispersion'
    >>> find_demo("dispersal")
    Traceback (most recent call last):
    ...
    hardlimit.core.errors.UnknownNameError: No demonstration is named 'dispersal'. Did you mean 'dispersion'? Known: ...
    """
    wanted = name.strip().lower()
    by_number = {demo.number.lower(): demo for demo in _ALL}
    if wanted in by_number:
        return by_number[wanted]
    if wanted == "d10":
        raise UnknownNameError(
            "D10, hops by depth, needs trained transformers: it belongs to the lab and is no demonstration."
        )
    return DEMOS[wanted]
