"""What retrieval can and cannot do: RETR-1 to RETR-6."""
