"""Context: how long a text a model can really use, and what its attention does as the text grows."""

from hardlimit.audit.context.study import study

__all__ = ["study"]
