"""A sample mail with an attachment."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from scripts.sample_documents.manifest import Entry, element, entry

SUBJECT = "Prices of the winter"
BODY = "The price list is attached.\n\nPlease answer before the ice has gone.\n"
ATTACHED = "prices.csv"


def make_mail(folder: Path) -> Entry:
    """A mail, as a mail program saves it; the price list beside it is attached."""
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = SUBJECT
    mail["From"] = "Dora Dock <dora@harbour.example>"
    mail["To"] = "Ben Mole <ben@harbour.example>"
    mail["Date"] = "Fri, 01 Mar 2024 08:30:00 +0100"
    mail["Message-ID"] = "<1@harbour.example>"
    mail.set_content(BODY)
    mail.add_attachment((folder / ATTACHED).read_bytes(), maintype="text", subtype="csv", filename=ATTACHED)
    mail.set_boundary("=-sample-=")
    (folder / "mail.eml").write_bytes(mail.as_bytes())
    return entry(
        "mail.eml",
        "message/rfc822",
        [element("heading", SUBJECT, level=1), *(element("paragraph", text.strip()) for text in BODY.split("\n\n"))],
        title=SUBJECT,
        authors=["Dora Dock"],
        members=[ATTACHED],
    )
