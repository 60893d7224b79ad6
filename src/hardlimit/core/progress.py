"""How long work reports what it is doing; the command line draws it, tests ignore it."""

from typing import Protocol

from hardlimit.core.asking import Usage
from hardlimit.core.measurement import Grade


class Progress(Protocol):
    """Receives news of long work."""

    def asking(self, what: str, total: int | None) -> None:
        """A batch of questions begins; `total` is their number where it is known."""

    def answered(self, grade: Grade | None, usage: Usage) -> None:
        """One question of the batch is answered and durable."""

    def settled(self, topic: str, says: str) -> None:
        """Something is decided."""


class Silent:
    """Progress that shows nothing."""

    def asking(self, what: str, total: int | None) -> None:
        """Ignore it."""

    def answered(self, grade: Grade | None, usage: Usage) -> None:
        """Ignore it."""

    def settled(self, topic: str, says: str) -> None:
        """Ignore it."""
