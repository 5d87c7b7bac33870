"""An office document as a package: a ZIP file of parts, their types and relationships (ISO/IEC 29500-2), read within limits.

Nothing is unpacked to disk, no part is ever held whole, and what is counted is what the decompressor gives, not what the ZIP
directory claims.
"""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, NamedTuple

from ingest_server.handlers.bounded_reads import BoundedReads
from ingest_server.handlers.office.xml_events import Attributes, End, PartFault, Start, Text, parse
from ingest_server.handlers.operator import reader_limits

DIRECTORY_BYTES_MAX = 4 * 1024 * 1024
"""The directory of a ZIP file, which the library reads at once and makes an object of 600 bytes of every 46 or more: 50 MB."""
RATIO_FREE_BYTES = 8 * 1024 * 1024
"""Unpacked from a part before its ratio is looked at: it harms nobody."""
RELATIONSHIPS_MAX = 50_000
"""Relationships of a part to other parts: more than twice the parts there can be."""

_CHUNK_BYTES = 64 * 1024
_TYPES_PART = "[content_types].xml"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLSB = "application/vnd.ms-excel.sheet.binary.macroenabled.12"

_MAIN_TYPES = {
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml": DOCX,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml": DOCX,
    "application/vnd.ms-word.document.macroenabled.main+xml": DOCX,
    "application/vnd.ms-word.template.macroenabledtemplate.main+xml": DOCX,
    "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml": PPTX,
    "application/vnd.openxmlformats-officedocument.presentationml.slideshow.main+xml": PPTX,
    "application/vnd.openxmlformats-officedocument.presentationml.template.main+xml": PPTX,
    "application/vnd.ms-powerpoint.presentation.macroenabled.main+xml": PPTX,
    "application/vnd.ms-powerpoint.slideshow.macroenabled.main+xml": PPTX,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml": XLSX,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.template.main+xml": XLSX,
    "application/vnd.ms-excel.sheet.macroenabled.main+xml": XLSX,
    "application/vnd.ms-excel.sheet.binary.macroenabled.main": XLSB,
}
"""Type of a main part → media type of the document. Templates, shows and files with macros are read as what they are made of."""


class Relationship(NamedTuple):
    """How one part uses another: `kind` is the last segment of the type ("styles"), the same in both editions of the standard."""

    kind: str
    part: str


class Package:
    """A package, open for reading. Not for two threads.

    Args:
        file: the ZIP file. Stays the caller's to close.
        check: called for every 64 KB read; what it raises comes out of the call under way.

    Raises:
        PartFault: not a ZIP file, or a damaged one, or one beyond the limits.
    """

    def __init__(self, file: BinaryIO, check: Callable[[], None] = lambda: None) -> None:
        self._check = check
        self._read_bytes = 0
        self._limits = reader_limits()
        try:
            self._zip = zipfile.ZipFile(BoundedReads(file, DIRECTORY_BYTES_MAX))
        except (zipfile.BadZipFile, ValueError, OSError, OverflowError, RuntimeError) as error:
            raise PartFault(f"is damaged or cut off: its ZIP directory cannot be read ({error})") from error
        infos = self._zip.infolist()
        if len(infos) > (parts_max := self._limits.read_office_parts_max):
            raise PartFault(f"has {len(infos)} parts; at most {parts_max} are read (read_office_parts_max)")
        # Part names are compared without regard to case (ISO/IEC 29500-2, 6.2.2.3).
        self._infos = {info.filename.lower(): info for info in infos}

    def __contains__(self, part: str) -> bool:
        return part.lower() in self._infos

    def media_type(self) -> tuple[str, str]:
        """Media type of the document and name of its main part, by the types the package declares; "" each if it declares none.

        Raises:
            PartFault: the list of types is there and cannot be read.
        """
        found: list[tuple[str, str]] = []

        def override(attributes: Attributes) -> None:
            media_type = _MAIN_TYPES.get(attributes.get("ContentType", "").strip().lower())
            if media_type and not found:
                found.append((media_type, attributes.get("PartName", "").lstrip("/")))

        if _TYPES_PART in self:
            self.parse(_TYPES_PART, {f"{_TYPES}}}Override": override}, {})
        return found[0] if found else ("", "")

    def relationships(self, part: str) -> dict[str, Relationship]:
        """What a part ("" for the package itself) uses, by id, in the order of the file. Targets outside are left out.

        Raises:
            PartFault: they cannot be read.
        """
        folder, name = posixpath.split(part)
        listing = posixpath.join(folder, "_rels", f"{name}.rels")
        found: dict[str, Relationship] = {}

        def relationship(attributes: Attributes) -> None:
            if attributes.get("TargetMode", "") == "External":
                return
            if len(found) >= RELATIONSHIPS_MAX:
                raise PartFault(f"has more than {RELATIONSHIPS_MAX} relationships")
            target = posixpath.normpath(posixpath.join("/", folder, attributes.get("Target", ""))).lstrip("/")
            found[attributes.get("Id", "")] = Relationship(attributes.get("Type", "").rpartition("/")[2], target)

        if listing in self:
            self.parse(listing, {f"{_RELATIONSHIPS}}}Relationship": relationship}, {})
        return found

    def parse(self, part: str, starts: Mapping[str, Start], ends: Mapping[str, End], text: Text | None = None) -> None:
        """Report the elements of a part; see `xml_events.parse`.

        Raises:
            PartFault: the part is missing, damaged, not XML, or beyond the limits.
        """
        parse(self.chunks(part), starts, ends, text)

    def chunks(self, part: str) -> Iterator[bytes]:
        """The bytes of a part, unpacked, in pieces of 64 KB.

        Raises:
            PartFault: the part is missing, damaged, or beyond the limits.
        """
        info = self._infos.get(part.lower())
        if info is None:
            raise PartFault("is missing")
        if info.flag_bits & 1:
            raise PartFault("is encrypted within its ZIP file, which office documents never are")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise PartFault(f"is packed by method {info.compress_type}; office documents are stored (0) or deflated (8)")
        part_bytes = 0
        try:
            with self._zip.open(info) as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    self._check()
                    part_bytes += len(chunk)
                    self._bound(part_bytes, len(chunk), info.compress_size)
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
            raise PartFault(f"is damaged or cut off ({error})") from error

    def _bound(self, part_bytes: int, chunk_bytes: int, packed_bytes: int) -> None:
        """Count a chunk."""
        self._read_bytes += chunk_bytes
        limits = self._limits
        if part_bytes > limits.read_office_part_bytes_max:
            raise PartFault(f"has more than {limits.read_office_part_bytes_max} bytes unpacked (read_office_part_bytes_max)")
        if self._read_bytes > limits.read_office_bytes_max:
            raise PartFault(
                f"makes the parts read more than {limits.read_office_bytes_max} bytes unpacked (read_office_bytes_max)"
            )
        if part_bytes > RATIO_FREE_BYTES and part_bytes > limits.read_office_ratio_max * packed_bytes:
            raise PartFault(
                f"unpacks to more than {limits.read_office_ratio_max} times its {packed_bytes} bytes: a bomb "
                "(read_office_ratio_max)"
            )
