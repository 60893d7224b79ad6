"""Catalogs: explicit lists of named things, with plugins resolved by name and on demand."""

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from hardlimit.core.errors import HardlimitError, UnknownNameError

T = TypeVar("T")


class Catalog(Mapping[str, T], Generic[T]):
    """A named collection: the built-in members, and those that plugins declare under one entry-point group.

    >>> colours: Catalog[str] = Catalog("colour", {"red": "#f00", "blue": "#00f"})
    >>> colours["red"]
    '#f00'
    >>> colours["rad"]
    Traceback (most recent call last):
    ...
    hardlimit.core.errors.UnknownNameError: No colour is named 'rad'. Did you mean 'red'? Known: blue, red.
    """

    def __init__(self, kind: str, members: Mapping[str, T], *, group: str | None = None) -> None:
        """Make a catalog.

        Args:
            kind: what its members are, for messages.
            members: the built-in members by name.
            group: entry-point group of plugins, or None for none.
        """
        self._kind = kind
        self._members = dict(members)
        self._group = group

    def _plugins(self) -> dict[str, EntryPoint]:
        if self._group is None:
            return {}
        found: dict[str, EntryPoint] = {}
        for point in entry_points(group=self._group):
            if point.name in self._members or point.name in found:
                raise HardlimitError(
                    f"Two {self._kind}s are named '{point.name}': one of them is {point.value}. Rename or uninstall it."
                )
            found[point.name] = point
        return found

    def __getitem__(self, name: str) -> T:
        if name in self._members:
            return self._members[name]
        plugin = self._plugins().get(name)
        if plugin is None:
            raise UnknownNameError.among(self._kind, name, self)
        try:
            loaded: T = plugin.load()
        except (ImportError, AttributeError) as error:
            raise HardlimitError(
                f"The {self._kind} '{name}' is a plugin that cannot be loaded ({plugin.value}): {error}"
            ) from error
        return loaded

    def __contains__(self, name: object) -> bool:
        return name in self._members or name in self._plugins()

    def __iter__(self) -> Iterator[str]:
        yield from self._members
        yield from self._plugins()

    def __len__(self) -> int:
        return len(self._members) + len(self._plugins())
