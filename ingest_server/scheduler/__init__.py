"""Who runs next, and what follows from how it ended."""
