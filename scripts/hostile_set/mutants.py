"""Damages files in ways that are the same at every run: bytes, blocks, numbers, and parts within packed files.

A mutant of a compressed file mostly breaks a checksum and goes no further. So parts of ZIP packages are unpacked, damaged and
packed anew, numbers of PDF objects are changed in the text around the streams, and the checksums of PNG chunks are made right
again.
"""

from __future__ import annotations

import io
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator

from scripts.hostile_set.hostile_file import HostileFile
from scripts.hostile_set.material import Sample

Damage = Callable[[bytearray, random.Random], bytes]
"""Damages what it is given and answers the result; may answer it unchanged where there is nothing to damage."""

PART_BYTES_MAX = 8 * 1024 * 1024
"""Larger parts of a package are not unpacked to be damaged."""
EXTREMES = (b"0", b"-1", b"1", b"65535", b"65536", b"2147483647", b"-2147483648", b"4294967295", b"99999999999999999999", b"1e38")
"""Numbers that programs get wrong."""
_NUMBER = re.compile(rb"(?<![\w.#/])\d{1,10}(?![\w.])")
_STREAM = re.compile(rb"stream\r?\n.*?endstream", re.DOTALL)
_PNG = b"\x89PNG\r\n\x1a\n"


def flipped(data: bytearray, chance: random.Random) -> bytes:
    """Some bytes have other values."""
    for _ in range(chance.choice((1, 3, 10, 100))):
        data[chance.randrange(len(data))] = chance.choice((0, 0xFF, 0x7F, 0x80, chance.randrange(256)))
    return bytes(data)


def cut(data: bytearray, chance: random.Random) -> bytes:
    """The end is missing."""
    return bytes(data[: chance.randrange(1, len(data) + 1)])


def inserted(data: bytearray, chance: random.Random) -> bytes:
    """Bytes stand between that do not belong there."""
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.randbytes(chance.choice((1, 16, 512, 8_192)))
    return bytes(data)


def doubled(data: bytearray, chance: random.Random) -> bytes:
    """A block stands there many times."""
    begin, end = _block(data, chance)
    data[end:end] = data[begin:end] * chance.choice((1, 2, 50))
    return bytes(data)


def swapped(data: bytearray, chance: random.Random) -> bytes:
    """Two blocks have changed places."""
    begin, end = _block(data, chance)
    other = chance.randrange(len(data) - (end - begin) + 1)
    size = end - begin
    data[begin:end], data[other : other + size] = data[other : other + size], data[begin:end]
    return bytes(data)


def renumbered(data: bytearray, chance: random.Random) -> bytes:
    """Numbers outside of streams are extreme, or those of their neighbours: sizes, counts, object numbers, offsets."""
    streams = [match.span() for match in _STREAM.finditer(data)]
    places = [match.span() for match in _NUMBER.finditer(data) if not _within(match.start(), streams)]
    if not places:
        return flipped(data, chance)
    for begin, end in sorted(chance.sample(places, min(len(places), chance.choice((1, 3, 10)))), reverse=True):
        neighbour = chance.choice(places)
        data[begin:end] = chance.choice((*EXTREMES, bytes(data[slice(*neighbour)])))
    return bytes(data)


def damaged_part(data: bytearray, chance: random.Random) -> bytes:
    """A part of a ZIP package is damaged, and its checksum is right."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            infos = [info for info in package.infolist() if info.file_size <= PART_BYTES_MAX and not info.is_dir()]
            parts = {info.filename: package.read(info) for info in infos}
    except (zipfile.BadZipFile, zlib.error, RuntimeError, OSError, ValueError):
        return flipped(data, chance)
    chosen = [name for name, part in parts.items() if part and name.endswith((".xml", ".rels", ".bin"))]
    for name in chance.sample(chosen, min(len(chosen), chance.choice((1, 2)))):
        damage = chance.choice((flipped, cut, inserted, doubled, swapped, renumbered))
        parts[name] = damage(bytearray(parts[name]), chance)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
        for name, part in parts.items():
            package.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def damaged_chunk(data: bytearray, chance: random.Random) -> bytes:
    """Bytes within chunks of a PNG are damaged, and the checksums are right."""
    if not data.startswith(_PNG):
        return flipped(data, chance)
    mutant, at = bytearray(_PNG), len(_PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        body = data[at + 4 : at + 8 + length]
        if length and chance.random() < 0.3:
            body[4 + chance.randrange(max(len(body) - 4, 1)) if len(body) > 4 else 0] = chance.randrange(256)
        mutant += struct.pack(">I", length) + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(mutant)


DAMAGES: dict[str, Damage] = {
    "flipped": flipped,
    "renumbered": renumbered,
    "cut": cut,
    "swapped": swapped,
    "doubled": doubled,
    "inserted": inserted,
}
"""What is done to every kind of file, in turn."""
INNER: dict[str, tuple[str, Damage]] = {
    "DOCX": ("part", damaged_part),
    "PPTX": ("part", damaged_part),
    "spreadsheets": ("part", damaged_part),
    "PDF": ("renumbered", renumbered),
    "pictures": ("chunk", damaged_chunk),
}
"""Kind of file → what is done to every other mutant of it."""


def mutants_of(sample: Sample, count: int, seed: int) -> Iterator[HostileFile]:
    """Mutants of a sample.

    Args:
        sample: stays as it is.
        count: how many.
        seed: another one gives other mutants.
    """
    outer = list(DAMAGES.items())
    inner = INNER.get(sample.kind)
    for number in range(count):
        name, damage = inner if inner and number % 2 else outer[(number // 2 if inner else number) % len(outer)]
        identity = f"{sample.identity} {name} {seed}.{number}"

        def make(damage: Damage = damage, identity: str = identity) -> bytes:
            return damage(bytearray(sample.data), random.Random(identity))

        yield HostileFile(identity, f"{sample.kind}: mutants", sample.name, make)


def _block(data: bytearray, chance: random.Random) -> tuple[int, int]:
    size = min(chance.choice((1, 64, 1_024, 16_384)), len(data))
    begin = chance.randrange(len(data) - size + 1)
    return begin, begin + size


def _within(at: int, spans: list[tuple[int, int]]) -> bool:
    return any(begin <= at < end for begin, end in spans)
