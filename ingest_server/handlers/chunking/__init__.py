"""Cuts the text of a document into chunks: see `handlers.split`, the task."""
