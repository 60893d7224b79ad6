"""Errors that a user can act on: what, which value, why, and the way out."""

from collections.abc import Iterable
from difflib import get_close_matches


class HardlimitError(Exception):
    """Base of every error that hardlimit raises on purpose; its text is meant for a person.

    `exit_code` is what the command line leaves with: 2 for something wrong in what was asked for,
    3 for something wrong in the world (a server, a file, a missing package).
    """

    exit_code = 2


class InvalidValueError(HardlimitError, ValueError):
    """A value lies outside its domain."""


class UnknownNameError(HardlimitError, KeyError):
    """A name is not in the catalog it was looked up in.

    >>> print(UnknownNameError.among("probe", "recal", ["recall", "needle"]))
    No probe is named 'recal'. Did you mean 'recall'? Known: needle, recall.
    """

    @classmethod
    def among(cls, kind: str, name: str, known: Iterable[str]) -> "UnknownNameError":
        """Build the error from the names that exist."""
        names = sorted(known)
        near = get_close_matches(name, names, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        return cls(f"No {kind} is named '{name}'.{hint} Known: {', '.join(names) or 'none'}.")

    def __str__(self) -> str:
        return str(self.args[0])


class InsufficientDataError(HardlimitError, ValueError):
    """A number was asked for that the data cannot give."""


class CapabilityError(HardlimitError, TypeError):
    """A model was asked for something that it cannot do."""


class MissingExtraError(HardlimitError, ImportError):
    """An optional part of the installation is missing.

    >>> print(MissingExtraError.for_extra("local", "torch"))
    This needs the package 'torch', which is not installed: pip install 'hardlimit[local]'
    """

    exit_code = 3

    @classmethod
    def for_extra(cls, extra: str, package: str) -> "MissingExtraError":
        """Build the error from the extra that would install the package."""
        return cls(f"This needs the package '{package}', which is not installed: pip install 'hardlimit[{extra}]'")


class ModelError(HardlimitError):
    """A model cannot be reached, loaded, or asked."""

    exit_code = 3


class StoreError(HardlimitError):
    """A store on disk cannot be opened, read or written."""

    exit_code = 3


class BudgetError(HardlimitError, ValueError):
    """A budget cannot be read, or is too small to ask anything."""
