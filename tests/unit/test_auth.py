"""Authentication: who gets in, who does not, what a bad tokens file says, what never leaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest_server.auth.configured import ConfiguredAuthentication
from ingest_server.auth.credentials import CredentialsError, load_credentials, parse_credentials, token_digest
from ingest_server.auth.interface import PeerCertificate
from ingest_server.auth.mtls import ClientCertificates
from ingest_server.auth.static_tokens import StaticTokens
from ingest_server.domain.caller import OPEN_CALLER, Caller
from ingest_server.domain.errors import Code, Denied, Reason
from ingest_server.domain.tenant import TenantQuota

TOKEN = "a-token-of-enough-length"
ACME = Caller("acme", "importer")
FILE = f"""
[tenants.acme]
live_jobs_max = 5
submit_rate_per_second = 2
weight = 3

[[tokens]]
token = "{TOKEN}"
tenant = "acme"
principal = "importer"

[[tokens]]
sha256 = "{token_digest("another-token-of-length").hex()}"
tenant = "ops"
admin = true

[[certificates]]
name = "batch.acme.example"
tenant = "acme"
principal = "batch"
"""


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def tokens_file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.toml"
    path.write_text(FILE)
    return path


def test_a_known_token_is_its_caller_whatever_the_case_of_the_scheme() -> None:
    tokens = StaticTokens({token_digest(TOKEN): ACME})
    assert tokens.authenticate(bearer(TOKEN), None) == ACME
    assert tokens.authenticate({"authorization": f"bearer  {TOKEN} "}, None) == ACME


@pytest.mark.parametrize(
    ("metadata", "wanted"),
    [
        ({}, "missing"),
        ({"authorization": ""}, "malformed"),
        ({"authorization": "Bearer"}, "malformed"),
        ({"authorization": "Bearer  "}, "malformed"),
        ({"authorization": f"Basic {TOKEN}"}, "malformed"),
        ({"authorization": TOKEN}, "malformed"),
        (bearer(TOKEN + "x"), "unknown"),
        (bearer(TOKEN[:-1]), "unknown"),
        (bearer("\udcff" * 20), "unknown"),
        (bearer("x" * 5_000), "malformed"),
    ],
)
def test_anything_else_is_denied_without_repeating_it(metadata: dict[str, str], wanted: str) -> None:
    with pytest.raises(Denied) as denied:
        StaticTokens({token_digest(TOKEN): ACME}).authenticate(metadata, None)
    assert wanted in denied.value.message
    assert denied.value.code == Code.UNAUTHENTICATED
    assert denied.value.reason == Reason.UNAUTHENTICATED
    assert TOKEN[:-1] not in denied.value.message


def test_withdrawn_tokens_are_denied_from_then_on() -> None:
    tokens = StaticTokens({token_digest(TOKEN): ACME})
    tokens.replace({token_digest("the-next-token-of-length"): ACME})
    with pytest.raises(Denied):
        tokens.authenticate(bearer(TOKEN), None)
    assert tokens.authenticate(bearer("the-next-token-of-length"), None) == ACME


def test_alternative_names_come_before_the_common_name() -> None:
    batch, other = Caller("acme", "batch"), Caller("other", "other")
    certificates = ClientCertificates({"batch.acme.example": batch, "other": other})
    assert certificates.authenticate({}, PeerCertificate("other", ("batch.acme.example",))) == batch
    assert certificates.authenticate({}, PeerCertificate("other", ("unknown",))) == other


@pytest.mark.parametrize("certificate", [None, PeerCertificate(), PeerCertificate("stranger", ("a", "b"))])
def test_no_certificate_and_unknown_names_are_denied(certificate: PeerCertificate | None) -> None:
    with pytest.raises(Denied):
        ClientCertificates({"known": ACME}).authenticate({}, certificate)


def test_without_a_list_every_verified_certificate_with_a_name_is_the_default_tenant() -> None:
    certificates = ClientCertificates({})
    assert certificates.authenticate({}, PeerCertificate("someone")) == Caller("default", "someone", admin=False)
    with pytest.raises(Denied):
        certificates.authenticate({}, PeerCertificate())


def test_a_tokens_file_is_read(tokens_file: Path) -> None:
    credentials = load_credentials(tokens_file)
    assert credentials.tokens == {
        token_digest(TOKEN): ACME,
        token_digest("another-token-of-length"): Caller("ops", "tokens[1]", admin=True),
    }
    assert credentials.certificates == {"batch.acme.example": Caller("acme", "batch")}
    assert credentials.quotas == {"acme": TenantQuota(live_jobs_max=5, submit_rate_per_second=2, weight=3)}


def test_all_faults_of_a_tokens_file_are_told_together_and_no_token_is() -> None:
    table = {
        "tenant": {},
        "tenants": {"acme": {"weight": 0, "speed": 1, "live_jobs_max": True}, "Ünfit": {}},
        "tokens": [
            {"token": "short", "tenant": "acme"},
            {"token": TOKEN, "sha256": "00" * 32, "tenant": "acme"},
            {"sha256": "XYZ", "tenant": "no spaces"},
            {"token": "the-same-token-of-length", "tenant": "a", "admin": 1},
            {"token": "the-same-token-of-length", "tenant": "a", "role": "x"},
        ],
        "certificates": [{"tenant": "a"}, {"name": "n", "tenant": "a"}, {"name": "n", "tenant": "a"}],
    }
    with pytest.raises(CredentialsError) as caught:
        parse_credentials(table, source="tokens.toml")
    text = str(caught.value)
    for wanted in (
        "tenant is unknown; known are tenants, tokens, certificates",
        "tenants.acme.weight must be a whole number of at least 1, not 0",
        "tenants.acme.speed is unknown",
        "tenants.acme.live_jobs_max must be a whole number of at least 0, not True",
        "a name must match",
        "tokens[0].token must be at least 16",
        "tokens[1] must have either token or sha256",
        "tokens[2].sha256 must be 64",
        "tokens[2].tenant must match",
        "tokens[3].admin must be true or false",
        "tokens[4] is the same token as an earlier one",
        "tokens[4].role is unknown",
        "certificates[0].name must be",
        "certificates[2].name 'n' was named before",
    ):
        assert f"tokens.toml: {wanted}" in text or wanted in text, wanted
    assert "short" not in text.replace("shorter", "")
    assert TOKEN not in text
    assert "the-same-token" not in text


@pytest.mark.parametrize(("content", "wanted"), [(None, "cannot be read"), (b"a = [", "not TOML"), (b"a='\xff'", "not TOML")])
def test_an_unreadable_tokens_file(tmp_path: Path, content: bytes | None, wanted: str) -> None:
    path = tmp_path / "tokens.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CredentialsError, match=wanted):
        load_credentials(path)


def test_the_settings_choose_the_authenticator(tokens_file: Path) -> None:
    nobody = ConfiguredAuthentication(tokens_file="", auth_token="", client_certificates=False)
    assert nobody.authenticator.authenticate({}, None) == OPEN_CALLER
    single = ConfiguredAuthentication(tokens_file="", auth_token=TOKEN, client_certificates=False)
    assert single.authenticator.authenticate(bearer(TOKEN), None).admin
    with pytest.raises(Denied):
        single.authenticator.authenticate({}, PeerCertificate("batch.acme.example"))
    both = ConfiguredAuthentication(tokens_file=str(tokens_file), auth_token="", client_certificates=True)
    certificate = PeerCertificate("batch.acme.example")
    assert both.authenticator.authenticate({}, certificate).principal == "batch"
    assert both.authenticator.authenticate(bearer(TOKEN), certificate) == ACME
    with pytest.raises(Denied):
        both.authenticator.authenticate(bearer("wrong-token-of-length"), certificate)
    only = ConfiguredAuthentication(tokens_file="", auth_token="", client_certificates=True)
    with pytest.raises(Denied):
        only.authenticator.authenticate(bearer(TOKEN), None)


def test_reload_takes_a_good_file_over_and_leaves_everything_as_it_was_with_a_bad_one(tokens_file: Path) -> None:
    configured = ConfiguredAuthentication(tokens_file=str(tokens_file), auth_token="", client_certificates=False)
    tokens_file.write_text("broken = [")
    with pytest.raises(CredentialsError):
        configured.reload(auth_token="a-new-single-token")
    assert configured.authenticator.authenticate(bearer(TOKEN), None) == ACME
    with pytest.raises(Denied):
        configured.authenticator.authenticate(bearer("a-new-single-token"), None)
    tokens_file.write_text('[[tokens]]\ntoken = "a-fresh-token-of-length"\ntenant = "acme"\n')
    configured.reload(auth_token="")
    assert configured.authenticator.authenticate(bearer("a-fresh-token-of-length"), None).tenant == "acme"
    with pytest.raises(Denied):
        configured.authenticator.authenticate(bearer(TOKEN), None)
