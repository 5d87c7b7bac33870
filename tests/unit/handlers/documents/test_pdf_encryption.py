"""Encrypted PDFs: what does not open them says what is missing; what does gives everything that is in them."""

from __future__ import annotations

import functools
import io

import pytest
from pypdf import PdfReader, PdfWriter

from ingest_server.domain.errors import Code
from ingest_server.handlers.interface import HandlerFailure
from tests.unit.handlers.documents.conftest import Read
from tests.unit.handlers.documents.pdf_structure_files import everything, jpeg

METHODS = ["RC4-40", "RC4-128", "AES-128", "AES-256-R5", "AES-256"]
USER, OWNER = "open sesame", "Geheimnis"


@functools.cache
def encrypted(method: str, user: str = USER, owner: str = OWNER) -> bytes:
    """The PDF of everything, encrypted."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(everything())))
    writer.metadata = {"/Subject": "Secret"}
    writer.encrypt(user, owner, algorithm=method)
    file = io.BytesIO()
    writer.write(file)
    assert b"First page" not in file.getvalue()
    return file.getvalue()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("password", "state"), [("", "missing"), ("Open sesame", "wrong"), ("x" * 500, "wrong")])
def test_what_does_not_open_it_says_so(read: Read, method: str, password: str, state: str) -> None:
    with pytest.raises(HandlerFailure) as caught:
        read(encrypted(method), password=password)
    failure = caught.value
    assert (failure.reason, failure.code, failure.retryable) == ("DOCUMENT_ENCRYPTED", Code.FAILED_PRECONDITION, False)
    assert failure.metadata == {"password": state}
    assert ("--password" in failure.message) == (state == "missing")
    assert not password or password not in failure.message


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("user", "password"), [(USER, USER), (USER, OWNER), ("", ""), ("", OWNER)])
def test_a_right_password_gives_all_that_is_in_it(read: Read, method: str, user: str, password: str) -> None:
    document = read(encrypted(method, user), password=password, images=True, links=True, outline=True)
    assert [each.text.text or each.image.media_type for each in document.elements] == [
        "First page",
        "image/jpeg",
        "Below the picture",
        "Second page",
        "image/png",
    ]
    assert document.elements[1].image.data == jpeg()
    assert [item.title for item in document.outline] == ["One", "Äfter 2", "Away"]
    assert document.links[0].text == "First page"
    assert document.form_fields[0].value == "Ann\nand Bob"
    assert document.properties["subject"] == "Secret"


@pytest.mark.parametrize("method", ["AES-256-R5", "AES-256"])
@pytest.mark.parametrize("password", ["pässwörd", "密码", "пароль", "x" * 127])
def test_passwords_in_any_script(read: Read, method: str, password: str) -> None:
    assert read(encrypted(method, password), password=password).page_count == 2


@pytest.mark.parametrize("method", ["RC4-128", "AES-128"])
def test_older_methods_take_passwords_in_latin_1(read: Read, method: str) -> None:
    assert read(encrypted(method, "pässwörd"), password="pässwörd").page_count == 2


def test_a_password_that_is_not_needed_harms_nothing(read: Read) -> None:
    assert read(everything(), password="anything").page_count == 2
