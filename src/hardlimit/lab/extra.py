"""Whether the lab can run here."""

from importlib import import_module

from hardlimit.core import MissingExtraError


def require_lab() -> None:
    """Say what is missing where the lab's packages are not installed.

    Raises:
        MissingExtraError: the extra `lab` is not installed.
    """
    for package in ("torch", "entmax"):
        try:
            import_module(package)
        except ImportError as error:
            raise MissingExtraError.for_extra("lab", package) from error
