"""A sample PPTX: two slides with titles and items, and the master, layout and theme that a deck must have."""

from __future__ import annotations

from pathlib import Path

from scripts.sample_documents.manifest import Entry, element, entry
from scripts.sample_documents.packages import HEAD, OFFICE, office_parts, pack, relationships

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.presentationml"
THEME_TYPE = "application/vnd.openxmlformats-officedocument.theme+xml"
NAMES = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    f'xmlns:r="{OFFICE}/relationships"'
)
SLIDES = (("Tides", ("Twice a day", "Later every day")), ("Winds", ("From the west in winter", "Seldom from the east")))
GROUP = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
COLOURS = "".join(
    f'<a:{name}><a:srgbClr val="{value}"/></a:{name}>'
    for name, value in (
        ("dk1", "000000"),
        ("lt1", "FFFFFF"),
        ("dk2", "1F3A5F"),
        ("lt2", "EEEEEE"),
        *((f"accent{number}", "3B6EA5") for number in range(1, 7)),
        ("hlink", "0000FF"),
        ("folHlink", "800080"),
    )
)
FILL = '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>'
FONT = '<a:latin typeface="Arial"/><a:ea typeface=""/><a:cs typeface=""/>'
THEME = (
    f'{HEAD}<a:theme xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" name="Plain"><a:themeElements>'
    f'<a:clrScheme name="Plain">{COLOURS}</a:clrScheme>'
    f'<a:fontScheme name="Plain"><a:majorFont>{FONT}</a:majorFont><a:minorFont>{FONT}</a:minorFont></a:fontScheme>'
    f'<a:fmtScheme name="Plain"><a:fillStyleLst>{FILL * 3}</a:fillStyleLst>'
    f"<a:lnStyleLst>{f'<a:ln>{FILL}</a:ln>' * 3}</a:lnStyleLst>"
    f"<a:effectStyleLst>{'<a:effectStyle><a:effectLst/></a:effectStyle>' * 3}</a:effectStyleLst>"
    f"<a:bgFillStyleLst>{FILL * 3}</a:bgFillStyleLst></a:fmtScheme></a:themeElements></a:theme>"
)
COLOUR_MAP = (
    '<p:clrMap bg1="lt1" tx1="dk1" bg2="lt2" tx2="dk2" accent1="accent1" accent2="accent2" accent3="accent3" accent4="accent4" '
    'accent5="accent5" accent6="accent6" hlink="hlink" folHlink="folHlink"/>'
)


def make_slides(folder: Path) -> Entry:
    """A deck about tides and winds."""
    numbers = range(1, len(SLIDES) + 1)
    types = {
        "ppt/slideMasters/slideMaster1.xml": f"{MEDIA_TYPE}.slideMaster+xml",
        "ppt/slideLayouts/slideLayout1.xml": f"{MEDIA_TYPE}.slideLayout+xml",
        "ppt/theme/theme1.xml": THEME_TYPE,
        **{f"ppt/slides/slide{number}.xml": f"{MEDIA_TYPE}.slide+xml" for number in numbers},
    }
    parts = office_parts("ppt/presentation.xml", f"{MEDIA_TYPE}.presentation.main+xml", types, "Tides and Winds", "Cleo Pier")
    listed = "".join(f'<p:sldId id="{255 + number}" r:id="rId{number + 1}"/>' for number in numbers)
    parts["ppt/presentation.xml"] = (
        f'{HEAD}<p:presentation {NAMES}><p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="rId1"/></p:sldMasterIdLst>'
        f'<p:sldIdLst>{listed}</p:sldIdLst><p:sldSz cx="9144000" cy="6858000"/>'
        '<p:notesSz cx="6858000" cy="9144000"/></p:presentation>'
    )
    parts["ppt/_rels/presentation.xml.rels"] = relationships(
        ("slideMaster", "slideMasters/slideMaster1.xml"), *(("slide", f"slides/slide{number}.xml") for number in numbers)
    )
    parts["ppt/theme/theme1.xml"] = THEME
    empty = f"<p:cSld><p:spTree>{GROUP}</p:spTree></p:cSld>"
    layouts = '<p:sldLayoutIdLst><p:sldLayoutId id="2147483649" r:id="rId1"/></p:sldLayoutIdLst>'
    parts["ppt/slideMasters/slideMaster1.xml"] = f"{HEAD}<p:sldMaster {NAMES}>{empty}{COLOUR_MAP}{layouts}</p:sldMaster>"
    parts["ppt/slideMasters/_rels/slideMaster1.xml.rels"] = relationships(
        ("slideLayout", "../slideLayouts/slideLayout1.xml"), ("theme", "../theme/theme1.xml")
    )
    parts["ppt/slideLayouts/slideLayout1.xml"] = f"{HEAD}<p:sldLayout {NAMES}>{empty}</p:sldLayout>"
    parts["ppt/slideLayouts/_rels/slideLayout1.xml.rels"] = relationships(("slideMaster", "../slideMasters/slideMaster1.xml"))
    elements = []
    for number, (title, items) in enumerate(SLIDES, 1):
        parts[f"ppt/slides/slide{number}.xml"] = _slide(title, items)
        parts[f"ppt/slides/_rels/slide{number}.xml.rels"] = relationships(("slideLayout", "../slideLayouts/slideLayout1.xml"))
        elements.append(element("heading", title, page=number, level=1))
        elements += [element("list_item", item, page=number) for item in items]
    pack(folder / "slides.pptx", parts)
    return entry(
        "slides.pptx", f"{MEDIA_TYPE}.presentation", elements, title="Tides and Winds", authors=["Cleo Pier"], page_count=2
    )


def _slide(title: str, items: tuple[str, ...]) -> str:
    bullets = "".join(f'<a:p><a:pPr><a:buChar char="•"/></a:pPr><a:r><a:t>{item}</a:t></a:r></a:p>' for item in items)
    shapes = _shape(2, "title", f"<a:p><a:r><a:t>{title}</a:t></a:r></a:p>", 400_000) + _shape(3, "body", bullets, 1_800_000)
    return f"{HEAD}<p:sld {NAMES}><p:cSld><p:spTree>{GROUP}{shapes}</p:spTree></p:cSld></p:sld>"


def _shape(number: int, kind: str, paragraphs: str, top: int) -> str:
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name="{kind}"/><p:cNvSpPr/><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>'
        f'<p:spPr><a:xfrm><a:off x="600000" y="{top}"/><a:ext cx="8000000" cy="1200000"/></a:xfrm></p:spPr>'
        f"<p:txBody><a:bodyPr/>{paragraphs}</p:txBody></p:sp>"
    )
