"""One scenario per file. Each has a `SCENARIO`, of which `registry.py` learns by itself."""
