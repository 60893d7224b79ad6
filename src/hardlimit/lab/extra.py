"""Whether the lab can run here."""

from hardlimit.core import MissingExtraError


def require_lab() -> None:
    """Say what is missing where the lab's packages are not installed.

    Raises:
        MissingExtraError: the extra `lab` is not installed.
    """
    try:
        import torch  # noqa: F401  Every module of the lab that measures loads it.
    except ImportError as error:
        raise MissingExtraError.for_extra("lab", "torch") from error
