"""Where figures were measured: the machine, the disk and how long it takes to make a write durable, the versions."""

from __future__ import annotations

import os
import platform
import statistics
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import apsw
import psutil

import ingest_server

FSYNCS = 100
PACKAGES = ("grpcio", "protobuf", "apsw", "uvloop", "pypdfium2", "numpy")


def describe(folder: Path) -> dict[str, Any]:
    """Machine, disk of `folder`, and versions, as JSON can hold them."""
    return {
        "machine": {
            "processor": processor_model(),
            "processors": os.cpu_count(),
            "processors_usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "memory_bytes": psutil.virtual_memory().total,
            "kernel": platform.platform(),
            "load_average_at_start": os.getloadavg()[0],
        },
        "data_dir": {"file_system": file_system(folder), "fsync_us_median": fsync_seconds(folder) * 1e6},
        "versions": {
            "ingest": ingest_server.__version__,
            "python": platform.python_version(),
            "sqlite": apsw.sqlite_lib_version(),
            **{name: metadata.version(name) for name in PACKAGES},
        },
    }


def processor_model() -> str:
    """The name the processor gives itself, or its kind where the system does not tell."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def file_system(folder: Path) -> str:
    """Kind of the file system that holds `folder`, such as ext4; "unknown" where the system does not tell."""
    place = folder.resolve()
    found = ("", "unknown")
    for partition in psutil.disk_partitions(all=True):
        if place.is_relative_to(partition.mountpoint) and len(partition.mountpoint) >= len(found[0]):
            found = (partition.mountpoint, partition.fstype)
    return found[1]


def fsync_seconds(folder: Path) -> float:
    """Median time to append a page of 4 KiB to a file in `folder` and make it durable."""
    path = folder / "fsync"
    taken = []
    with path.open("wb", buffering=0) as file:
        for _ in range(FSYNCS):
            file.write(b"x" * 4096)
            begin = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - begin)
    path.unlink()
    return statistics.median(taken)
