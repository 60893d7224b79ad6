"""What models of the lab are trained on: made-up worlds, drawn on the fly, and what is read from a model about them."""
