"""Readers of archives: ZIP and TAR."""
