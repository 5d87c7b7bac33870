"""Every store there is, fresh for each test, under one name: `driver`. After each test the laws of the store are checked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ingest_server.store.interface import JobStore
from ingest_server.store.memory import MemoryStore
from ingest_server.store.sqlite.store import SqliteStore
from tests.contract.store.driver import AGEING, Driver


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> JobStore:
    """A store that is not open yet."""
    if request.param == "memory":
        return MemoryStore(ageing_us=AGEING)
    return SqliteStore(tmp_path, ageing_us=AGEING)


@pytest_asyncio.fixture
async def driver(store: JobStore) -> AsyncIterator[Driver]:
    """An open store in a test's hand."""
    driver = Driver(store)
    await store.open(driver.now)
    yield driver
    await driver.check_laws()
    await store.close()
