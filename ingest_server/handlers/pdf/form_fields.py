"""Form fields of pages: the widgets of interactive forms (ISO 32000-1, 12.7), with what they hold.

They need no option: a document without a form, and most have none, tells so in one call, and then no page is asked. pdfium loads
a form when the first widget is asked about: 0.4 s for 8,000 fields, but a minute for 60,000, which cannot be interrupted; such a
file is ended by the attempt's limits.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pypdfium2.raw as raw

from ingest.v1 import document_pb2
from ingest_server.handlers.interface import Context
from ingest_server.handlers.pdf.library import PdfDocument
from ingest_server.handlers.pdf.page_text import PageText
from ingest_server.handlers.pdf.places import bounding_box
from ingest_server.handlers.pdf.strings import Strings, one_line, with_line_feeds

FIELDS_MAX = 5_000
"""Of all pages read at once. Tax forms have some hundreds. pdfium looks a field up among all others by name, so the time grows
with the square: 5,000 out of 20,000 take 8 s."""
PAGE_ANNOTATIONS_MAX = 20_000
"""Of a page whose fields are read or drawn: pdfium makes objects of all its annotations first."""
OPTIONS_MAX = 1_000
"""Of one choice; the rest is left out."""
STRING_BYTES_MAX = 1024 * 1024
"""Of one name or value, in UTF-16; longer ones are left out."""
CHARACTERS_MAX = 8_000_000
"""Of all names, values and options together."""

FORM_FIELDS_TRUNCATED = "FORM_FIELDS_TRUNCATED"

_KINDS = {
    raw.FPDF_FORMFIELD_TEXTFIELD: document_pb2.FORM_FIELD_KIND_TEXT,
    raw.FPDF_FORMFIELD_CHECKBOX: document_pb2.FORM_FIELD_KIND_CHECKBOX,
    raw.FPDF_FORMFIELD_RADIOBUTTON: document_pb2.FORM_FIELD_KIND_RADIO_BUTTON,
    raw.FPDF_FORMFIELD_COMBOBOX: document_pb2.FORM_FIELD_KIND_COMBO_BOX,
    raw.FPDF_FORMFIELD_LISTBOX: document_pb2.FORM_FIELD_KIND_LIST_BOX,
    raw.FPDF_FORMFIELD_PUSHBUTTON: document_pb2.FORM_FIELD_KIND_PUSH_BUTTON,
    raw.FPDF_FORMFIELD_SIGNATURE: document_pb2.FORM_FIELD_KIND_SIGNATURE,
}
_CHOICES = (raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX)
_MARKS = (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON)
_UNITS = ctypes.POINTER(ctypes.c_ushort)
_FORM_INFO_VERSION = 2
"""Of the interface to pdfium without XFA."""


class FormFields:
    """Adds the form fields of one page after the other to a document. Close it before the document.

    Args:
        document: to fill.
        pdf: the open document, which has a form.
        context: of the attempt.
    """

    def __init__(self, document: document_pb2.Document, pdf: PdfDocument, context: Context) -> None:
        self._document = document
        self._context = context
        self._strings = Strings(STRING_BYTES_MAX)
        self._characters_left = CHARACTERS_MAX
        self._cut = ""
        self._ended = False
        # Without callbacks pdfium runs no script and tells nothing. It keeps the address, so this lives as long as the form.
        self._information = raw.FPDF_FORMFILLINFO(version=_FORM_INFO_VERSION)
        self._form = raw.FPDFDOC_InitFormFillEnvironment(pdf.handle, self._information)

    @staticmethod
    def in_document(pdf: PdfDocument) -> bool:
        """Whether a document has a form."""
        return bool(raw.FPDF_GetFormType(pdf.handle) != raw.FORMTYPE_NONE)

    def close(self) -> None:
        """Release it. Closing twice is harmless."""
        if self._form:
            raw.FPDFDOC_ExitFormFillEnvironment(self._form)
        self._form = None

    def add_page(self, page: Any, number: int, text: PageText) -> None:
        """Add the fields shown on a page. What a limit leaves out becomes an issue, one a page.

        Args:
            page: pdfium's open FPDF_PAGE.
            number: from 1.
            text: of the page.

        Raises:
            Cancelled: the attempt was asked to stop.
        """
        if not self._form or self._ended:
            return
        count = raw.FPDFPage_GetAnnotCount(page)
        if count <= 0:
            return
        self._cut = ""
        if count > PAGE_ANNOTATIONS_MAX:
            self._cut = f"it has {count:,} annotations; at most {PAGE_ANNOTATIONS_MAX:,} are looked at"
        else:
            # Which button is checked pdfium only tells of pages that it has been told of.
            raw.FORM_OnAfterLoadPage(page, self._form)
            try:
                self._add_widgets(page, count, number, text)
            finally:
                raw.FORM_OnBeforeClosePage(page, self._form)
        if self._cut:
            message = f"Not all of the page's form fields were read: {self._cut}."
            self._document.issues.add(page=number, reason=FORM_FIELDS_TRUNCATED, message=message)

    def draw(self, bitmap: Any, page: Any, across: int, down: int, flags: int) -> None:
        """Draw the fields of a page over it: pdfium leaves them out when it draws the page.

        Args:
            bitmap: pdfium's FPDF_BITMAP, on which the page is drawn already.
            page: pdfium's open FPDF_PAGE.
            across, down: size of the drawn page in pixels.
            flags: with which it was drawn.
        """
        if not self._form or not 0 < raw.FPDFPage_GetAnnotCount(page) <= PAGE_ANNOTATIONS_MAX:
            return
        raw.FORM_OnAfterLoadPage(page, self._form)
        try:
            raw.FPDF_FFLDraw(self._form, bitmap, page, 0, 0, across, down, 0, flags)
        finally:
            raw.FORM_OnBeforeClosePage(page, self._form)

    def _add_widgets(self, page: Any, count: int, number: int, text: PageText) -> None:
        """Add those among the `count` annotations of a page."""
        for index in range(count):
            annotation = raw.FPDFPage_GetAnnot(page, index)
            if not annotation:
                continue
            try:
                if raw.FPDFAnnot_GetSubtype(annotation) != raw.FPDF_ANNOT_WIDGET:
                    continue
                self._context.check()
                if self._characters_left <= 0 or len(self._document.form_fields) == FIELDS_MAX:
                    self._cut = f"at most {FIELDS_MAX:,} fields of {CHARACTERS_MAX:,} characters in all are read"
                    self._ended = True
                    return
                self._add(annotation, number, text)
            finally:
                raw.FPDFPage_CloseAnnot(annotation)

    def _add(self, annotation: Any, number: int, text: PageText) -> None:
        """Add a widget. One that belongs to no field of the form is left out."""
        form = self._form
        kind = raw.FPDFAnnot_GetFormFieldType(form, annotation)
        if kind not in _KINDS:
            return
        field = self._document.form_fields.add(page=number, kind=_KINDS[kind])
        field.name = one_line(self._string(raw.FPDFAnnot_GetFormFieldName, annotation))
        field.label = one_line(self._string(raw.FPDFAnnot_GetFormFieldAlternateName, annotation))
        if kind in _MARKS:
            field.value = one_line(self._string(raw.FPDFAnnot_GetFormFieldExportValue, annotation))
            field.checked = bool(raw.FPDFAnnot_IsChecked(form, annotation))
        elif kind not in (raw.FPDF_FORMFIELD_PUSHBUTTON, raw.FPDF_FORMFIELD_SIGNATURE):
            field.value = with_line_feeds(self._string(raw.FPDFAnnot_GetFormFieldValue, annotation))
        if kind in _CHOICES:
            self._add_options(field, annotation)
        rectangle = raw.FS_RECTF()
        if raw.FPDFAnnot_GetRect(annotation, rectangle):
            box = bounding_box(text, (rectangle.left, rectangle.bottom, rectangle.right, rectangle.top))
            if box is not None:
                field.bounding_box.CopyFrom(box)

    def _add_options(self, field: document_pb2.FormField, annotation: Any) -> None:
        """Add what can be chosen."""
        count = raw.FPDFAnnot_GetOptionCount(self._form, annotation)
        if count > OPTIONS_MAX:
            self._cut = f"field {field.name!r} has {count:,} options, of which {OPTIONS_MAX:,} are told"
        for index in range(min(count, OPTIONS_MAX)):
            if self._characters_left <= 0:
                return
            field.options.append(one_line(self._string(raw.FPDFAnnot_GetOptionLabel, annotation, index)))

    def _string(self, get: Callable[..., int], annotation: Any, *more: int) -> str:
        """A string of a field, counted; "" if it is too long."""
        found = self._strings.utf16(lambda buffer, size: get(self._form, annotation, *more, ctypes.cast(buffer, _UNITS), size))
        if found is None:
            self._cut = f"a value of more than {STRING_BYTES_MAX // 2:,} characters was left out"
            return ""
        # An empty one costs its place too.
        self._characters_left -= len(found) + 1
        return found
