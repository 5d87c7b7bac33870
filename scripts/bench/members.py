"""Mails and archives a second, in one process, on files it makes.

    python -m scripts.bench.members [--messages 300] [--rounds 5]

A mail has ten lines of header, plain text and HTML of 400 words; the large one an attachment of 20 MB besides. Archives hold text
files of 400 words.
"""

from __future__ import annotations

import argparse
import io
import random
import statistics
import tarfile
import time
import zipfile
from email.message import EmailMessage

from ingest.v1 import document_pb2
from ingest_server.handlers.extract_options import ExtractOptions
from ingest_server.handlers.inputs import MemoryInput
from ingest_server.handlers.reading import read_input
from scripts.bench.office_documents import words
from scripts.bench.pdf_pages import QuietContext


def mail(chance: random.Random, attachment: bytes = b"") -> bytes:
    """A mail as programs write it."""
    made = EmailMessage()
    for number in range(4):
        made["Received"] = f"from a{number}.example.org by b{number}.example.org with ESMTPS; Mon, 1 Jan 2024 10:00:00 +0000"
    made["Subject"], made["Message-ID"] = words(chance, 8), "<1@example.org>"
    made["From"], made["To"] = "Jörg Müller <j@example.org>", "Ünal <u@example.org>, c@example.org"
    made["Date"] = "Mon, 01 Jan 2024 10:00:00 +0200"
    paragraphs = [words(chance, 50) for _ in range(8)]
    made.set_content("\n\n".join(paragraphs))
    made.add_alternative("".join(f"<p>{paragraph}</p>" for paragraph in paragraphs), subtype="html")
    if attachment:
        made.add_attachment(attachment, maintype="text", subtype="plain", filename="large.txt")
    return made.as_bytes()


def zip_archive(chance: random.Random, members: int) -> bytes:
    """A ZIP file of text files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(members):
            archive.writestr(f"{number}.txt", words(chance, 400))
    return file.getvalue()


def tar_archive(chance: random.Random, members: int) -> bytes:
    """A TAR file of text files."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for number in range(members):
            data = words(chance, 400).encode()
            info = tarfile.TarInfo(f"{number}.txt")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def seconds(inputs: list[bytes], expected: int) -> float:
    """Processor time of reading all of them, each at once; `expected` documents must be inside."""
    start = time.process_time()
    inside = 0
    for data in inputs:
        context = QuietContext(MemoryInput(data))
        document = read_input(context.input, ExtractOptions().read_options(0, 0), context)
        if not isinstance(document, bytes):
            raise RuntimeError("a container was divided without being asked")
        inside += len(document_pb2.Document.FromString(document).documents)
    if inside != expected:
        raise RuntimeError(f"{inside} documents were inside, not {expected}")
    return time.process_time() - start


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Mails and archives a second.")
    parser.add_argument("--messages", type=int, default=300, help="mails, and members of the archives")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts")
    options = parser.parse_args()
    chance = random.Random(3)
    count = options.messages
    large = mail(chance, b"\n\n".join(words(chance, 100).encode() for _ in range(max(1, count * 100))))
    cases = (
        ("mails", [mail(chance) for _ in range(count)], 0, count),
        ("members of a ZIP file", [zip_archive(chance, count)], count, count),
        ("members of a TAR file", [tar_archive(chance, count)], count, count),
        ("MB of a mail with a large text attached", [large], 1, len(large) / 1e6),
    )
    for name, inputs, expected, units in cases:
        seconds(inputs[:1], expected if len(inputs) == 1 else 0)  # readers are made at first use
        median = statistics.median(seconds(inputs, expected) for _ in range(options.rounds))
        print(f"{units / median:,.0f} {name} per second of processor time")


if __name__ == "__main__":
    main()
