"""Sources that several statements share, so that each is written once."""

from hardlimit.core import Source


def paper(locator: str | None = None) -> Source:
    """The paper that the claims start from, to the place inside it; read through its published summaries.

    >>> str(paper("Thm 1"))
    'On the Fundamental Limits of LLMs at Scale (2025), Thm 1, arXiv:2511.12869'
    """
    return Source(title="On the Fundamental Limits of LLMs at Scale (2025)", locator=locator, url="arXiv:2511.12869")


def textbook(title: str, locator: str | None = None) -> Source:
    """A textbook fact."""
    return Source(title=title, locator=locator)


def derived(note: str = "proof in the docstring") -> Source:
    """A result that was derived for this package."""
    return Source(title="derived here", locator=note)


COVER_THOMAS = textbook("Cover & Thomas, Elements of Information Theory (2006)", "ch. 2 and 10")
KALAI_2025 = Source(title="Kalai, Nachum, Vempala & Zhang (2025)", url="arXiv:2509.04664")
