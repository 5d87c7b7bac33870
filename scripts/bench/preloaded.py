"""Handlers for the memory benchmark: an array that is loaded once and read by all workers."""

from __future__ import annotations

import os

import numpy as np

from ingest_server.handlers import Context, handler

SIZE_VARIABLE = "INGEST_BENCH_ARRAY_BYTES"

_arrays: list[np.ndarray] = []


def preload() -> None:
    """Load the array in the zygote, before the workers are forked."""
    _arrays.append(np.arange(int(os.environ[SIZE_VARIABLE]) // 8, dtype=np.int64))


@handler("read-array", preload=preload)
def read_array(context: Context) -> str:
    """Read every page of the array; tell who did."""
    total = int(_arrays[0].sum())
    count = len(_arrays[0])
    if total != count * (count - 1) // 2:
        raise RuntimeError(f"the sum of the array is {total}")
    return str(os.getpid())
