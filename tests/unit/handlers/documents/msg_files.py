"""Outlook messages for tests: a writer of compound files ([MS-CFB]) and of what lies in them ([MS-OXMSG], [MS-OXRTFCP])."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

Tree: TypeAlias = Mapping[str, "bytes | Tree"]
END, FREE, FAT, DIFAT, NONE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD, 0xFFFFFFFC, 0xFFFFFFFF
CUTOFF = 4096


@dataclass
class Node:
    """An entry of the directory, as far as it is known."""

    name: str
    kind: int
    data: bytes = b""
    left: int = NONE
    right: int = NONE
    child: int = NONE
    start: int = END
    size: int = 0


class Writer:
    """Writes one compound file of sectors of 512 or 4,096 bytes."""

    def __init__(self, shift: int) -> None:
        self.size = 1 << shift
        self.shift = shift
        self.sectors: list[bytes] = []
        self.fat: list[int] = []
        self.nodes: list[Node] = [Node("Root Entry", 5)]

    def chain(self, data: bytes) -> int:
        """Store bytes in sectors that follow each other; number of the first."""
        if not data:
            return END
        first = len(self.sectors)
        count = -(-len(data) // self.size)
        padded = data.ljust(count * self.size, b"\x00")
        self.sectors += [padded[index * self.size : (index + 1) * self.size] for index in range(count)]
        self.fat += [*range(first + 1, first + count), END]
        return first

    def add(self, tree: Tree) -> int:
        """Add what a storage holds; number of the root of its tree of siblings."""
        numbers: list[int] = []
        for name, content in sorted(tree.items(), key=lambda item: (len(item[0]), item[0].upper())):
            numbers.append(len(self.nodes))
            node = Node(name, 2 if isinstance(content, bytes) else 1)
            self.nodes.append(node)
            if isinstance(content, bytes):
                node.data, node.size = content, len(content)
            else:
                node.child = self.add(content)
        return self.balanced(numbers)

    def balanced(self, numbers: Sequence[int]) -> int:
        """A tree of siblings of which the middle one is the root."""
        if not numbers:
            return NONE
        middle = len(numbers) // 2
        node = self.nodes[numbers[middle]]
        node.left, node.right = self.balanced(numbers[:middle]), self.balanced(numbers[middle + 1 :])
        return numbers[middle]

    def file(self, tree: Tree) -> bytes:
        """The whole file."""
        root = self.nodes[0]
        root.child = self.add(tree)
        mini = bytearray()
        mini_fat: list[int] = []
        for node in self.nodes[1:]:
            if node.kind == 2 and node.size >= CUTOFF:
                node.start = self.chain(node.data)
            elif node.size:
                node.start = len(mini_fat)
                count = -(-node.size // 64)
                mini_fat += [*range(node.start + 1, node.start + count), END]
                mini += node.data.ljust(count * 64, b"\x00")
        root.start, root.size = self.chain(bytes(mini)), len(mini)
        mini_start = self.chain(
            struct.pack(f"<{len(mini_fat)}I", *mini_fat).ljust(-(-len(mini_fat) * 4 // self.size) * self.size, b"\xff")
        )
        directory = self.chain(
            b"".join(map(self.entry, self.nodes)).ljust(-(-len(self.nodes) * 128 // self.size) * self.size, b"\x00")
        )
        return self.headed(directory, mini_start)

    def entry(self, node: Node) -> bytes:
        """An entry of the directory."""
        name = node.name.encode("utf-16-le")
        return struct.pack(
            "<64sHBBIII16sIQQIQ",
            name,
            len(name) + 2,
            node.kind,
            1,
            node.left,
            node.right,
            node.child,
            b"",
            0,
            0,
            0,
            node.start,
            node.size,
        )

    def headed(self, directory: int, mini_start: int) -> bytes:
        """The header, all sectors, and the table that links them, which is in sectors itself."""
        per = self.size // 4
        tables = lists = 0
        while tables * per < len(self.fat) + tables + lists:
            tables += 1
            lists = -(-max(0, tables - 109) // (per - 1))
        first = len(self.fat)
        numbers = [*range(first, first + tables)]
        fat = [*self.fat, *[FAT] * tables, *[DIFAT] * lists]
        fat += [FREE] * (tables * per - len(fat))
        extra, body = numbers[109:], b"".join(self.sectors) + struct.pack(f"<{len(fat)}I", *fat)
        for index in range(lists):
            part = extra[index * (per - 1) : (index + 1) * (per - 1)]
            part += [FREE] * (per - 1 - len(part))
            body += struct.pack(f"<{per}I", *part, END if index == lists - 1 else first + tables + index + 1)
        head = struct.pack(
            "<8s16sHHHHH6s9I", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3 if self.shift == 9 else 4, 0xFFFE, self.shift, 6,
            b"", 0, tables, directory, 0, CUTOFF, mini_start, 1, first + tables if lists else END, lists,
        )  # fmt: skip
        listed = [*numbers[:109], *[FREE] * (109 - len(numbers[:109]))]
        return (head + struct.pack("<109I", *listed)).ljust(self.size, b"\x00") + body


def compound_file(tree: Tree, shift: int = 9) -> bytes:
    """A compound file of storages (mappings) and streams (bytes)."""
    return Writer(shift).file(tree)


def properties(header_bytes: int, fixed: Mapping[int, tuple[int, int]] | None = None) -> bytes:
    """A stream of properties of fixed length: number → (type, value)."""
    out = bytes(header_bytes)
    for number, (kind, value) in (fixed or {}).items():
        out += struct.pack("<HHIQ", kind, number, 6, value)
    return out


def texts(values: Mapping[int, str], codec: str = "") -> dict[str, bytes]:
    """Streams of texts: number → text; in eight bits if there is a codec."""
    if codec:
        return {f"__substg1.0_{number:04X}001E": text.encode(codec) for number, text in values.items()}
    return {f"__substg1.0_{number:04X}001F": text.encode("utf-16-le") for number, text in values.items()}


def ticks(when: datetime) -> int:
    """A time as Windows counts it."""
    return int((when - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10_000_000


def recipient(name: str, address: str, kind: int = 1) -> Tree:
    """A recipient: 1 to, 2 cc, 3 bcc."""
    return {"__properties_version1.0": properties(8, {0x0C15: (3, kind)}), **texts({0x3001: name, 0x39FE: address})}


def attachment(name: str, content: bytes | Tree, media_type: str = "") -> Tree:
    """An attachment: bytes, or a message inside."""
    values = {0x3707: name, **({0x370E: media_type} if media_type else {})}
    body: Tree = {"__substg1.0_37010102": content} if isinstance(content, bytes) else {"__substg1.0_3701000D": content}
    method = 1 if isinstance(content, bytes) else 5
    return {"__properties_version1.0": properties(8, {0x3705: (3, method)}), **texts(values), **body}


def message(
    values: Mapping[int, str],
    *,
    recipients: Sequence[Tree] = (),
    attachments: Sequence[Tree] = (),
    fixed: Mapping[int, tuple[int, int]] | None = None,
    streams: Mapping[str, bytes] | None = None,
    codec: str = "",
    embedded: bool = False,
) -> Tree:
    """What a message's storage holds."""
    return {
        "__properties_version1.0": properties(24 if embedded else 32, fixed),
        **texts(values, codec),
        **(streams or {}),
        **{f"__recip_version1.0_#{number:08X}": tree for number, tree in enumerate(recipients)},
        **{f"__attach_version1.0_#{number:08X}": tree for number, tree in enumerate(attachments)},
    }


def compressed(rtf: bytes) -> bytes:
    """Compressed RTF: the longest match in what went before, as far back as the window reaches, without its beginning."""
    out = bytearray()
    place, window = 0, 207
    while place < len(rtf) + 1:
        flags, run = 0, bytearray()
        for bit in range(8):
            if place == len(rtf):
                run += (window % 4096 << 4).to_bytes(2, "big")
                flags |= 1 << bit
                place += 1
                break
            length = found = 0
            for size in range(min(17, len(rtf) - place), 1, -1):
                found = rtf.rfind(rtf[place : place + size], max(0, place - 4000), place)
                if found >= 0:
                    length = size
                    break
            if length:
                run += ((207 + found) % 4096 << 4 | length - 2).to_bytes(2, "big")
                flags |= 1 << bit
            else:
                run.append(rtf[place])
                length = 1
            place, window = place + length, window + length
        out += bytes([flags]) + run
    return struct.pack("<II4sI", len(out) + 12, len(rtf), b"LZFu", 0) + bytes(out)
