"""Measure a language model against the fundamental limits of scaling, and learn what will help."""

__version__ = "0.1.0"
