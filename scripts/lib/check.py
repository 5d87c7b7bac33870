"""Runs every check but the tests, side by side, and prints what failed."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from scripts.lib import generate_protos, proto_rules, settings_page

ROOT = generate_protos.ROOT
CHECK_SECONDS_MAX = 600


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a check ended: what it said if it failed, and how long it took."""

    name: str
    passed: bool
    text: str
    seconds: float


def program(name: str, *arguments: str) -> Callable[[], str]:
    """A check that is a program of the environment: passed if it ends with 0."""

    def run() -> str:
        command = [str(Path(sys.executable).parent / name), *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=CHECK_SECONDS_MAX)
        return "" if done.returncode == 0 else (done.stdout + done.stderr).strip() or f"{name} ended with {done.returncode}"

    return run


def protos_fresh() -> str:
    """The committed generated code is what the generator makes."""
    try:
        faults = generate_protos.differences()
    except generate_protos.GeneratorMissing as missing:
        print(f"skipped protos fresh: {missing}", file=sys.stderr)
        return ""
    return "\n".join([*faults, f"Run: {generate_protos.COMMAND}"]) if faults else ""


def protos_lint() -> str:
    """The contract keeps the lint rules."""
    return "\n".join(proto_rules.lint(generate_protos.PROTOS, generate_protos.google_protos()))


def protos_breaking() -> str:
    """The contract breaks no client of the baseline."""
    faults = proto_rules.breaking(generate_protos.PROTOS, generate_protos.google_protos())
    hint = f"If this is meant: {generate_protos.COMMAND} --accept, and tell the users."
    return "\n".join([*faults, hint]) if faults else ""


CHECKS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("types", program("mypy")),  # the longest: begins first
    ("format", program("ruff", "format", "--check", "--quiet", ".")),
    ("lint", program("ruff", "check", "--quiet", ".")),
    ("import rules", program("lint-imports")),
    ("protos fresh", protos_fresh),
    ("protos lint", protos_lint),
    ("protos breaking", protos_breaking),
)


def timed(name: str, check: Callable[[], str]) -> Outcome:
    """Run one check. A check that cannot run has failed."""
    begin = time.monotonic()
    try:
        text = check()
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        text = f"{name} could not run: {error}"
    return Outcome(name, not text, text, time.monotonic() - begin)


def main() -> int:
    """Run as `scripts/check`."""
    parser = argparse.ArgumentParser(prog="check", description=__doc__)
    parser.add_argument(
        "--fix", action="store_true", help="first mend format and lint where a machine can, and write the page of settings"
    )
    if parser.parse_args().fix:
        for arguments in (("check", "--fix", "--quiet", "."), ("format", "--quiet", ".")):
            program("ruff", *arguments)()
        settings_page.main()
    with ThreadPoolExecutor(max_workers=len(CHECKS)) as pool:
        outcomes = list(pool.map(lambda item: timed(*item), CHECKS))
    for outcome in outcomes:
        print(f"{'ok    ' if outcome.passed else 'FAILED'}  {outcome.name:<16}{outcome.seconds:6.1f} s")
    for outcome in outcomes:
        if not outcome.passed:
            print(f"\n--- {outcome.name}\n{outcome.text}")
    return 0 if all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
