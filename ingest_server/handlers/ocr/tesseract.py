"""Recognises the text of a page by the program tesseract, where it is installed: one process a page.

A process and not its library: what a hostile picture does to it, it does to itself alone; it can be ended at any time; and its
memory is given back. Starting one takes 0.1 s, recognising a page of text a second or more. The process has the worker's limits
of memory, and one thread: workers are there to use the other processors.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest_server.domain.clock import Clock, SystemClock
from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.interface import Context, HandlerFailure
from ingest_server.handlers.ocr.languages import DEFAULT_LANGUAGE, fault_of, package_of
from ingest_server.handlers.ocr.process import Ended, TooLong, TooMuch, run
from ingest_server.handlers.ocr.words import Recognised, is_page, paragraphs_of
from ingest_server.handlers.operator import reader_limits

PROGRAM = "tesseract"
INSTALL = "apt-get install tesseract-ocr"
_NOT_LANGUAGES = frozenset(("osd", "equ"))
"""Data that finds orientation and formulas, and recognises no text."""


class PageNotRecognised(Exception):
    """This page could not be recognised; the text says why."""


@dataclass(frozen=True, slots=True)
class TesseractLimits:
    """Bounds of one page.

    Attributes:
        page_seconds_max: how long it may take; a full page takes one to ten.
        output_bytes_max: of words and boxes: a hundred bytes a word, and a page of small print has 5,000.
        list_seconds_max: how long the list of languages may take.
    """

    page_seconds_max: float = 300.0
    output_bytes_max: int = 32 * 1024 * 1024
    list_seconds_max: float = 30.0


class Tesseract:
    """The program, found on the PATH when it is needed: it may be installed while the server runs.

    Args:
        program: its name or path.
        limits: None for those that the operator has set.
        clock: measures the limits of time.
    """

    def __init__(self, program: str = PROGRAM, limits: TesseractLimits | None = None, clock: Clock | None = None) -> None:
        self._program = program
        self._limits = limits
        self._clock = clock or SystemClock()

    def languages(self, wanted: Sequence[str], media_type: str, context: Context) -> str:
        """Languages to recognise, as `page` takes them.

        Args:
            wanted: names; empty: English if it is installed, else the first that is.
            media_type: of the document, for the failure.
            context: of the attempt.

        Raises:
            HandlerFailure: MEDIA_TYPE_NOT_SUPPORTED (tesseract or a language is not installed, with the command that installs
                it, or the operator has switched recognition off) or INVALID_OPTIONS; none retryable. ATTEMPT_TIMEOUT.
            Cancelled: the attempt was asked to stop.
        """
        if fault := fault_of(wanted):
            raise HandlerFailure(
                f"ocr_languages {fault}.", reason=Reason.INVALID_OPTIONS, code=Code.INVALID_ARGUMENT, retryable=False
            )
        if not reader_limits().ocr:
            raise _switched_off(media_type)
        try:
            listed = self._run(["--list-langs"], context, self._present_limits().list_seconds_max)
        except PageNotRecognised as error:
            raise _not_installed(f"tesseract does not answer: {error}", media_type, INSTALL) from error
        except OSError as error:
            raise _not_installed("the program tesseract is not installed on the server", media_type, INSTALL) from error
        # The first line is a title. Some versions print the list to stderr.
        lines = (listed.stdout or listed.stderr).decode("utf-8", "replace").split("\n")[1:]
        installed = [name for line in lines if (name := line.strip()) and name not in _NOT_LANGUAGES]
        if not installed:
            raise _not_installed("tesseract has no language installed", media_type, f"apt-get install {package_of('eng')}")
        missing = [name for name in wanted if name not in installed]
        if missing:
            command = "apt-get install " + " ".join(map(package_of, missing))
            names = ", ".join(installed[:100])
            raise _not_installed(f"tesseract has no language {', '.join(missing)} (it has {names})", media_type, command)
        return "+".join(wanted) or (DEFAULT_LANGUAGE if DEFAULT_LANGUAGE in installed else installed[0])

    def page(
        self, picture: Path, languages: str, context: Context, *, index: int | None = None, dots_per_inch: int = 0
    ) -> list[Recognised]:
        """Recognise one page.

        Args:
            picture: a file that begins with the signature of PNG, JPEG, TIFF or PNM. What begins otherwise tesseract may take
                for a list of other files to read, so the caller MUST have looked.
            languages: from `languages`.
            context: of the attempt.
            index: page of a TIFF, from 0; None for formats that hold one.
            dots_per_inch: 0: as the file says.

        Returns:
            Paragraphs in reading order; boxes in pixels.

        Raises:
            PageNotRecognised: damaged, or beyond a limit.
            HandlerFailure: ATTEMPT_TIMEOUT, retryable; MEDIA_TYPE_NOT_SUPPORTED if tesseract has gone.
            Cancelled: the attempt was asked to stop.
        """
        arguments = [str(picture.absolute()), "stdout", "-l", languages]
        if dots_per_inch:
            arguments += ["--dpi", str(dots_per_inch)]
        if index is not None:
            arguments += ["-c", f"tessedit_page_number={index}"]
        try:
            ended = self._run([*arguments, "tsv"], context, self._present_limits().page_seconds_max)
        except OSError as error:
            raise _not_installed(f"tesseract could not be started: {error.strerror}", "", INSTALL) from error
        if ended.status:
            how = f"signal {-ended.status}" if ended.status < 0 else f"status {ended.status}"
            raise PageNotRecognised(f"tesseract ended with {how}: {_complaint(ended)}")
        words = ended.stdout.decode("utf-8", "replace")
        if not is_page(words):
            # Of a TIFF that is cut off it says so, and ends as if all were well.
            raise PageNotRecognised(f"tesseract read no page: {_complaint(ended)}")
        return paragraphs_of(words)

    def _present_limits(self) -> TesseractLimits:
        return self._limits or TesseractLimits(page_seconds_max=reader_limits().ocr_page_seconds_max)

    def _run(self, arguments: list[str], context: Context, seconds_max: float) -> Ended:
        program = shutil.which(self._program)
        if program is None:
            raise FileNotFoundError(2, "not found", self._program)
        environment = {"LC_ALL": "C", "OMP_THREAD_LIMIT": "1", "PATH": os.environ.get("PATH", os.defpath)}
        if data := os.environ.get("TESSDATA_PREFIX"):
            environment["TESSDATA_PREFIX"] = data
        try:
            return run(
                [program, *arguments],
                environment,
                context,
                self._clock,
                seconds_max=seconds_max,
                output_bytes_max=self._present_limits().output_bytes_max,
            )
        except TooLong:
            raise PageNotRecognised(f"tesseract did not end within {seconds_max:g} seconds") from None
        except TooMuch as error:
            raise PageNotRecognised(f"tesseract {error}") from None


def _complaint(ended: Ended) -> str:
    """The first line of what it said, which tells the cause; those behind it tell consequences."""
    lines = [line.strip() for line in ended.stderr.decode("utf-8", "replace").split("\n")]
    return next((line[:200] for line in lines if line), "it did not say why")


def _switched_off(media_type: str) -> HandlerFailure:
    return HandlerFailure(
        "Text in pictures is not recognised: the operator of the server has switched it off (setting ocr). With ocr OFF in "
        "the task a picture becomes an element without text.",
        reason=Reason.MEDIA_TYPE_NOT_SUPPORTED,
        code=Code.UNIMPLEMENTED,
        retryable=False,
        metadata={"media_type": media_type, "setting": "ocr"},
    )


def _not_installed(what: str, media_type: str, command: str) -> HandlerFailure:
    return HandlerFailure(
        f"Text in pictures cannot be recognised: {what}. Install it there: {command}",
        reason=Reason.MEDIA_TYPE_NOT_SUPPORTED,
        code=Code.UNIMPLEMENTED,
        retryable=False,
        metadata={"media_type": media_type, "install": command},
    )
