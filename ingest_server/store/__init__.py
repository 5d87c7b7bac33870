"""Where jobs, results and events live. `interface.py` is the promise; `registry.py` names those who keep it."""
