"""What a round showed, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.hostile_set.assault import Round
from scripts.hostile_set.verdict import UNFORESEEN, Limits, Row

MIB = 1024 * 1024
SHOWN_MAX = 40
"""Lines of one kind on the screen; all are in the JSON."""


def table(rows: list[Row]) -> Table:
    """One line a group, and their sum."""
    shown = Table(title="", box=None, header_style="bold", pad_edge=False)
    shown.add_column("group")
    for title in ("files", "read", "crashes", "slowest", "peak", "witnesses"):
        shown.add_column(title, justify="right")
    shown.add_column("failed, by reason")
    for row in [*rows, _sum(rows)]:
        failed = ", ".join(f"{reason} {count}" for reason, count in sorted(row.failed.items(), key=lambda pair: -pair[1]))
        shown.add_row(
            row.group,
            str(row.files),
            str(row.succeeded),
            str(row.crashes),
            f"{row.slowest_seconds:.1f} s",
            f"{row.peak_bytes / MIB:.0f} MiB",
            str(row.witnesses),
            failed,
        )
    return shown


def show(found: Round, limits: Limits, console: Console) -> None:
    """Print table and verdict."""
    console.print(table(found.rows))
    crashed = [identity for row in found.rows for identity in row.crashed]
    unforeseen = [line for row in found.rows for line in row.unforeseen]
    _lines(console, f"{len(crashed)} files made a worker crash", crashed)
    _lines(console, f"{len(unforeseen)} files ended in an exception that no reader expected", unforeseen)
    _lines(console, f"{len(found.all_faults)} faults", found.all_faults)
    console.print(
        f"\nLimits: {limits.attempt_timeout_seconds:g} s and {limits.attempt_memory_bytes_max / MIB:g} MiB an attempt, "
        f"results of {limits.result_bytes_max / MIB:g} MiB. Crashes of workers as the server counts them: {found.crashes}."
    )


def verdict(found: Round, *, strict: bool) -> bool:
    """Whether all was as promised; strictly, an exception that no reader expected is a fault too."""
    return not found.all_faults and not (strict and any(UNFORESEEN in row.failed for row in found.rows))


def write(path: Path, found: Round, about: dict[str, Any]) -> None:
    """Write all of it as JSON."""
    told = {**about, "crashes": found.crashes, "faults": found.faults, "groups": [row.as_json() for row in found.rows]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _lines(console: Console, title: str, lines: list[str]) -> None:
    if lines:
        console.print(f"\n[bold]{title}[/bold]")
        for line in lines[:SHOWN_MAX]:
            console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
        if len(lines) > SHOWN_MAX:
            console.print(f"  … and {len(lines) - SHOWN_MAX} more")


def _sum(rows: list[Row]) -> Row:
    """All groups together."""
    total = Row("all")
    for row in rows:
        total.files += row.files
        total.succeeded += row.succeeded
        total.crashes += row.crashes
        total.witnesses += row.witnesses
        total.seconds += row.seconds
        total.peak_bytes = max(total.peak_bytes, row.peak_bytes)
        total.slowest_seconds = max(total.slowest_seconds, row.slowest_seconds)
        for reason, count in row.failed.items():
            total.failed[reason] = total.failed.get(reason, 0) + count
    return total
