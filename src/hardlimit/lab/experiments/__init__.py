"""Experiments, one file each: a question, a design, a measurement, and what it says about a claim."""
