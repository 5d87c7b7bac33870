"""What a run showed, as JSON and as tables: medians, and ratios of turns of the same round."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.bench.figures import number, spread

FASTEST_LEAST, DURABLE_LEAST = 25.0, 50.0
"""How many times the jobs of the fastest peer, and of the fastest one that syncs, ours must do."""

Row = dict[str, Any]


def row(name: str, turns: Sequence[Row | None], ours: Sequence[Row], *, stubs: Sequence[Row], **more: Any) -> Row:
    """A setup's line of the record.

    Args:
        name: of the setup.
        turns: one per round; None where it was not measured in that round.
        ours: one per round, by our client.
        stubs: one per round, by the generated stubs.
        more: what else there is to say.
    """
    rounds = [(turn, mine, bare) for turn, mine, bare in zip(turns, ours, stubs, strict=True) if turn]
    if not rounds:
        raise ValueError(f"{name} has no turn")
    measured = [turn for turn, _, _ in rounds]
    return {
        "name": name,
        **more,
        "jobs": [turn["jobs"] for turn in measured],
        "jobs_per_second": spread([turn["jobs_per_second"] for turn in measured]),
        "latency_ms": spread([turn["latency_ms"] for turn in measured]),
        "ours_times": spread([mine["jobs_per_second"] / turn["jobs_per_second"] for turn, mine, _ in rounds]),
        "stubs_times": spread([bare["jobs_per_second"] / turn["jobs_per_second"] for turn, _, bare in rounds]),
        "latency_times": spread([turn["latency_ms"] / mine["latency_ms"] for turn, mine, _ in rounds]),
    }


def verdicts(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Ours against the fastest peer of all, and against the fastest one that syncs before it acknowledges."""
    answer = []
    for what, least, those in (
        ("the fastest peer without fsync", FASTEST_LEAST, [each for each in rows if not each["durable"]]),
        ("the fastest peer with fsync", DURABLE_LEAST, [each for each in rows if each["durable"]]),
    ):
        if those:
            best = max(those, key=lambda each: each["jobs_per_second"]["median"])
            times = best["ours_times"]["median"]
            answer.append(
                {
                    "against": what,
                    "peer": best["name"],
                    "times": times,
                    "stubs_times": best["stubs_times"]["median"],
                    "least": least,
                    "met": times >= least,
                }
            )
    return answer


COLUMNS = (
    "queue",
    "setting",
    "durable when acknowledged",
    "jobs/s (min–max)",
    "our client ×, stubs ×, same round",
    "one job, p50",
    "jobs × rounds",
)


def _cells(each: Row) -> tuple[str, ...]:
    name, _, setting = each["name"].partition("/")
    rate = each["jobs_per_second"]
    versions: Mapping[str, str] = each.get("versions", {})
    version = next(iter(versions.values()), "")
    jobs = each["jobs"]
    return (
        f"{name} {version}".strip(),
        setting,
        f"{'yes' if each['durable'] else 'no'}: {each['durability']}",
        f"{number(rate['median'])} ({number(rate['min'])}–{number(rate['max'])})",
        f"{number(each['ours_times']['median'])}, {number(each['stubs_times']['median'])}",
        f"{each['latency_ms']['median']:.1f} ms",
        f"{statistics.median_low(jobs):,} × {len(jobs)}",
    )


def _rows(record: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [_cells(each) for each in (*record["ours"], *record["peers"])]


def text_table(record: Mapping[str, Any]) -> str:
    """Aligned columns for a terminal."""
    rows = [COLUMNS, *_rows(record)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(each, widths, strict=True)).rstrip() for each in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, "", *_said(record)])


def markdown(record: Mapping[str, Any]) -> str:
    """The table of the documentation, with what it was measured on."""
    lines = [f"| {' | '.join(each)} |" for each in (COLUMNS, ("---",) * len(COLUMNS), *_rows(record))]
    return "\n".join([*_described(record), "", *lines, "", *(f"- {line}" for line in _said(record)), ""])


def _described(record: Mapping[str, Any]) -> list[str]:
    machine, disk = record["machine"], record["data_dir"]
    servers = ", ".join(f"{name} {version}" for name, version in record["servers"].items())
    quick = " This was a quick run: its figures show that everything works, little more." if record["quick"] else ""
    return [
        f"Run of {record['begun']}: {machine['processors_usable']} cores of {machine['processor']}, {disk['file_system']}, "
        f"an fsync of {disk['fsync_us_median'] / 1e3:.2f} ms, load average {machine['load_average_at_start']:.1f} when it began; "
        f"Python {record['versions']['python']}{', ' + servers if servers else ''}. "
        f"{record['jobs_max']:,} jobs, fewer where they would have taken more than {record['turn_seconds']:g} s.{quick}"
    ]


def _said(record: Mapping[str, Any]) -> list[str]:
    lines = [
        f"against {each['against']} ({each['peer']}): {number(each['times'])} × by our client, "
        f"{number(each['stubs_times'])} × by stubs, required {number(each['least'])} ×: "
        f"{'met' if each['met'] else 'NOT MET'}"
        for each in record["verdicts"]
    ]
    return [*lines, *(f"{each['name']} was not measured: {each['reason']}" for each in record["skipped"])]
