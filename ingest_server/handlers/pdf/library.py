"""pdfium's entry points, started once per process, and the documents it opens.

pypdfium2 carries the library and its ctypes signatures. Two things are done differently here than its helper layer does them:

- Objects are handles and are closed by us. The helper layer's objects, finalizers and argument conversions cost 4 % of the time
  of a page.
- Small calls that are made several times a line (`fast_*`) are declared without argument types and called with ctypes objects
  prepared in advance, which makes a call cost 0.14 instead of 0.6 µs. They hold the interpreter lock, as they return at once.

pdfium is not thread-safe: one thread per process may use it. A process forked after `start` may go on using it, as long as no
document was open at the fork.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pypdfium2  # noqa: F401  # its import starts pdfium and ends it at exit
import pypdfium2.raw as raw

from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.interface import HandlerFailure

Pointer: TypeAlias = Any
"""An address as an argument of the calls declared here: `ctypes.byref(…)` or `pointer(…)`. ctypes passes these on as they are; an
instance of `c_void_p` is converted anew at each call, which makes it cost 0.20 instead of 0.14 µs."""

pointer: Callable[[int], Pointer] = ctypes.c_void_p.from_param


def fast_function(function: Any, result: type | None) -> Callable[..., Any]:
    """The same C function, without the conversions that its declared argument types cost."""
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return ctypes.PYFUNCTYPE(result)(address)


def _long(function: Any, result: type | None) -> Callable[..., Any]:
    """The same for calls that take long: they let go of the interpreter lock."""
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return ctypes.CFUNCTYPE(result)(address)


load_page = _long(raw.FPDF_LoadPage, ctypes.c_void_p)
close_page = _long(raw.FPDF_ClosePage, None)
load_text = _long(raw.FPDFText_LoadPage, ctypes.c_void_p)
close_text = _long(raw.FPDFText_ClosePage, None)
count_objects = _long(raw.FPDFPage_CountObjects, ctypes.c_int)
fast_page_box = fast_function(raw.FPDF_GetPageBoundingBox, None)
fast_rotation = fast_function(raw.FPDFPage_GetRotation, ctypes.c_int)
fast_count_chars = fast_function(raw.FPDFText_CountChars, ctypes.c_int)
fast_get_text = fast_function(raw.FPDFText_GetText, ctypes.c_int)
fast_loose_box = fast_function(raw.FPDFText_GetLooseCharBox, None)
fast_font_size = fast_function(raw.FPDFText_GetFontSize, ctypes.c_double)
fast_char_index = fast_function(raw.FPDFText_GetCharIndexFromTextIndex, ctypes.c_int)
fast_count_rects = fast_function(raw.FPDFText_CountRects, ctypes.c_int)
fast_rect = fast_function(raw.FPDFText_GetRect, None)


class PdfDocument:
    """An open document. Close it, or use it in a `with` statement.

    Attributes:
        handle: pdfium's FPDF_DOCUMENT.
        address: the same, for the calls declared here.
        page_count: pages in the file.
    """

    def __init__(self, handle: Any, data: bytes | None) -> None:
        """Take over an open handle; `data` is what it reads from, if that lies in memory, and is kept alive with it."""
        self.handle = handle
        address = ctypes.cast(handle, ctypes.c_void_p).value
        assert address is not None
        self.address = pointer(address)
        self._data = data
        self.page_count: int = raw.FPDF_GetPageCount(handle)

    def __enter__(self) -> PdfDocument:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Release it. Closing twice is harmless."""
        if self.handle is not None:
            raw.FPDF_CloseDocument(self.handle)
            self.handle = None
            self._data = None


def open_bytes(data: bytes, password: str) -> PdfDocument:
    """Open a document that lies in memory; without a copy.

    Raises:
        HandlerFailure: see `open_path`.
    """
    return _opened(raw.FPDF_LoadMemDocument64(data, len(data), _password(password)), data, password)


def open_path(path: Path, password: str) -> PdfDocument:
    """Open a document that lies in a file. pdfium reads the parts it needs, so the file is never held whole.

    Args:
        path: of the file.
        password: "" tries the empty password.

    Raises:
        HandlerFailure: DOCUMENT_ENCRYPTED or DOCUMENT_MALFORMED.
    """
    return _opened(raw.FPDF_LoadDocument(str(path).encode("utf-8", "surrogateescape"), _password(password)), None, password)


def _password(password: str) -> bytes | None:
    """The password in UTF-8; pdfium itself also tries it in Latin-1, for the older encryption methods."""
    return password.encode("utf-8", "replace") if password else None


def _opened(handle: Any, data: bytes | None, password: str) -> PdfDocument:
    if not handle:
        raise _failure(raw.FPDF_GetLastError(), password)
    document = PdfDocument(handle, data)
    if document.page_count <= 0:
        document.close()
        raise malformed("The PDF holds no pages. It may have been cut off or damaged on its way; send the file anew.")
    return document


def _failure(error: int, password: str) -> HandlerFailure:
    """What pdfium's error number means, in plain words."""
    if error == raw.FPDF_ERR_PASSWORD:
        message = (
            "The PDF is encrypted and the password given does not open it. Check the password; upper and lower case differ."
            if password
            else "The PDF is encrypted and needs a password. Give it in the option password of the extract task; on the command "
            "line: --password."
        )
        return HandlerFailure(
            message,
            reason=Reason.DOCUMENT_ENCRYPTED,
            code=Code.FAILED_PRECONDITION,
            retryable=False,
            metadata={"password": "wrong" if password else "missing"},
        )
    if error == raw.FPDF_ERR_SECURITY:
        return HandlerFailure(
            "The PDF is encrypted by an unsupported method, such as a certificate. Save it without encryption, or with a "
            "password.",
            reason=Reason.DOCUMENT_ENCRYPTED,
            code=Code.FAILED_PRECONDITION,
            retryable=False,
            metadata={"password": "unsupported"},
        )
    what = {
        raw.FPDF_ERR_FILE: "The file could not be opened.",
        raw.FPDF_ERR_FORMAT: "The file is not a PDF, or its structure is damaged beyond repair.",
        raw.FPDF_ERR_PAGE: "The PDF's page tree is damaged.",
    }.get(error, "The PDF could not be read.")
    return malformed(f"{what} (pdfium error {error}.) It may have been cut off on its way; open it in a viewer, or send it anew.")


def malformed(message: str) -> HandlerFailure:
    """The failure of a damaged document."""
    return HandlerFailure(message, reason=Reason.DOCUMENT_MALFORMED, code=Code.INVALID_ARGUMENT, retryable=False)
