from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TextRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TEXT_ROLE_UNSPECIFIED: _ClassVar[TextRole]
    TEXT_ROLE_PARAGRAPH: _ClassVar[TextRole]
    TEXT_ROLE_HEADING: _ClassVar[TextRole]
    TEXT_ROLE_LIST_ITEM: _ClassVar[TextRole]
    TEXT_ROLE_CODE: _ClassVar[TextRole]
    TEXT_ROLE_QUOTE: _ClassVar[TextRole]
    TEXT_ROLE_NOTE: _ClassVar[TextRole]

class FormFieldKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FORM_FIELD_KIND_UNSPECIFIED: _ClassVar[FormFieldKind]
    FORM_FIELD_KIND_TEXT: _ClassVar[FormFieldKind]
    FORM_FIELD_KIND_CHECKBOX: _ClassVar[FormFieldKind]
    FORM_FIELD_KIND_RADIO_BUTTON: _ClassVar[FormFieldKind]
    FORM_FIELD_KIND_COMBO_BOX: _ClassVar[FormFieldKind]
    FORM_FIELD_KIND_LIST_BOX: _ClassVar[FormFieldKind]
    FORM_FIELD_KIND_PUSH_BUTTON: _ClassVar[FormFieldKind]
    FORM_FIELD_KIND_SIGNATURE: _ClassVar[FormFieldKind]
TEXT_ROLE_UNSPECIFIED: TextRole
TEXT_ROLE_PARAGRAPH: TextRole
TEXT_ROLE_HEADING: TextRole
TEXT_ROLE_LIST_ITEM: TextRole
TEXT_ROLE_CODE: TextRole
TEXT_ROLE_QUOTE: TextRole
TEXT_ROLE_NOTE: TextRole
FORM_FIELD_KIND_UNSPECIFIED: FormFieldKind
FORM_FIELD_KIND_TEXT: FormFieldKind
FORM_FIELD_KIND_CHECKBOX: FormFieldKind
FORM_FIELD_KIND_RADIO_BUTTON: FormFieldKind
FORM_FIELD_KIND_COMBO_BOX: FormFieldKind
FORM_FIELD_KIND_LIST_BOX: FormFieldKind
FORM_FIELD_KIND_PUSH_BUTTON: FormFieldKind
FORM_FIELD_KIND_SIGNATURE: FormFieldKind

class BoundingBox(_message.Message):
    __slots__ = ("left", "top", "right", "bottom")
    LEFT_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    BOTTOM_FIELD_NUMBER: _ClassVar[int]
    left: float
    top: float
    right: float
    bottom: float
    def __init__(self, left: _Optional[float] = ..., top: _Optional[float] = ..., right: _Optional[float] = ..., bottom: _Optional[float] = ...) -> None: ...

class TextElement(_message.Message):
    __slots__ = ("text", "role", "confidence")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    text: str
    role: TextRole
    confidence: float
    def __init__(self, text: _Optional[str] = ..., role: _Optional[_Union[TextRole, str]] = ..., confidence: _Optional[float] = ...) -> None: ...

class TableCell(_message.Message):
    __slots__ = ("row", "column", "row_span", "column_span", "text", "header")
    ROW_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    ROW_SPAN_FIELD_NUMBER: _ClassVar[int]
    COLUMN_SPAN_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    row: int
    column: int
    row_span: int
    column_span: int
    text: str
    header: bool
    def __init__(self, row: _Optional[int] = ..., column: _Optional[int] = ..., row_span: _Optional[int] = ..., column_span: _Optional[int] = ..., text: _Optional[str] = ..., header: bool = ...) -> None: ...

class TableElement(_message.Message):
    __slots__ = ("rows", "columns", "cells", "caption")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    CAPTION_FIELD_NUMBER: _ClassVar[int]
    rows: int
    columns: int
    cells: _containers.RepeatedCompositeFieldContainer[TableCell]
    caption: str
    def __init__(self, rows: _Optional[int] = ..., columns: _Optional[int] = ..., cells: _Optional[_Iterable[_Union[TableCell, _Mapping]]] = ..., caption: _Optional[str] = ...) -> None: ...

class ImageElement(_message.Message):
    __slots__ = ("media_type", "data", "width_pixels", "height_pixels", "alt_text")
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PIXELS_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PIXELS_FIELD_NUMBER: _ClassVar[int]
    ALT_TEXT_FIELD_NUMBER: _ClassVar[int]
    media_type: str
    data: bytes
    width_pixels: int
    height_pixels: int
    alt_text: str
    def __init__(self, media_type: _Optional[str] = ..., data: _Optional[bytes] = ..., width_pixels: _Optional[int] = ..., height_pixels: _Optional[int] = ..., alt_text: _Optional[str] = ...) -> None: ...

class Element(_message.Message):
    __slots__ = ("id", "page", "bounding_box", "heading_level", "text", "table", "image")
    ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    BOUNDING_BOX_FIELD_NUMBER: _ClassVar[int]
    HEADING_LEVEL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    id: str
    page: int
    bounding_box: BoundingBox
    heading_level: int
    text: TextElement
    table: TableElement
    image: ImageElement
    def __init__(self, id: _Optional[str] = ..., page: _Optional[int] = ..., bounding_box: _Optional[_Union[BoundingBox, _Mapping]] = ..., heading_level: _Optional[int] = ..., text: _Optional[_Union[TextElement, _Mapping]] = ..., table: _Optional[_Union[TableElement, _Mapping]] = ..., image: _Optional[_Union[ImageElement, _Mapping]] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("id", "text", "element_ids", "pages", "token_count", "embedding", "headings")
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ELEMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    PAGES_FIELD_NUMBER: _ClassVar[int]
    TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    HEADINGS_FIELD_NUMBER: _ClassVar[int]
    id: str
    text: str
    element_ids: _containers.RepeatedScalarFieldContainer[str]
    pages: _containers.RepeatedScalarFieldContainer[int]
    token_count: int
    embedding: _containers.RepeatedScalarFieldContainer[float]
    headings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., text: _Optional[str] = ..., element_ids: _Optional[_Iterable[str]] = ..., pages: _Optional[_Iterable[int]] = ..., token_count: _Optional[int] = ..., embedding: _Optional[_Iterable[float]] = ..., headings: _Optional[_Iterable[str]] = ...) -> None: ...

class DroppedChunk(_message.Message):
    __slots__ = ("chunk_id", "rule", "kept_chunk_id", "kept_sha256", "similarity")
    CHUNK_ID_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    KEPT_CHUNK_ID_FIELD_NUMBER: _ClassVar[int]
    KEPT_SHA256_FIELD_NUMBER: _ClassVar[int]
    SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    chunk_id: str
    rule: str
    kept_chunk_id: str
    kept_sha256: str
    similarity: float
    def __init__(self, chunk_id: _Optional[str] = ..., rule: _Optional[str] = ..., kept_chunk_id: _Optional[str] = ..., kept_sha256: _Optional[str] = ..., similarity: _Optional[float] = ...) -> None: ...

class DocumentIssue(_message.Message):
    __slots__ = ("page", "reason", "message")
    PAGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    page: int
    reason: str
    message: str
    def __init__(self, page: _Optional[int] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class OutlineItem(_message.Message):
    __slots__ = ("title", "level", "page")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    title: str
    level: int
    page: int
    def __init__(self, title: _Optional[str] = ..., level: _Optional[int] = ..., page: _Optional[int] = ...) -> None: ...

class Link(_message.Message):
    __slots__ = ("page", "bounding_box", "uri", "target_page", "text")
    PAGE_FIELD_NUMBER: _ClassVar[int]
    BOUNDING_BOX_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    TARGET_PAGE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    page: int
    bounding_box: BoundingBox
    uri: str
    target_page: int
    text: str
    def __init__(self, page: _Optional[int] = ..., bounding_box: _Optional[_Union[BoundingBox, _Mapping]] = ..., uri: _Optional[str] = ..., target_page: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class FormField(_message.Message):
    __slots__ = ("name", "kind", "value", "options", "checked", "page", "bounding_box", "label")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    CHECKED_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    BOUNDING_BOX_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: FormFieldKind
    value: str
    options: _containers.RepeatedScalarFieldContainer[str]
    checked: bool
    page: int
    bounding_box: BoundingBox
    label: str
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[FormFieldKind, str]] = ..., value: _Optional[str] = ..., options: _Optional[_Iterable[str]] = ..., checked: bool = ..., page: _Optional[int] = ..., bounding_box: _Optional[_Union[BoundingBox, _Mapping]] = ..., label: _Optional[str] = ...) -> None: ...

class PageImage(_message.Message):
    __slots__ = ("page", "media_type", "data", "width_pixels", "height_pixels")
    PAGE_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PIXELS_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PIXELS_FIELD_NUMBER: _ClassVar[int]
    page: int
    media_type: str
    data: bytes
    width_pixels: int
    height_pixels: int
    def __init__(self, page: _Optional[int] = ..., media_type: _Optional[str] = ..., data: _Optional[bytes] = ..., width_pixels: _Optional[int] = ..., height_pixels: _Optional[int] = ...) -> None: ...

class Document(_message.Message):
    __slots__ = ("title", "authors", "page_count", "language", "media_type", "sha256", "create_time", "elements", "chunks", "issues", "media_type_source", "wrappers", "tokenizer", "name", "documents", "outline", "links", "form_fields", "page_images", "properties", "embedding_model", "embedding_dimensions", "dropped_chunks")
    class PropertiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TITLE_FIELD_NUMBER: _ClassVar[int]
    AUTHORS_FIELD_NUMBER: _ClassVar[int]
    PAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    ISSUES_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_SOURCE_FIELD_NUMBER: _ClassVar[int]
    WRAPPERS_FIELD_NUMBER: _ClassVar[int]
    TOKENIZER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    OUTLINE_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELDS_FIELD_NUMBER: _ClassVar[int]
    PAGE_IMAGES_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_MODEL_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    DROPPED_CHUNKS_FIELD_NUMBER: _ClassVar[int]
    title: str
    authors: _containers.RepeatedScalarFieldContainer[str]
    page_count: int
    language: str
    media_type: str
    sha256: str
    create_time: _timestamp_pb2.Timestamp
    elements: _containers.RepeatedCompositeFieldContainer[Element]
    chunks: _containers.RepeatedCompositeFieldContainer[Chunk]
    issues: _containers.RepeatedCompositeFieldContainer[DocumentIssue]
    media_type_source: str
    wrappers: _containers.RepeatedScalarFieldContainer[str]
    tokenizer: str
    name: str
    documents: _containers.RepeatedCompositeFieldContainer[Document]
    outline: _containers.RepeatedCompositeFieldContainer[OutlineItem]
    links: _containers.RepeatedCompositeFieldContainer[Link]
    form_fields: _containers.RepeatedCompositeFieldContainer[FormField]
    page_images: _containers.RepeatedCompositeFieldContainer[PageImage]
    properties: _containers.ScalarMap[str, str]
    embedding_model: str
    embedding_dimensions: int
    dropped_chunks: _containers.RepeatedCompositeFieldContainer[DroppedChunk]
    def __init__(self, title: _Optional[str] = ..., authors: _Optional[_Iterable[str]] = ..., page_count: _Optional[int] = ..., language: _Optional[str] = ..., media_type: _Optional[str] = ..., sha256: _Optional[str] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., elements: _Optional[_Iterable[_Union[Element, _Mapping]]] = ..., chunks: _Optional[_Iterable[_Union[Chunk, _Mapping]]] = ..., issues: _Optional[_Iterable[_Union[DocumentIssue, _Mapping]]] = ..., media_type_source: _Optional[str] = ..., wrappers: _Optional[_Iterable[str]] = ..., tokenizer: _Optional[str] = ..., name: _Optional[str] = ..., documents: _Optional[_Iterable[_Union[Document, _Mapping]]] = ..., outline: _Optional[_Iterable[_Union[OutlineItem, _Mapping]]] = ..., links: _Optional[_Iterable[_Union[Link, _Mapping]]] = ..., form_fields: _Optional[_Iterable[_Union[FormField, _Mapping]]] = ..., page_images: _Optional[_Iterable[_Union[PageImage, _Mapping]]] = ..., properties: _Optional[_Mapping[str, str]] = ..., embedding_model: _Optional[str] = ..., embedding_dimensions: _Optional[int] = ..., dropped_chunks: _Optional[_Iterable[_Union[DroppedChunk, _Mapping]]] = ...) -> None: ...
