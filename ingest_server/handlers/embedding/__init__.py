"""Vectors for texts: the built-in lexical model, endpoints that speak OpenAI's API, and models of this machine."""
