"""Recognises text in pictures, by tesseract."""
