"""Signatures and ids of callbacks; and what follows an attempt."""

from __future__ import annotations

import base64

import pytest

from ingest_server.domain.delivery_policy import Answer, DeliveryPolicy, read_status
from ingest_server.domain.webhook import SigningKeys, message_id, parse_message_id, parse_secret, signature

SECOND = 1_000_000


def secret(character: bytes, size: int = 32) -> str:
    return "whsec_" + base64.b64encode(character * size).decode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "begin with whsec_"),
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begin with whsec_"),
        ("whsec_not base64!", "base64"),
        ("whsec_MfKQ9", "base64"),
        ("whsec_ü", "base64"),
        (secret(b"x", 23), "24 … 64 bytes, not 23"),
        (secret(b"x", 65), "24 … 64 bytes, not 65"),
    ],
)
def test_a_bad_secret_is_refused_and_not_shown(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        parse_secret(text)
    assert len(text) < 7 or text[6:] not in str(caught.value)
    with pytest.raises(ValueError):
        SigningKeys([f"acme:{text}"])


def test_a_signature_is_that_of_standard_webhooks() -> None:
    """The published example of the scheme's reference libraries."""
    key = parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_all_secrets_of_a_tenant_sign_and_no_others() -> None:
    old, new, own = secret(b"o"), secret(b"n"), secret(b"t")
    keys = SigningKeys([old, new, f"acme:{own}"])
    assert keys.has_common
    for tenant, secrets in (("acme", [own]), ("other", [old, new])):
        headers = keys.sign(tenant, "msg_1", 12, b"body")
        assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("msg_1", "12")
        wanted = [signature(parse_secret(each), "msg_1", 12, b"body") for each in secrets]
        assert headers["webhook-signature"].split(" ") == wanted
    assert not SigningKeys([f"acme:{own}"]).has_common


@pytest.mark.parametrize("text", ["", "msg_", "msg_1_2", "msg_" + "0" * 32, f"msg_{'0' * 32}_{'f' * 16}", f"msg_{'0' * 32}_1 "])
def test_an_id_that_was_not_made_here_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="delivery_id"):
        parse_message_id(text)


def test_an_id_names_its_delivery() -> None:
    job_id = bytes(range(16))
    assert message_id(job_id, 0x1F) == f"msg_{job_id.hex()}_1f"
    assert parse_message_id(message_id(job_id, (1 << 63) - 1)) == (job_id, (1 << 63) - 1)


@pytest.mark.parametrize(
    ("status", "answer"),
    [(0, Answer.AGAIN), (199, Answer.AGAIN), (200, Answer.DELIVERED), (299, Answer.DELIVERED), (301, Answer.AGAIN),
     (400, Answer.AGAIN), (404, Answer.AGAIN), (410, Answer.GONE), (429, Answer.AGAIN), (500, Answer.AGAIN)],
)  # fmt: skip
def test_a_status_means_what_standard_webhooks_says(status: int, answer: Answer) -> None:
    assert read_status(status) is answer


def test_waits_double_up_to_the_longest() -> None:
    policy = DeliveryPolicy(attempts_max=100, total_us=1_000 * SECOND, backoff_initial_us=SECOND, backoff_max_us=5 * SECOND)
    waits = [policy.next_us(attempts, 0, 0, 0.0, lambda: 0.0) for attempts in (1, 2, 3, 4, 5, 99)]
    assert waits == [SECOND, 2 * SECOND, 4 * SECOND, 5 * SECOND, 5 * SECOND, 5 * SECOND]
    assert policy.next_us(1, 0, 0, 0.0, lambda: 0.999) == pytest.approx(0.8 * SECOND, rel=0.01)


def test_attempts_and_time_are_bounded() -> None:
    policy = DeliveryPolicy(attempts_max=3, total_us=10 * SECOND, backoff_initial_us=SECOND, backoff_max_us=5 * SECOND)
    assert policy.next_us(2, 0, 0, 0.0, lambda: 0.0) == 2 * SECOND
    assert policy.next_us(3, 0, 0, 0.0, lambda: 0.0) is None
    assert policy.next_us(1, 5 * SECOND, 14 * SECOND, 0.0, lambda: 0.0) == 15 * SECOND
    assert policy.next_us(1, 5 * SECOND, 14 * SECOND + 1, 0.0, lambda: 0.0) is None


def test_a_receiver_may_lengthen_the_wait_never_shorten_it() -> None:
    policy = DeliveryPolicy(attempts_max=9, total_us=100 * SECOND, backoff_initial_us=4 * SECOND, backoff_max_us=5 * SECOND)
    assert policy.next_us(1, 0, 0, 30.0, lambda: 0.0) == 30 * SECOND
    assert policy.next_us(1, 0, 0, 1.0, lambda: 0.0) == 4 * SECOND
    assert policy.next_us(1, 0, 0, 1e300, lambda: 0.0) == 100 * SECOND
    assert policy.next_us(1, 0, 1, 1e300, lambda: 0.0) is None
