"""Where attempts run. `interface` says what an engine promises; each folder beside it is one engine."""
