"""How the server starts, refuses to start, is configured, and tells of itself."""

from __future__ import annotations

import asyncio
import re
import signal
import urllib.request
from pathlib import Path

import pytest

from ingest_client import Client, JobSpec, custom, echo
from tests.acceptance.server.conftest import StartServer
from tests.acceptance.server.server_process import ServerProcess, run_to_end


def test_all_faults_of_the_settings_are_told_at_once(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('workers = "many"\nno_such_setting = 1\n')
    ended = run_to_end("--config", str(config), "--lease-seconds", "0", INGEST_DRAIN_SECONDS="long")
    assert ended.status == 2
    for name in ("workers", "no_such_setting", "lease_seconds", "drain_seconds"):
        assert name in ended.err.replace("-", "_").lower(), ended.err
    assert run_to_end("--config", str(tmp_path / "missing.toml")).status == 2
    config.write_text("this is = not = toml")
    broken = run_to_end("--config", str(config))
    assert broken.status == 2
    assert "config.toml" in broken.err


def test_print_config_shows_what_holds_and_no_secret(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('workers = 3\nlisten = "127.0.0.1:1234"\n')
    shown = run_to_end("--config", str(config), "--workers", "5", "--print-config", INGEST_AUTH_TOKEN="a-secret-of-many-letters")
    assert shown.status == 0
    assert re.search(r"^workers = 5$", shown.out, re.M)
    assert re.search(r'^listen = "127.0.0.1:1234"$', shown.out, re.M)
    assert "a-secret" not in shown.out + shown.err


def test_beyond_loopback_only_with_authentication(tmp_path: Path) -> None:
    refused = run_to_end("--listen", "0.0.0.0:0", "--data-dir", str(tmp_path))
    assert refused.status == 2
    assert "authentication is off" in refused.err


@pytest.mark.parametrize(
    ("handlers", "said"),
    [("no.such.module", "no.such.module"), ("{folder}/empty.py", "no handler"), ("{folder}/broken.py", "ZeroDivisionError")],
)
def test_handlers_that_cannot_be_loaded(tmp_path: Path, handlers: str, said: str) -> None:
    (tmp_path / "empty.py").write_text("x = 1\n")
    (tmp_path / "broken.py").write_text("1 / 0\n")
    ended = run_to_end(
        "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"), "--handlers", handlers.format(folder=tmp_path)
    )
    assert ended.status == 1
    assert said in ended.err
    assert "listening" not in ended.out


def test_a_data_folder_serves_one_server(server: ServerProcess) -> None:
    second = run_to_end("--listen", "127.0.0.1:0", "--data-dir", str(server.folder / "data"))
    assert second.status == 1
    assert "another server" in second.err or "in use" in second.err
    assert "Traceback" not in second.err


def test_a_port_serves_one_server(server: ServerProcess, tmp_path: Path) -> None:
    second = run_to_end("--listen", server.address, "--data-dir", str(tmp_path / "data"))
    assert second.status == 1
    assert server.address in second.err


def test_a_taken_port_of_the_metrics_is_named(server: ServerProcess, tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    ended = run_to_end("--listen", "127.0.0.1:0", "--data-dir", data, "--metrics-listen", server.address)
    assert ended.status == 1
    assert f"metrics_listen {server.address}" in ended.err
    assert "Traceback" not in ended.err


def read_page(url: str) -> str:
    """GET."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
        return text


async def test_metrics_show_counts(client: Client, server: ServerProcess) -> None:
    await client.run(JobSpec(b"x", echo()))
    address = re.search(r"metrics on ([0-9.]+:[0-9]+)", server.log)
    assert address is not None
    text = await asyncio.to_thread(read_page, f"http://{address[1]}/metrics")
    samples = {line.partition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if not line.startswith("#")}
    ended = [value for name, value in samples.items() if "jobs" in name and "total" in name and "SUCCEEDED" in name.upper()]
    assert ended, sorted(samples)
    assert max(ended) >= 1


async def test_reload_changes_what_is_live_or_nothing(start_server: StartServer, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("workers = 1\nretry_attempts_max = 1\n")
    server = start_server(variables={"INGEST_CONFIG": str(config)}, workers=0)
    async with Client(server.address) as client:
        failed = await client.run(JobSpec(tasks=custom("flaky", times=1)))
        assert not failed.succeeded
        config.write_text("workers = 3\nretry_attempts_max = 2\nretry_backoff_initial_seconds = 0.01\n")
        server.signal(signal.SIGHUP)
        async with asyncio.timeout(20):
            while not (await client.run(JobSpec(tasks=custom("flaky", times=1)))).succeeded:
                pass
        for count in (3, 2):
            async with asyncio.timeout(20):
                while len((await client.stats()).workers) != count:
                    pass
            config.write_text("workers = 2\nretry_attempts_max = 2\nretry_backoff_initial_seconds = 0.01\n")
            server.signal(signal.SIGHUP)
        config.write_text("retry_attempts_max = 0\n")
        server.signal(signal.SIGHUP)
        async with asyncio.timeout(20):
            while "reload refused" not in server.log:
                await client.info()
        assert (await client.run(JobSpec(tasks=custom("flaky", times=1)))).succeeded


async def test_handlers_by_file_path(start_server: StartServer, tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "my_handlers.py").write_text(
        "from ingest_server.handlers import Context, handler\n\n\n"
        '@handler("shout-back")\ndef shout_back(context: Context) -> str:\n'
        '    """Raise the voice."""\n    return context.input.read().decode().upper()\n'
    )
    server = start_server(handlers=["./my_handlers.py"])
    async with Client(server.address) as client:
        assert await (await client.run(JobSpec(b"hey", custom("shout-back")))).text() == "HEY"
