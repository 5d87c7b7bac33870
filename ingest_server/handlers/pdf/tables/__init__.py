"""Finds the tables of a page of a PDF: ruled ones by their lines, others by the columns in which their words stand."""
