"""Writes the pictures of a document beside its rendering: embedded ones for Markdown, which cannot hold them, and drawn pages."""

from __future__ import annotations

from pathlib import Path, PurePath

from ingest.v1 import document_pb2
from ingest_client.cli.output_folder import OutputFolder
from ingest_client.rendering import Format

_EXTENSIONS = {"image/png": ".png", "image/jpeg": ".jpg"}


def write_pictures(document: document_pb2.Document, form: Format, place: PurePath, folder: OutputFolder) -> dict[str, str]:
    """Write the pictures that the rendering itself does not hold: JSON holds all, HTML the embedded ones, text has no place for
    those.

    Args:
        document: as read. Pictures of documents inside are not written.
        form: of the rendering.
        place: of the rendering below the folder, without its extension.
        folder: gives out names, such as `report.pdf-image-1.png` and `report.pdf-page-3.png`.

    Returns:
        File names of the embedded pictures by the id of their element.

    Raises:
        OSError: one cannot be written; those before it are.
    """
    links: dict[str, str] = {}
    if form is Format.JSON:
        return links
    if form is Format.MARKDOWN:
        shown = [each for each in document.elements if each.image.data and each.image.media_type in _EXTENSIONS]
        for number, element in enumerate(shown, 1):
            image = element.image
            # Not named by the element's id: that is a text of the document, which may hold anything.
            links[element.id] = _written(image.data, image.media_type, f"{place.name}-image-{number}", place, folder).name
    for page in document.page_images:
        if page.media_type in _EXTENSIONS:
            _written(page.data, page.media_type, f"{place.name}-page-{page.page}", place, folder)
    return links


def _written(data: bytes, media_type: str, name: str, place: PurePath, folder: OutputFolder) -> Path:
    path, _ = folder.claim(place.with_name(name), _EXTENSIONS[media_type])
    try:
        path.write_bytes(data)
    except OSError:
        folder.release(path)
        raise
    return path
