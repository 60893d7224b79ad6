"""What reasoning in one pass, over steps and over samples can do: REAS-1 to REAS-6."""
