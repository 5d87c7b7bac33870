from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ingest.v1 import job_pb2 as _job_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FindMissingBlobsRequest(_message.Message):
    __slots__ = ("blobs",)
    BLOBS_FIELD_NUMBER: _ClassVar[int]
    blobs: _containers.RepeatedCompositeFieldContainer[_job_pb2.BlobRef]
    def __init__(self, blobs: _Optional[_Iterable[_Union[_job_pb2.BlobRef, _Mapping]]] = ...) -> None: ...

class FindMissingBlobsResponse(_message.Message):
    __slots__ = ("missing_blobs",)
    MISSING_BLOBS_FIELD_NUMBER: _ClassVar[int]
    missing_blobs: _containers.RepeatedCompositeFieldContainer[_job_pb2.BlobRef]
    def __init__(self, missing_blobs: _Optional[_Iterable[_Union[_job_pb2.BlobRef, _Mapping]]] = ...) -> None: ...

class UploadBlobRequest(_message.Message):
    __slots__ = ("sha256", "offset_bytes", "data", "finish")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    OFFSET_BYTES_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    FINISH_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    offset_bytes: int
    data: bytes
    finish: bool
    def __init__(self, sha256: _Optional[str] = ..., offset_bytes: _Optional[int] = ..., data: _Optional[bytes] = ..., finish: bool = ...) -> None: ...

class UploadBlobResponse(_message.Message):
    __slots__ = ("blob", "created")
    BLOB_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    blob: _job_pb2.BlobRef
    created: bool
    def __init__(self, blob: _Optional[_Union[_job_pb2.BlobRef, _Mapping]] = ..., created: bool = ...) -> None: ...

class DownloadBlobRequest(_message.Message):
    __slots__ = ("sha256", "offset_bytes", "limit_bytes")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    OFFSET_BYTES_FIELD_NUMBER: _ClassVar[int]
    LIMIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    offset_bytes: int
    limit_bytes: int
    def __init__(self, sha256: _Optional[str] = ..., offset_bytes: _Optional[int] = ..., limit_bytes: _Optional[int] = ...) -> None: ...

class DownloadBlobResponse(_message.Message):
    __slots__ = ("offset_bytes", "data", "size_bytes")
    OFFSET_BYTES_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    offset_bytes: int
    data: bytes
    size_bytes: int
    def __init__(self, offset_bytes: _Optional[int] = ..., data: _Optional[bytes] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class GetBlobRequest(_message.Message):
    __slots__ = ("sha256",)
    SHA256_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    def __init__(self, sha256: _Optional[str] = ...) -> None: ...

class Blob(_message.Message):
    __slots__ = ("ref", "committed_bytes", "complete", "create_time")
    REF_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_BYTES_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ref: _job_pb2.BlobRef
    committed_bytes: int
    complete: bool
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, ref: _Optional[_Union[_job_pb2.BlobRef, _Mapping]] = ..., committed_bytes: _Optional[int] = ..., complete: bool = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetBlobResponse(_message.Message):
    __slots__ = ("blob",)
    BLOB_FIELD_NUMBER: _ClassVar[int]
    blob: Blob
    def __init__(self, blob: _Optional[_Union[Blob, _Mapping]] = ...) -> None: ...
