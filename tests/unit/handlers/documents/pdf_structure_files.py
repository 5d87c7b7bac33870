"""A PDF with everything that is read beside text: outline, links, a form, pictures, properties."""

from __future__ import annotations

import io

from PIL import Image

from tests.unit.handlers.documents.pdf_files import document, image, placed, stream, words

RED, GREEN, BLUE, WHITE = b"\xff\0\0", b"\0\xff\0", b"\0\0\xff", b"\xff\xff\xff"
JPEG_SIZE = (16, 8)


def jpeg() -> bytes:
    """A JPEG of 16 × 8 pixels."""
    file = io.BytesIO()
    Image.new("RGB", JPEG_SIZE, (200, 100, 50)).save(file, "JPEG")
    return file.getvalue()


def everything(rotation: int = 0) -> bytes:
    """Two pages: text with a link to the other page, a link to the web, a form, a JPEG and four pixels of colour."""
    packed = jpeg()
    rectangle = b"/Rect [50 40 150 60]"
    return document(
        [
            words("First page", 50, 250) + placed("J", 50, 150, 160, 80) + words("Below the picture", 50, 100),
            words("Second page", 50, 250) + placed("P", 50, 100, 100, 100),
        ],
        catalog=b"/Outlines 10 0 R /AcroForm << /Fields [30 0 R 31 0 R 32 0 R 33 0 R 36 0 R] >> /Names << /Dests 15 0 R >>",
        page=b"/Rotate %d /Annots [20 0 R 21 0 R 30 0 R 31 0 R 32 0 R 34 0 R 35 0 R 36 0 R]" % rotation,
        resources=b"/XObject << /J 40 0 R /P 41 0 R >>",
        more={
            10: b"<< /Type /Outlines /First 11 0 R /Last 13 0 R /Count 3 >>",
            11: b"<< /Title (One) /Parent 10 0 R /Next 13 0 R /First 12 0 R /Last 12 0 R /Dest [100 0 R /Fit] >>",
            12: b"<< /Title <FEFF00C4006600740065007200200032> /Parent 11 0 R /A << /S /GoTo /D (second) >> >>",
            13: b"<< /Title (Away) /Parent 10 0 R /A << /S /URI /URI (https://example.org/) >> >>",
            15: b"<< /Names [(second) [102 0 R /XYZ 0 0 0]] >>",
            20: b"<< /Subtype /Link /Rect [48 246 120 262] /Dest (second) >>",
            21: b"<< /Subtype /Link /Rect [48 96 160 112] /A << /S /URI /URI (https://example.org/?a=\\344) >> >>",
            30: b"<< /Subtype /Widget /FT /Tx /T (name) /TU (Your name) /V (Ann\\rand Bob) /Ff 4096 %s >>" % rectangle,
            31: b"<< /Subtype /Widget /FT /Ch /Ff 131072 /T (town) /Opt [(Oslo) [(b) (Bergen)]] /V (Oslo) %s >>" % rectangle,
            32: b"<< /Subtype /Widget /FT /Btn /T (agree) /V /Yes /AS /Yes /AP << /N << /Yes 50 0 R /Off 50 0 R >> >> %s >>"
            % rectangle,
            33: b"<< /FT /Btn /Ff 49152 /T (size) /V /L /Kids [34 0 R 35 0 R] >>",
            34: b"<< /Subtype /Widget /Parent 33 0 R /AS /Off /AP << /N << /S 50 0 R /Off 50 0 R >> >> %s >>" % rectangle,
            35: b"<< /Subtype /Widget /Parent 33 0 R /AS /L /AP << /N << /L 50 0 R /Off 50 0 R >> >> %s >>" % rectangle,
            36: b"<< /Subtype /Widget /FT /Sig /T (signed) %s >>" % rectangle,
            40: stream(
                packed,
                b"/Subtype /Image /Width 16 /Height 8 /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode",
            ),
            41: image(2, 2, RED + GREEN + BLUE + WHITE),
            50: stream(b"", b"/Type /XObject /Subtype /Form /BBox [0 0 100 20]"),
        },
    )
