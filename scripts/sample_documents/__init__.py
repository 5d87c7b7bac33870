"""Sample documents of every family, for tests and for the demonstration."""
