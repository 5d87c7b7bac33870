from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class JobState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_STATE_UNSPECIFIED: _ClassVar[JobState]
    JOB_STATE_SCHEDULED: _ClassVar[JobState]
    JOB_STATE_QUEUED: _ClassVar[JobState]
    JOB_STATE_RUNNING: _ClassVar[JobState]
    JOB_STATE_CANCELLING: _ClassVar[JobState]
    JOB_STATE_SUCCEEDED: _ClassVar[JobState]
    JOB_STATE_FAILED: _ClassVar[JobState]
    JOB_STATE_CANCELLED: _ClassVar[JobState]
    JOB_STATE_EXPIRED: _ClassVar[JobState]

class JobView(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_VIEW_UNSPECIFIED: _ClassVar[JobView]
    JOB_VIEW_BASIC: _ClassVar[JobView]
    JOB_VIEW_FULL: _ClassVar[JobView]

class ConflictPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONFLICT_POLICY_UNSPECIFIED: _ClassVar[ConflictPolicy]
    CONFLICT_POLICY_FAIL: _ClassVar[ConflictPolicy]
    CONFLICT_POLICY_USE_EXISTING: _ClassVar[ConflictPolicy]

class ContentScope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTENT_SCOPE_UNSPECIFIED: _ClassVar[ContentScope]
    CONTENT_SCOPE_MAIN: _ClassVar[ContentScope]
    CONTENT_SCOPE_FULL: _ClassVar[ContentScope]

class OcrMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OCR_MODE_UNSPECIFIED: _ClassVar[OcrMode]
    OCR_MODE_AUTO: _ClassVar[OcrMode]
    OCR_MODE_OFF: _ClassVar[OcrMode]

class TableMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TABLE_MODE_UNSPECIFIED: _ClassVar[TableMode]
    TABLE_MODE_ON: _ClassVar[TableMode]
    TABLE_MODE_OFF: _ClassVar[TableMode]

class SplitUnit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SPLIT_UNIT_UNSPECIFIED: _ClassVar[SplitUnit]
    SPLIT_UNIT_TOKENS: _ClassVar[SplitUnit]
    SPLIT_UNIT_CHARACTERS: _ClassVar[SplitUnit]
    SPLIT_UNIT_SENTENCES: _ClassVar[SplitUnit]
    SPLIT_UNIT_PAGES: _ClassVar[SplitUnit]
    SPLIT_UNIT_HEADINGS: _ClassVar[SplitUnit]

class StoreFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STORE_FORMAT_UNSPECIFIED: _ClassVar[StoreFormat]
    STORE_FORMAT_SQLITE: _ClassVar[StoreFormat]
    STORE_FORMAT_JSONL: _ClassVar[StoreFormat]
    STORE_FORMAT_PARQUET: _ClassVar[StoreFormat]
    STORE_FORMAT_JSON: _ClassVar[StoreFormat]
JOB_STATE_UNSPECIFIED: JobState
JOB_STATE_SCHEDULED: JobState
JOB_STATE_QUEUED: JobState
JOB_STATE_RUNNING: JobState
JOB_STATE_CANCELLING: JobState
JOB_STATE_SUCCEEDED: JobState
JOB_STATE_FAILED: JobState
JOB_STATE_CANCELLED: JobState
JOB_STATE_EXPIRED: JobState
JOB_VIEW_UNSPECIFIED: JobView
JOB_VIEW_BASIC: JobView
JOB_VIEW_FULL: JobView
CONFLICT_POLICY_UNSPECIFIED: ConflictPolicy
CONFLICT_POLICY_FAIL: ConflictPolicy
CONFLICT_POLICY_USE_EXISTING: ConflictPolicy
CONTENT_SCOPE_UNSPECIFIED: ContentScope
CONTENT_SCOPE_MAIN: ContentScope
CONTENT_SCOPE_FULL: ContentScope
OCR_MODE_UNSPECIFIED: OcrMode
OCR_MODE_AUTO: OcrMode
OCR_MODE_OFF: OcrMode
TABLE_MODE_UNSPECIFIED: TableMode
TABLE_MODE_ON: TableMode
TABLE_MODE_OFF: TableMode
SPLIT_UNIT_UNSPECIFIED: SplitUnit
SPLIT_UNIT_TOKENS: SplitUnit
SPLIT_UNIT_CHARACTERS: SplitUnit
SPLIT_UNIT_SENTENCES: SplitUnit
SPLIT_UNIT_PAGES: SplitUnit
SPLIT_UNIT_HEADINGS: SplitUnit
STORE_FORMAT_UNSPECIFIED: StoreFormat
STORE_FORMAT_SQLITE: StoreFormat
STORE_FORMAT_JSONL: StoreFormat
STORE_FORMAT_PARQUET: StoreFormat
STORE_FORMAT_JSON: StoreFormat

class BlobRef(_message.Message):
    __slots__ = ("sha256", "size_bytes")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    size_bytes: int
    def __init__(self, sha256: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class Payload(_message.Message):
    __slots__ = ("media_type", "name", "data", "blob", "uri", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    BLOB_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    media_type: str
    name: str
    data: bytes
    blob: BlobRef
    uri: str
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, media_type: _Optional[str] = ..., name: _Optional[str] = ..., data: _Optional[bytes] = ..., blob: _Optional[_Union[BlobRef, _Mapping]] = ..., uri: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class RetryPolicy(_message.Message):
    __slots__ = ("max_attempts", "initial_backoff", "max_backoff", "backoff_multiplier", "non_retryable_reasons", "max_crashes")
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    INITIAL_BACKOFF_FIELD_NUMBER: _ClassVar[int]
    MAX_BACKOFF_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_MULTIPLIER_FIELD_NUMBER: _ClassVar[int]
    NON_RETRYABLE_REASONS_FIELD_NUMBER: _ClassVar[int]
    MAX_CRASHES_FIELD_NUMBER: _ClassVar[int]
    max_attempts: int
    initial_backoff: _duration_pb2.Duration
    max_backoff: _duration_pb2.Duration
    backoff_multiplier: float
    non_retryable_reasons: _containers.RepeatedScalarFieldContainer[str]
    max_crashes: int
    def __init__(self, max_attempts: _Optional[int] = ..., initial_backoff: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_backoff: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., backoff_multiplier: _Optional[float] = ..., non_retryable_reasons: _Optional[_Iterable[str]] = ..., max_crashes: _Optional[int] = ...) -> None: ...

class ExtractTask(_message.Message):
    __slots__ = ("password", "first_page", "last_page", "ocr_languages", "pages_per_part", "fail_on_partial", "content", "ocr", "images", "page_images_dpi", "tables", "links", "outline")
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    FIRST_PAGE_FIELD_NUMBER: _ClassVar[int]
    LAST_PAGE_FIELD_NUMBER: _ClassVar[int]
    OCR_LANGUAGES_FIELD_NUMBER: _ClassVar[int]
    PAGES_PER_PART_FIELD_NUMBER: _ClassVar[int]
    FAIL_ON_PARTIAL_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    OCR_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    PAGE_IMAGES_DPI_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    OUTLINE_FIELD_NUMBER: _ClassVar[int]
    password: str
    first_page: int
    last_page: int
    ocr_languages: _containers.RepeatedScalarFieldContainer[str]
    pages_per_part: int
    fail_on_partial: bool
    content: ContentScope
    ocr: OcrMode
    images: bool
    page_images_dpi: int
    tables: TableMode
    links: bool
    outline: bool
    def __init__(self, password: _Optional[str] = ..., first_page: _Optional[int] = ..., last_page: _Optional[int] = ..., ocr_languages: _Optional[_Iterable[str]] = ..., pages_per_part: _Optional[int] = ..., fail_on_partial: bool = ..., content: _Optional[_Union[ContentScope, str]] = ..., ocr: _Optional[_Union[OcrMode, str]] = ..., images: bool = ..., page_images_dpi: _Optional[int] = ..., tables: _Optional[_Union[TableMode, str]] = ..., links: bool = ..., outline: bool = ...) -> None: ...

class SplitTask(_message.Message):
    __slots__ = ("chunk_size", "chunk_overlap", "unit", "heading_level", "tokens_max")
    CHUNK_SIZE_FIELD_NUMBER: _ClassVar[int]
    CHUNK_OVERLAP_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    HEADING_LEVEL_FIELD_NUMBER: _ClassVar[int]
    TOKENS_MAX_FIELD_NUMBER: _ClassVar[int]
    chunk_size: int
    chunk_overlap: int
    unit: SplitUnit
    heading_level: int
    tokens_max: int
    def __init__(self, chunk_size: _Optional[int] = ..., chunk_overlap: _Optional[int] = ..., unit: _Optional[_Union[SplitUnit, str]] = ..., heading_level: _Optional[int] = ..., tokens_max: _Optional[int] = ...) -> None: ...

class EmbedTask(_message.Message):
    __slots__ = ("model", "dimensions", "include_headings")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_HEADINGS_FIELD_NUMBER: _ClassVar[int]
    model: str
    dimensions: int
    include_headings: bool
    def __init__(self, model: _Optional[str] = ..., dimensions: _Optional[int] = ..., include_headings: bool = ...) -> None: ...

class FilterTask(_message.Message):
    __slots__ = ("tokens_min", "tokens_max", "characters_min", "characters_max", "letters_min", "exclude_phrases", "include_phrases")
    TOKENS_MIN_FIELD_NUMBER: _ClassVar[int]
    TOKENS_MAX_FIELD_NUMBER: _ClassVar[int]
    CHARACTERS_MIN_FIELD_NUMBER: _ClassVar[int]
    CHARACTERS_MAX_FIELD_NUMBER: _ClassVar[int]
    LETTERS_MIN_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_PHRASES_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_PHRASES_FIELD_NUMBER: _ClassVar[int]
    tokens_min: int
    tokens_max: int
    characters_min: int
    characters_max: int
    letters_min: float
    exclude_phrases: _containers.RepeatedScalarFieldContainer[str]
    include_phrases: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, tokens_min: _Optional[int] = ..., tokens_max: _Optional[int] = ..., characters_min: _Optional[int] = ..., characters_max: _Optional[int] = ..., letters_min: _Optional[float] = ..., exclude_phrases: _Optional[_Iterable[str]] = ..., include_phrases: _Optional[_Iterable[str]] = ...) -> None: ...

class DedupTask(_message.Message):
    __slots__ = ("similarity",)
    SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    similarity: float
    def __init__(self, similarity: _Optional[float] = ...) -> None: ...

class StoreTask(_message.Message):
    __slots__ = ("target_uri", "format", "document_key")
    TARGET_URI_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_KEY_FIELD_NUMBER: _ClassVar[int]
    target_uri: str
    format: StoreFormat
    document_key: str
    def __init__(self, target_uri: _Optional[str] = ..., format: _Optional[_Union[StoreFormat, str]] = ..., document_key: _Optional[str] = ...) -> None: ...

class CustomTask(_message.Message):
    __slots__ = ("handler", "options")
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    handler: str
    options: _struct_pb2.Struct
    def __init__(self, handler: _Optional[str] = ..., options: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class Task(_message.Message):
    __slots__ = ("extract", "split", "embed", "store", "custom", "filter", "dedup")
    EXTRACT_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    EMBED_FIELD_NUMBER: _ClassVar[int]
    STORE_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    DEDUP_FIELD_NUMBER: _ClassVar[int]
    extract: ExtractTask
    split: SplitTask
    embed: EmbedTask
    store: StoreTask
    custom: CustomTask
    filter: FilterTask
    dedup: DedupTask
    def __init__(self, extract: _Optional[_Union[ExtractTask, _Mapping]] = ..., split: _Optional[_Union[SplitTask, _Mapping]] = ..., embed: _Optional[_Union[EmbedTask, _Mapping]] = ..., store: _Optional[_Union[StoreTask, _Mapping]] = ..., custom: _Optional[_Union[CustomTask, _Mapping]] = ..., filter: _Optional[_Union[FilterTask, _Mapping]] = ..., dedup: _Optional[_Union[DedupTask, _Mapping]] = ...) -> None: ...

class Callback(_message.Message):
    __slots__ = ("url", "events")
    URL_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    url: str
    events: _containers.RepeatedScalarFieldContainer[JobState]
    def __init__(self, url: _Optional[str] = ..., events: _Optional[_Iterable[_Union[JobState, str]]] = ...) -> None: ...

class JobSpec(_message.Message):
    __slots__ = ("job_id", "conflict_policy", "queue", "input", "tasks", "labels", "priority", "fairness_key", "concurrency_key", "start_time", "start_delay", "attempt_timeout", "total_timeout", "retry_policy", "dedupe_key", "dedupe_window", "result_ttl", "callbacks")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    CONFLICT_POLICY_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    FAIRNESS_KEY_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    START_DELAY_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    RETRY_POLICY_FIELD_NUMBER: _ClassVar[int]
    DEDUPE_KEY_FIELD_NUMBER: _ClassVar[int]
    DEDUPE_WINDOW_FIELD_NUMBER: _ClassVar[int]
    RESULT_TTL_FIELD_NUMBER: _ClassVar[int]
    CALLBACKS_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    conflict_policy: ConflictPolicy
    queue: str
    input: Payload
    tasks: _containers.RepeatedCompositeFieldContainer[Task]
    labels: _containers.ScalarMap[str, str]
    priority: int
    fairness_key: str
    concurrency_key: str
    start_time: _timestamp_pb2.Timestamp
    start_delay: _duration_pb2.Duration
    attempt_timeout: _duration_pb2.Duration
    total_timeout: _duration_pb2.Duration
    retry_policy: RetryPolicy
    dedupe_key: str
    dedupe_window: _duration_pb2.Duration
    result_ttl: _duration_pb2.Duration
    callbacks: _containers.RepeatedCompositeFieldContainer[Callback]
    def __init__(self, job_id: _Optional[str] = ..., conflict_policy: _Optional[_Union[ConflictPolicy, str]] = ..., queue: _Optional[str] = ..., input: _Optional[_Union[Payload, _Mapping]] = ..., tasks: _Optional[_Iterable[_Union[Task, _Mapping]]] = ..., labels: _Optional[_Mapping[str, str]] = ..., priority: _Optional[int] = ..., fairness_key: _Optional[str] = ..., concurrency_key: _Optional[str] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., start_delay: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., attempt_timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., total_timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., retry_policy: _Optional[_Union[RetryPolicy, _Mapping]] = ..., dedupe_key: _Optional[str] = ..., dedupe_window: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., result_ttl: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., callbacks: _Optional[_Iterable[_Union[Callback, _Mapping]]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("completed_units", "total_units", "unit", "message")
    COMPLETED_UNITS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_UNITS_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    completed_units: int
    total_units: int
    unit: str
    message: str
    def __init__(self, completed_units: _Optional[int] = ..., total_units: _Optional[int] = ..., unit: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("attempt", "worker", "start_time", "end_time", "outcome")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    worker: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    outcome: _status_pb2.Status
    def __init__(self, attempt: _Optional[int] = ..., worker: _Optional[str] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., outcome: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class Job(_message.Message):
    __slots__ = ("job_id", "batch_id", "tenant", "queue", "state", "attempt", "crash_count", "progress", "error", "create_time", "start_time", "end_time", "expire_time", "scheduled_time", "revision", "parent_job_id", "retried_from", "labels", "priority", "spec", "attempts", "output")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CRASH_COUNT_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_TIME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    PARENT_JOB_ID_FIELD_NUMBER: _ClassVar[int]
    RETRIED_FROM_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    batch_id: str
    tenant: str
    queue: str
    state: JobState
    attempt: int
    crash_count: int
    progress: Progress
    error: _status_pb2.Status
    create_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    scheduled_time: _timestamp_pb2.Timestamp
    revision: int
    parent_job_id: str
    retried_from: str
    labels: _containers.ScalarMap[str, str]
    priority: int
    spec: JobSpec
    attempts: _containers.RepeatedCompositeFieldContainer[Attempt]
    output: Payload
    def __init__(self, job_id: _Optional[str] = ..., batch_id: _Optional[str] = ..., tenant: _Optional[str] = ..., queue: _Optional[str] = ..., state: _Optional[_Union[JobState, str]] = ..., attempt: _Optional[int] = ..., crash_count: _Optional[int] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., scheduled_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., revision: _Optional[int] = ..., parent_job_id: _Optional[str] = ..., retried_from: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., priority: _Optional[int] = ..., spec: _Optional[_Union[JobSpec, _Mapping]] = ..., attempts: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., output: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...
