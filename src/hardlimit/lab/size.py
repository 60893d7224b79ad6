"""One dial for size."""

from hardlimit.core import InvalidValueError
from hardlimit.lab.attention import AnyAttention, Softmax
from hardlimit.lab.transformer import Architecture


def sized(dial: int, vocabulary: int, *, head_width: int = 16, attention: AnyAttention | None = None) -> Architecture:
    """An architecture in which everything grows with one number: `dial` layers, `dial` heads, width dial · head width.

    The weights of the blocks grow as dial³: dials 1 to 8 span 2.7 decades.

    Args:
        dial: >= 1.
        vocabulary: number of tokens.
        head_width: of each head.
        attention: softmax where none is named.

    >>> [sized(dial, 10).body for dial in (1, 2, 8)]
    [3072, 24576, 1572864]
    """
    if dial < 1:
        raise InvalidValueError(f"The dial must be >= 1, got {dial}.")
    return Architecture(
        vocabulary=vocabulary,
        layers=dial,
        width=dial * head_width,
        heads=dial,
        kv_heads=dial,
        attention=Softmax() if attention is None else attention,
    )
