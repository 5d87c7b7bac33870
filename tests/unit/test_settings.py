"""Settings: precedence of sources, faults all at once, limits, round trip."""

from __future__ import annotations

import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from ingest_server import __version__
from ingest_server.configuration.declaration import SETTING, SettingsError
from ingest_server.configuration.sources import convert
from ingest_server.settings import Settings, changed_fields
from ingest_server.settings_sources import FIELDS, load_settings, parser_flags, to_toml


def faults_of(arguments: list[str], environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(arguments, environment or {})
    return [str(fault) for fault in caught.value.faults]


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    config = tmp_path / "ingest.toml"
    config.write_text("drain_seconds = 1\nlease_seconds = 60\nsubmit_items_max = 7\n")
    environment = {"INGEST_DRAIN_SECONDS": "2", "INGEST_LEASE_SECONDS": "90", "INGEST_CONFIG": str(config)}
    found = load_settings(["--drain-seconds", "3"], environment)
    assert (found.settings.drain_seconds, found.settings.lease_seconds, found.settings.submit_items_max) == (3.0, 90.0, 7)
    assert found.settings.fetch_items_max == 1_000
    assert found.origins == {
        "drain_seconds": "flag --drain-seconds",
        "lease_seconds": "environment INGEST_LEASE_SECONDS",
        "submit_items_max": f"file {config}",
    }


def test_the_flag_config_wins_over_the_environment(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("workers = 3\n")
    (tmp_path / "b.toml").write_text("workers = 4\n")
    found = load_settings(["--config", str(tmp_path / "a.toml")], {"INGEST_CONFIG": str(tmp_path / "b.toml")})
    assert found.settings.workers == 3


def test_all_faults_of_all_sources_are_told_together(tmp_path: Path) -> None:
    config = tmp_path / "ingest.toml"
    config.write_text('workers = "many"\nno_such_thing = 1\nlease_second = 5\ndrain_seconds = -1\n')
    faults = faults_of(
        ["--store", "oracle", "--qqqq", "3", "stray", "--listen", "nowhere", "--config", str(config)],
        {"INGEST_SUBMIT_ITEMS_MAX": "1.5", "INGEST_INLINE_BYTES_MAX": str(4 * 1024 * 1024)},
    )
    assert faults == [
        "command line: --qqqq is no flag",
        "command line: stray is no flag",
        f"file {config}: no_such_thing = 1 is no setting",
        f"file {config}: lease_second = 5 is no setting; did you mean lease_seconds?",
        "flag --listen: listen = 'nowhere' must be HOST:PORT, [IPv6]:PORT or unix:PATH",
        "flag --store: store = 'oracle' must be one of sqlite, memory",
        f"file {config}: drain_seconds = -1.0 must be at least 0",
        f"file {config}: workers = 'many' must be a whole number",
        "environment INGEST_SUBMIT_ITEMS_MAX: submit_items_max = '1.5' must be a whole number",
        "environment INGEST_INLINE_BYTES_MAX: inline_bytes_max = 4194304 must not exceed response_bytes_max (3,145,728)",
    ]


def test_a_slip_in_the_environment_is_found_and_clients_variables_are_left_alone() -> None:
    assert faults_of([], {"INGEST_WORKRES": "2", "INGEST_SERVER": "x:1", "INGEST_TOKEN": "t", "PATH": "/bin"}) == [
        "environment: INGEST_WORKRES is no setting; did you mean INGEST_WORKERS?"
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [("a = ", "cannot be read"), ("a = '\udcff'".encode("utf-8", "surrogateescape"), "cannot be read"), (None, "No such file")],
    ids=["not TOML", "not UTF-8", "missing"],
)
def test_an_unreadable_file_is_a_fault(tmp_path: Path, text: str | bytes | None, fault: str) -> None:
    config = tmp_path / "ingest.toml"
    if text is not None:
        config.write_bytes(text.encode() if isinstance(text, str) else text)
    found = faults_of(["--config", str(config)])
    assert len(found) == 1
    assert fault in found[0]


@pytest.mark.parametrize("listen", ["0.0.0.0:50051", "[::]:50051", "192.0.2.1:1", "ingest.example:50051"])
def test_beyond_loopback_needs_auth_or_an_explicit_word(listen: str, tmp_path: Path) -> None:
    assert "reachable from other machines" in faults_of(["--listen", listen])[0]
    assert load_settings(["--listen", listen, "--insecure-listen-anywhere"], {}).settings.listen == listen
    assert load_settings(["--listen", listen, "--tokens-file", "tokens.toml"], {}).settings.auth_on
    assert load_settings(["--listen", listen], {"INGEST_AUTH_TOKEN": "0123456789abcdef"}).settings.auth_on


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.9.9.9:1", "[::1]:50051", "localhost:50051", "unix:/tmp/ingest.sock"])
def test_loopback_and_unix_sockets_need_no_auth(listen: str) -> None:
    settings = load_settings(["--listen", listen], {}).settings
    assert settings.listen == listen
    assert not settings.auth_on


@pytest.mark.parametrize(
    "listen", ["", ":1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:1", "unix:", "unix:" + "x" * 108]
)
def test_bad_addresses(listen: str) -> None:
    assert faults_of(["--listen", listen])[0].startswith("flag --listen: listen = ")


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--tls-cert", "c.pem"], "tls_key = '' must be set together with tls_cert"),
        (["--tls-key", "k.pem"], "tls_cert = '' must be set together with tls_key"),
        (["--tls-client-ca", "ca.pem"], "needs tls_cert and tls_key"),
        (["--retry-backoff-initial-seconds", "100"], "must not exceed retry_backoff_max_seconds (60.0)"),
        (["--drain-seconds", "nan"], "must be at least 0"),
        (["--drain-seconds", "inf"], "must be at most 3,600"),
        (["--workers", "1e3"], "must be a whole number"),
        (["--metrics-listen", "unix:/x"], "Prometheus reads no Unix socket"),
        (["--s3-endpoint", "minio:9000"], "s3_endpoint = 'minio:9000' must be http[s]://HOST[:PORT]"),
        (["--embed-endpoints", "own=ftp://h"], "embed_endpoints must have an http or https URL for 'own'"),
        (["--embed-local-models", "small"], "embed_local_models must be NAME=VALUE"),
        (["--embed-model", "own/m"], "embed_model = 'own/m' must be one of hashing-1, not 'own/m'"),
        (["--s3-region", "eu west"], "s3_region = 'eu west' must be a region"),
    ],
)
def test_rules_between_settings_and_odd_numbers(arguments: list[str], wanted: str) -> None:
    found = faults_of(arguments)
    assert any(wanted in fault for fault in found), found


def test_a_secret_is_neither_shown_in_faults_nor_printed_nor_a_flag() -> None:
    secret = "short-secret"
    assert secret not in "".join(faults_of([], {"INGEST_AUTH_TOKEN": secret}))
    assert secret not in "".join(faults_of([], {"INGEST_AUTH_TOKEN": secret + "\0"}))
    settings = Settings(auth_token="long-enough-secret")
    assert "long-enough-secret" not in to_toml(settings)
    assert "auth_token" in to_toml(settings)
    assert "--auth-token" not in parser_flags()


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("sk-secret", "must be NAME=VALUE"),
        ("own=sk-secret,own=sk-secret2", "names 'own' twice"),
        ("other=sk-secret", "has a key for 'other', which embed_endpoints does not name"),
        ("own=sk-secrét", "has a key for 'own' that is not printable ASCII"),
    ],
)
def test_keys_of_endpoints_are_checked_and_never_shown(keys: str, told: str) -> None:
    found = faults_of(["--embed-endpoints", "own=https://h/v1"], {"INGEST_EMBED_KEYS": keys})
    assert len(found) == 1
    assert told in found[0]
    assert "secr" not in found[0]
    settings = Settings(embed_endpoints=("own=https://h/v1",), embed_keys=("own=sk-secret",))
    assert "sk-secret" not in to_toml(settings)
    assert "--embed-keys" not in parser_flags()


def test_printed_settings_give_the_same_settings_again(tmp_path: Path) -> None:
    settings = Settings(
        handlers=("a.b", "c"), data_dir='odd "folder"\\\t\x7f ünï', insecure_listen_anywhere=True, frame_target_seconds=0.0001
    )
    config = tmp_path / "printed.toml"
    config.write_text(to_toml(settings), encoding="utf-8")
    assert load_settings(["--config", str(config)], {}).settings == settings
    assert set(tomllib.loads(config.read_text(encoding="utf-8"))) == set(FIELDS) - {
        "auth_token",
        "callback_secrets",
        "embed_keys",
    }


@pytest.mark.parametrize(
    "source",
    [
        (["--handlers", "a,b", "--handlers", " c "], {}),
        ([], {"INGEST_HANDLERS": "a, b,,c"}),
    ],
)
def test_lists_are_separated_by_commas_or_repeated(source: tuple[list[str], dict[str, str]]) -> None:
    assert load_settings(*source).settings.handlers == ("a", "b", "c")


def test_booleans() -> None:
    name = "INGEST_INSECURE_LISTEN_ANYWHERE"
    assert load_settings([], {name: "Yes"}).settings.insecure_listen_anywhere
    assert not load_settings(["--no-insecure-listen-anywhere"], {name: "true"}).settings.insecure_listen_anywhere
    assert "must be true or false" in faults_of([], {name: "maybe"})[0]


def test_a_file_gives_no_text_for_a_number_and_no_truth_for_one() -> None:
    with pytest.raises(ValueError, match="a whole number"):
        convert(int, True)
    with pytest.raises(ValueError, match="a whole number"):
        convert(int, 1.0)
    with pytest.raises(ValueError, match="text"):
        convert(str, 5)
    assert convert(float, 5) == 5.0


def test_version_and_help_end_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        load_settings(["--version"], {})
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"ingest-server {__version__}\n"
    with pytest.raises(SystemExit):
        load_settings(["--help"], {})
    text = capsys.readouterr().out
    assert all(flag in text for flag in parser_flags())


def test_changed_fields_are_told_apart_by_whether_a_running_server_takes_them_over() -> None:
    present = Settings(workers=2)
    assert changed_fields(present, present) == ((), ())
    wanted = replace(present, workers=4, log_level="debug", listen="127.0.0.1:1")
    assert changed_fields(present, wanted) == (("log_level", "workers"), ("listen",))


def test_every_field_is_documented_and_limited() -> None:
    for item in fields(Settings):
        info = item.metadata[SETTING]
        assert info.doc.endswith("."), item.name
        if FIELDS[item.name].kind in (int, float):
            assert info.least is not None, f"{item.name} has no lower limit"


def test_limits_themselves_are_allowed_and_one_beyond_is_not() -> None:
    for name, declared in FIELDS.items():
        for limit, step in ((declared.info.least, -1), (declared.info.most, 1)):
            if limit is None or declared.kind not in (int, float):
                continue
            beyond = [str(limit + step)]
            found = faults_of([declared.flag + "=" + beyond[0]])
            assert any(f" {name} = " in fault and "must be at" in fault for fault in found), (name, beyond, found)


SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize(
    ("values", "name", "words"),
    [
        ({"callback_hosts": ("hooks.example.com",)}, "callback_secrets", "for all tenants"),
        ({"callback_hosts": ("a.example",), "callback_secrets": (f"acme:{SECRET}",)}, "callback_secrets", "for all tenants"),
        ({"callback_secrets": ("hunter2hunter2",)}, "callback_secrets", "whsec_"),
        ({"callback_secrets": ("whsec_aHVudGVyMg==",)}, "callback_secrets", "24 … 64 bytes"),
        ({"callback_hosts": ("ftp://a.example",), "callback_secrets": (SECRET,)}, "callback_hosts", "ftp://a.example"),
        ({"callback_networks": ("10.0.0.1/8",)}, "callback_networks", "10.0.0.1/8"),
        ({"callback_connect_seconds": 20.0}, "callback_connect_seconds", "callback_attempt_seconds"),
        ({"callback_concurrent_per_host_max": 65}, "callback_concurrent_per_host_max", "callback_concurrent_max"),
        ({"callback_backoff_initial_seconds": 7_200.0}, "callback_backoff_initial_seconds", "callback_backoff_max_seconds"),
    ],
)
def test_settings_of_callbacks_that_do_not_fit_are_named_and_no_secret_is_shown(
    values: dict[str, Any], name: str, words: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(**values)
    (fault,) = caught.value.faults
    assert fault.name == name
    assert words in str(fault)
    assert "hunter2" not in str(caught.value)
    assert "aHVud" not in str(caught.value)


def test_callbacks_need_hosts_and_a_secret() -> None:
    settings = Settings(callback_hosts=("hooks.example.com",), callback_secrets=(SECRET, f"acme:{SECRET}"))
    assert SECRET not in to_toml(settings)


@pytest.mark.parametrize(
    ("values", "name", "words"),
    [
        ({"source_roots": ("in",)}, "source_roots", "absolute path"),
        ({"source_hosts": ("ftp://a.example",)}, "source_hosts", "ftp://a.example"),
        ({"source_networks": ("10.0.0.1/8",)}, "source_networks", "10.0.0.1/8"),
        ({"source_buckets": ("scans",)}, "source_buckets", "s3://BUCKET"),
        ({"source_connect_seconds": 20.0, "source_seconds_max": 10.0}, "source_connect_seconds", "source_seconds_max"),
        ({"source_roots": ("/",)}, "source_roots", "holds data_dir"),
        ({"source_roots": ("/srv",), "data_dir": "/srv/data"}, "source_roots", "/srv/data"),
        ({"source_roots": ("/srv/data",), "data_dir": "/srv/data"}, "source_roots", "holds data_dir"),
        ({"source_roots": ("/etc",), "tokens_file": "/etc/ingest/../tokens.toml"}, "source_roots", "holds tokens_file"),
        ({"source_roots": ("/etc",), "tls_cert": "/etc/cert", "tls_key": "/etc/key"}, "source_roots", "holds tls_key"),
    ],
)
def test_settings_of_sources_that_do_not_fit_are_named(values: dict[str, Any], name: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(**values)
    (fault,) = caught.value.faults
    assert fault.name == name
    assert words in str(fault)


def test_a_root_that_leads_to_the_data_by_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "in").symlink_to("data")
    with pytest.raises(SettingsError, match="holds data_dir"):
        Settings(data_dir=str(tmp_path / "data"), source_roots=(str(tmp_path / "in"),))
    assert Settings(data_dir=str(tmp_path / "data"), source_roots=(str(tmp_path / "input"),)).source_roots
