"""The settings of the readers of documents: text recognition, and how much is read of one document."""

from __future__ import annotations

from dataclasses import dataclass

from ingest_server.configuration.declaration import GIB, HOUR_SECONDS, KIB, MIB, setting
from ingest_server.domain.reader_limits import ReaderLimits

_DEFAULT = ReaderLimits()
_BYTES_MOST = 1 << 50


# Without slots: Python lays out the slots of one base class only, and Settings has another.
@dataclass(frozen=True, kw_only=True)
class ReaderFields:
    """What the readers may be told."""

    ocr: bool = setting(
        _DEFAULT.ocr, "Recognise text in pictures and scanned pages, where tesseract is installed. Off: as if it were not."
    )
    ocr_page_seconds_max: float = setting(
        _DEFAULT.ocr_page_seconds_max, "Longest recognition of one page; a full page takes 1 to 10.", least=1, most=HOUR_SECONDS
    )
    read_image_pixels_max: int = setting(
        _DEFAULT.read_image_pixels_max,
        "Pixels of a picture that is decoded. So many in colour take tesseract 1.1 GB of memory.",
        least=1_000_000,
        most=1_000_000_000,
    )
    read_wrappers_max: int = setting(_DEFAULT.read_wrappers_max, "gzip or zstd around each other.", least=0, most=16)
    read_unpacked_bytes_max: int = setting(
        _DEFAULT.read_unpacked_bytes_max, "Size of what gzip or zstd hold, unpacked.", least=MIB, most=_BYTES_MOST
    )
    read_unpacked_ratio_max: int = setting(
        _DEFAULT.read_unpacked_ratio_max,
        "The same as a multiple of what was sent, from 16 MiB on. Logs and sparse scans reach 200, bombs 1,000.",
        least=2,
        most=1_000_000,
    )
    read_members_max: int = setting(
        _DEFAULT.read_members_max, "Members of an archive or mail, at all depths together.", least=1, most=1_000_000
    )
    read_members_depth_max: int = setting(
        _DEFAULT.read_members_depth_max, "Archives and mails in each other: what was sent has depth 1.", least=1, most=32
    )
    read_member_bytes_max: int = setting(
        _DEFAULT.read_member_bytes_max, "Size of one member, unpacked.", least=MIB, most=_BYTES_MOST
    )
    read_members_bytes_max: int = setting(
        _DEFAULT.read_members_bytes_max, "Size of all members at all depths, unpacked.", least=MIB, most=_BYTES_MOST
    )
    read_office_parts_max: int = setting(
        _DEFAULT.read_office_parts_max,
        "Files within a DOCX or PPTX; a deck of 1,000 slides has about 5,000.",
        least=100,
        most=1_000_000,
    )
    read_office_part_bytes_max: int = setting(
        _DEFAULT.read_office_part_bytes_max, "Size of one of these, unpacked; 1,000 pages are 10 MB.", least=MIB, most=64 * GIB
    )
    read_office_bytes_max: int = setting(
        _DEFAULT.read_office_bytes_max, "Size of all of these that are read, unpacked.", least=MIB, most=64 * GIB
    )
    read_office_ratio_max: int = setting(
        _DEFAULT.read_office_ratio_max,
        "Size of one as a multiple of its packed size, from 8 MiB on. Empty tables reach 200, bombs 1,000.",
        least=2,
        most=1_000_000,
    )
    read_table_cells_max: int = setting(
        _DEFAULT.read_table_cells_max,
        "Cells of a spreadsheet or CSV; the rest is left out, and told. Each takes about 60 bytes of memory.",
        least=1_000,
        most=1_000_000_000,
    )
    read_text_bytes_max: int = setting(
        _DEFAULT.read_text_bytes_max, "Size of a CSV or JSON document, which is held whole.", least=64 * KIB, most=2 * GIB
    )
    read_child_memory_bytes_max: int = setting(
        _DEFAULT.read_child_memory_bytes_max,
        "Memory that the process may add which reads a spreadsheet, or a large CSV or JSON document.",
        least=64 * MIB,
        most=_BYTES_MOST,
    )
    read_child_cpu_seconds_max: int = setting(
        _DEFAULT.read_child_cpu_seconds_max, "Processor time of that process, in whole seconds.", least=1, most=86_400
    )
