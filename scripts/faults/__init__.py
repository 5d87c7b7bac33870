"""Bad days on purpose: named scenarios of faults, each with the criterion it is held against; run as `scripts/chaos`."""
