"""Inputs by reference: fetched by the worker, into a temporary file, when the handler first asks for them."""
