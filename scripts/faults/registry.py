"""The scenarios by name: whatever lies in `scenarios/` and has a `SCENARIO`."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from scripts.faults import scenarios
from scripts.faults.scenario import Scenario


def load() -> dict[str, Scenario]:
    """All scenarios, by name. Raises TypeError for a file without one, ValueError for a name that is given twice."""
    found: dict[str, Scenario] = {}
    for module in pkgutil.iter_modules(scenarios.__path__, f"{scenarios.__name__}."):
        scenario = getattr(import_module(module.name), "SCENARIO", None)
        if not isinstance(scenario, Scenario):
            raise TypeError(f"{module.name} has no SCENARIO: each file in scenarios/ has one")
        if scenario.name in found:
            raise ValueError(f"two scenarios are called {scenario.name}: give one of them another name")
        found[scenario.name] = scenario
    return dict(sorted(found.items()))
