"""What an operator decides for the readers of documents: whether text in pictures is recognised, and how much is read of one.

The numbers are the defaults of the server's settings, and what holds where there is no server.
"""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderLimits:
    """Each field is the server's setting of the same name.

    Attributes:
        ocr: whether text in pictures is recognised at all.
        ocr_page_seconds_max: how long one page may take; a full page takes one to ten.
        read_image_pixels_max: of one picture that is decoded. A3 at 600 dots per inch has 70 million. So many in colour took
            tesseract 1.1 GB of memory, in grey 0.4.
        read_wrappers_max: gzip or zstd around each other.
        read_unpacked_bytes_max: of what a wrapper holds; four times what a result may have.
        read_unpacked_ratio_max: the same as a multiple of what was sent. Logs and sparse scans reach 100 or 200.
        read_members_max: of an archive or a mail, at all depths together, unreadable ones too.
        read_members_depth_max: containers in containers: what was sent has depth 1.
        read_member_bytes_max: of one member, unpacked.
        read_members_bytes_max: of all members at all depths, unpacked; what is unpacked twice counts twice.
        read_office_parts_max: files within a DOCX or PPTX. A deck of 1,000 slides has about 5,000.
        read_office_part_bytes_max: of one, unpacked. A novel of 1,000 pages has 10 MB.
        read_office_bytes_max: of all that are read, unpacked: half a minute at the most, when all of it is empty tags.
        read_office_ratio_max: unpacked bytes of a part for each packed one. Empty tables reach about 200, a bomb 1,000.
        read_table_cells_max: positions of the sheets of a spreadsheet, or of a CSV.
        read_text_bytes_max: of a CSV or JSON document, which is held whole.
        read_child_memory_bytes_max: that the process may add which reads a spreadsheet, or a large CSV or JSON document.
        read_child_cpu_seconds_max: processor time of that process, whole seconds.
    """

    ocr: bool = True
    ocr_page_seconds_max: float = 300.0
    read_image_pixels_max: int = 100_000_000
    read_wrappers_max: int = 3
    read_unpacked_bytes_max: int = 1024 * MIB
    read_unpacked_ratio_max: int = 300
    read_members_max: int = 10_000
    read_members_depth_max: int = 5
    read_member_bytes_max: int = 512 * MIB
    read_members_bytes_max: int = 1024 * MIB
    read_office_parts_max: int = 20_000
    read_office_part_bytes_max: int = 128 * MIB
    read_office_bytes_max: int = 256 * MIB
    read_office_ratio_max: int = 400
    read_table_cells_max: int = 5_000_000
    read_text_bytes_max: int = 128 * MIB
    read_child_memory_bytes_max: int = 1024 * MIB
    read_child_cpu_seconds_max: int = 120
