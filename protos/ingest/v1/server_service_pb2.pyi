from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Limits(_message.Message):
    __slots__ = ("message_bytes_max", "submit_items_max", "fetch_items_max", "inline_bytes_max", "blob_bytes_max", "result_bytes_max", "response_bytes_max", "wait_max", "blob_ttl", "result_ttl", "event_ttl", "cancel_grace", "priority_ageing")
    MESSAGE_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_ITEMS_MAX_FIELD_NUMBER: _ClassVar[int]
    FETCH_ITEMS_MAX_FIELD_NUMBER: _ClassVar[int]
    INLINE_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    BLOB_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    RESULT_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    WAIT_MAX_FIELD_NUMBER: _ClassVar[int]
    BLOB_TTL_FIELD_NUMBER: _ClassVar[int]
    RESULT_TTL_FIELD_NUMBER: _ClassVar[int]
    EVENT_TTL_FIELD_NUMBER: _ClassVar[int]
    CANCEL_GRACE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_AGEING_FIELD_NUMBER: _ClassVar[int]
    message_bytes_max: int
    submit_items_max: int
    fetch_items_max: int
    inline_bytes_max: int
    blob_bytes_max: int
    result_bytes_max: int
    response_bytes_max: int
    wait_max: _duration_pb2.Duration
    blob_ttl: _duration_pb2.Duration
    result_ttl: _duration_pb2.Duration
    event_ttl: _duration_pb2.Duration
    cancel_grace: _duration_pb2.Duration
    priority_ageing: _duration_pb2.Duration
    def __init__(self, message_bytes_max: _Optional[int] = ..., submit_items_max: _Optional[int] = ..., fetch_items_max: _Optional[int] = ..., inline_bytes_max: _Optional[int] = ..., blob_bytes_max: _Optional[int] = ..., result_bytes_max: _Optional[int] = ..., response_bytes_max: _Optional[int] = ..., wait_max: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., blob_ttl: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., result_ttl: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., event_ttl: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., cancel_grace: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., priority_ageing: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class HandlerInfo(_message.Message):
    __slots__ = ("name", "description", "options_schema", "media_types")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPES_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    options_schema: _struct_pb2.Struct
    media_types: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., options_schema: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., media_types: _Optional[_Iterable[str]] = ...) -> None: ...

class EngineInfo(_message.Message):
    __slots__ = ("name", "workers")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    workers: int
    def __init__(self, name: _Optional[str] = ..., workers: _Optional[int] = ...) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ("version", "limits", "handlers", "engines", "tasks", "uri_schemes", "callbacks", "tenant", "embedding_models")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    HANDLERS_FIELD_NUMBER: _ClassVar[int]
    ENGINES_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    URI_SCHEMES_FIELD_NUMBER: _ClassVar[int]
    CALLBACKS_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_MODELS_FIELD_NUMBER: _ClassVar[int]
    version: str
    limits: Limits
    handlers: _containers.RepeatedCompositeFieldContainer[HandlerInfo]
    engines: _containers.RepeatedCompositeFieldContainer[EngineInfo]
    tasks: _containers.RepeatedScalarFieldContainer[str]
    uri_schemes: _containers.RepeatedScalarFieldContainer[str]
    callbacks: bool
    tenant: str
    embedding_models: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, version: _Optional[str] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., handlers: _Optional[_Iterable[_Union[HandlerInfo, _Mapping]]] = ..., engines: _Optional[_Iterable[_Union[EngineInfo, _Mapping]]] = ..., tasks: _Optional[_Iterable[str]] = ..., uri_schemes: _Optional[_Iterable[str]] = ..., callbacks: bool = ..., tenant: _Optional[str] = ..., embedding_models: _Optional[_Iterable[str]] = ...) -> None: ...

class GetStatsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LatencyQuantiles(_message.Message):
    __slots__ = ("p50", "p90", "p99", "count")
    P50_FIELD_NUMBER: _ClassVar[int]
    P90_FIELD_NUMBER: _ClassVar[int]
    P99_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    p50: _duration_pb2.Duration
    p90: _duration_pb2.Duration
    p99: _duration_pb2.Duration
    count: int
    def __init__(self, p50: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., p90: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., p99: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., count: _Optional[int] = ...) -> None: ...

class WorkerStats(_message.Message):
    __slots__ = ("name", "pid", "ended_count", "running_count", "start_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    ENDED_COUNT_FIELD_NUMBER: _ClassVar[int]
    RUNNING_COUNT_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    pid: int
    ended_count: int
    running_count: int
    start_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., pid: _Optional[int] = ..., ended_count: _Optional[int] = ..., running_count: _Optional[int] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetStatsResponse(_message.Message):
    __slots__ = ("queued_count", "scheduled_count", "running_count", "submit_rate_per_second", "end_rate_per_second", "wait_latency", "run_latency", "workers", "watch_count", "worker_crash_count", "uptime", "ended_counts", "store")
    class EndedCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    QUEUED_COUNT_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_COUNT_FIELD_NUMBER: _ClassVar[int]
    RUNNING_COUNT_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_RATE_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    END_RATE_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    WAIT_LATENCY_FIELD_NUMBER: _ClassVar[int]
    RUN_LATENCY_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    WATCH_COUNT_FIELD_NUMBER: _ClassVar[int]
    WORKER_CRASH_COUNT_FIELD_NUMBER: _ClassVar[int]
    UPTIME_FIELD_NUMBER: _ClassVar[int]
    ENDED_COUNTS_FIELD_NUMBER: _ClassVar[int]
    STORE_FIELD_NUMBER: _ClassVar[int]
    queued_count: int
    scheduled_count: int
    running_count: int
    submit_rate_per_second: float
    end_rate_per_second: float
    wait_latency: LatencyQuantiles
    run_latency: LatencyQuantiles
    workers: _containers.RepeatedCompositeFieldContainer[WorkerStats]
    watch_count: int
    worker_crash_count: int
    uptime: _duration_pb2.Duration
    ended_counts: _containers.ScalarMap[str, int]
    store: _struct_pb2.Struct
    def __init__(self, queued_count: _Optional[int] = ..., scheduled_count: _Optional[int] = ..., running_count: _Optional[int] = ..., submit_rate_per_second: _Optional[float] = ..., end_rate_per_second: _Optional[float] = ..., wait_latency: _Optional[_Union[LatencyQuantiles, _Mapping]] = ..., run_latency: _Optional[_Union[LatencyQuantiles, _Mapping]] = ..., workers: _Optional[_Iterable[_Union[WorkerStats, _Mapping]]] = ..., watch_count: _Optional[int] = ..., worker_crash_count: _Optional[int] = ..., uptime: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., ended_counts: _Optional[_Mapping[str, int]] = ..., store: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...
