"""What the paper says and does not hold as said: each statement with a counterexample that runs, or its evidence."""
