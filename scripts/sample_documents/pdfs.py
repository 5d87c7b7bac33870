"""Sample PDFs, drawn by reportlab without times or random ids."""

from __future__ import annotations

from pathlib import Path

from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import simpleSplit
from reportlab.pdfgen.canvas import Canvas

from scripts.sample_documents.manifest import Element, Entry, element, entry
from scripts.sample_documents.prose import WORDS, Prose

WIDTH, HEIGHT = 595.0, 842.0
"""A4, in points."""
MARGIN = 72.0


def new_pdf(path: Path, title: str, author: str, encrypt: StandardEncryption | None = None) -> Canvas:
    """A PDF without times or random ids."""
    canvas = Canvas(str(path), pagesize=(WIDTH, HEIGHT), invariant=1, pageCompression=1, encrypt=encrypt)
    canvas.setTitle(title)
    canvas.setAuthor(author)
    return canvas


def draw_block(canvas: Canvas, text: str, x: float, y: float, width: float, size: float) -> float:
    """Draw text wrapped to a width, from baseline `y` down. Returns the baseline of the line after."""
    font = "Helvetica-Bold" if size > 11 else "Times-Roman"
    canvas.setFont(font, size)
    for line in simpleSplit(text, font, size, width):
        canvas.drawString(x, y, line)
        y -= 1.2 * size
    return y


def make_report(folder: Path) -> Entry:
    """Five pages with a title, headings of two sizes and paragraphs."""
    prose = Prose(1)
    canvas = new_pdf(folder / "report.pdf", "Harbour Report", "Ada Quay; Ben Mole")
    elements: list[Element] = []

    def put(role: str, text: str, y: float, page: int, size: float, level: int = 0) -> float:
        elements.append(element(role, text, page=page, level=level))
        return draw_block(canvas, text, MARGIN, y, WIDTH - 2 * MARGIN, size) - 0.9 * size

    for page in range(1, 6):
        y = HEIGHT - MARGIN
        if page == 1:
            y = put("heading", "Harbour Report", y, page, 24, 1)
        y = put("heading", f"{page} Chapter of the {WORDS[page]}", y, page, 17, 2)
        for section in range(1, 3):
            y = put("heading", f"{page}.{section} Section of the {WORDS[page + 7 * section]}", y, page, 13, 3)
            for _ in range(2):
                y = put("paragraph", prose.paragraph(), y, page, 10)
        canvas.showPage()
    canvas.save()
    return entry(
        "report.pdf", "application/pdf", elements, title="Harbour Report", authors=["Ada Quay", "Ben Mole"], page_count=5
    )


def make_columns(folder: Path, file: str, by_row: bool) -> Entry:
    """Two pages of two columns under a title that spans both; drawn column by column, or row by row."""
    prose = Prose(2)
    canvas = new_pdf(folder / file, "Two Columns", "Cleo Pier")
    elements: list[Element] = []
    width = (WIDTH - 2 * MARGIN - 24) / 2
    for page in (1, 2):
        title = f"A title that spans both of the columns of page {page}"
        draw_block(canvas, title, MARGIN, HEIGHT - MARGIN, WIDTH - 2 * MARGIN, 16)
        elements.append(element("heading", title, page=page, level=1))
        pieces: list[tuple[int, int, str]] = []
        for column in range(2):
            row = 0
            for _ in range(4):
                text = prose.paragraph(3)
                elements.append(element("paragraph", text, page=page))
                for line in simpleSplit(text, "Times-Roman", 10, width):
                    pieces.append((column, row, line))
                    row += 1
                row += 1
        canvas.setFont("Times-Roman", 10)
        for column, row, line in sorted(pieces, key=lambda piece: (piece[1], piece[0])) if by_row else pieces:
            canvas.drawString(MARGIN + column * (width + 24), HEIGHT - MARGIN - 40 - 12 * row, line)
        canvas.showPage()
    canvas.save()
    return entry(file, "application/pdf", elements, title="Two Columns", authors=["Cleo Pier"], page_count=2)


def make_hyphens(folder: Path) -> Entry:
    """Words divided at line ends; one keeps its hyphen, as it stands on the page with it."""
    canvas = new_pdf(folder / "hyphens.pdf", "Hyphens", "Dora Dock")
    lines = (
        "The harbour master wrote that every well-known vessel must leave the inner basin before mid-",
        "night, and that the captains of all other vessels shall wait for a signal from the light-",
        "house; only a well-",
        "known pilot may go against this rule, and Anne-",
        "Marie was the first one who did so in the long winter of that year.",
    )
    canvas.setFont("Times-Roman", 10)
    for index, line in enumerate(lines):
        canvas.drawString(MARGIN, HEIGHT - MARGIN - 12 * index, line)
    canvas.showPage()
    canvas.save()
    words = ["midnight,", "lighthouse;", "well-known", "Anne-Marie"]
    return entry("hyphens.pdf", "application/pdf", [], title="Hyphens", authors=["Dora Dock"], page_count=1, words=words)


def make_rotated(folder: Path) -> Entry:
    """Four pages turned by 0, 90, 180 and 270 degrees. Each shows one upright line, 100 points from the left and with its
    baseline 150 points from the top of the page as it is shown."""
    canvas = new_pdf(folder / "rotated.pdf", "Rotated", "Emil Buoy")
    elements = []
    for page, turn in enumerate((0, 90, 180, 270), 1):
        text = f"Shown upright on a page turned by {turn} degrees"
        canvas.setPageRotation(turn)
        canvas.saveState()
        # Undo what the viewer does: it turns the page clockwise. reportlab exchanges the sides of pages that lie on theirs, so
        # all four are shown upright.
        canvas.translate(*{0: (0, 0), 90: (HEIGHT, 0), 180: (WIDTH, HEIGHT), 270: (0, WIDTH)}[turn])
        canvas.rotate(turn)
        canvas.setFont("Times-Roman", 12)
        canvas.drawString(100, HEIGHT - 150, text)
        canvas.restoreState()
        canvas.showPage()
        elements.append({**element("paragraph", text, page=page), "left": 100.0, "baseline": 150.0, "size": 12.0})
    canvas.save()
    return entry("rotated.pdf", "application/pdf", elements, title="Rotated", authors=["Emil Buoy"], page_count=4)


def make_encrypted(folder: Path, file: str, user_password: str) -> Entry:
    """One page, encrypted. With an empty user password anybody may read it."""
    canvas = new_pdf(folder / file, "Sealed", "Fay Wharf", StandardEncryption(user_password, "owner", strength=128))
    text = "What is written here was sealed."
    draw_block(canvas, text, MARGIN, HEIGHT - MARGIN, 400, 10)
    canvas.showPage()
    canvas.save()
    return entry(
        file,
        "application/pdf",
        [element("paragraph", text, page=1)],
        title="Sealed",
        authors=["Fay Wharf"],
        page_count=1,
        password=user_password,
    )


def make_drawing(folder: Path) -> Entry:
    """A page with a drawing and no text, between two pages of text."""
    canvas = new_pdf(folder / "drawing.pdf", "Drawing", "Gus Crane")
    texts = ["Before the drawing.", "After the drawing."]
    draw_block(canvas, texts[0], MARGIN, 700, 400, 10)
    canvas.showPage()
    canvas.rect(100, 100, 300, 400)
    canvas.showPage()
    draw_block(canvas, texts[1], MARGIN, 700, 400, 10)
    canvas.showPage()
    canvas.save()
    elements = [element("paragraph", texts[0], page=1), element("paragraph", texts[1], page=3)]
    return entry(
        "drawing.pdf", "application/pdf", elements, title="Drawing", authors=["Gus Crane"], page_count=3, pages_without_text=[2]
    )
