"""Reads pictures of pages: PNG, JPEG and TIFF."""
