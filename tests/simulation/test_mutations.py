"""The simulation finds deliberate faults: each within some histories."""

from __future__ import annotations

import logging

import pytest

from tests.simulation.campaign import play_plan
from tests.simulation.history import plan_of
from tests.simulation.mutations import MUTATIONS, Patch

SEEDS_MAX = 2_500
"""The rarest, parts whose deletion the store refuses, takes some 900; most are found within 30."""


@pytest.mark.slow
@pytest.mark.parametrize(("mutate", "store"), MUTATIONS, ids=[mutate.__name__ for mutate, _ in MUTATIONS])
def test_a_deliberate_fault_is_found(mutate: Patch, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch)
    logging.disable(logging.CRITICAL)
    try:
        assert any(play_plan(plan_of(seed, store=store)).fault for seed in range(SEEDS_MAX)), f"{SEEDS_MAX} histories went well"
    finally:
        logging.disable(logging.NOTSET)
