"""The tasks of a JobSpec in: one function per kind of task, each with the rules that job.proto states."""

from __future__ import annotations

import math
from typing import Any

from google.protobuf.struct_pb2 import Struct, Value

from ingest.v1 import job_pb2
from ingest_server.domain import page_image_rules
from ingest_server.domain.dedup_rules import DedupRequest
from ingest_server.domain.embed_rules import EmbedRequest
from ingest_server.domain.extract_rules import ContentScope, OcrMode, TableMode, enum_fault
from ingest_server.domain.filter_rules import FilterRequest
from ingest_server.domain.split_rules import SplitRequest
from ingest_server.domain.store_target import DOCUMENT_KEY_BYTES_MAX, parse_store_target
from ingest_server.handlers.ocr.languages import fault_of
from ingest_server.wire.faults import Faults
from ingest_server.wire.limits import LiveConfiguration

TASKS_MAX = 16
"""As job.proto promises it to clients."""


def check_tasks(faults: Faults, spec: job_pb2.JobSpec, configuration: LiveConfiguration) -> None:
    """Check the tasks of a spec and the options of each, against the handlers that are loaded."""
    if not 1 <= len(spec.tasks) <= TASKS_MAX:
        faults.add("tasks", f"must have 1 … {TASKS_MAX} entries, not {len(spec.tasks):,}")
    for index, task in enumerate(spec.tasks[:TASKS_MAX]):
        path = f"tasks[{index}]"
        kind = task.WhichOneof("kind")
        if kind == "custom":
            _check_custom(faults, f"{path}.custom", task.custom, configuration)
        elif kind == "extract":
            _check_extract(faults, f"{path}.extract", task.extract, configuration)
        elif kind == "split":
            _check_split(faults, f"{path}.split", task.split, configuration)
        elif kind == "filter":
            _check_filter(faults, f"{path}.filter", task.filter, configuration)
        elif kind == "dedup":
            _check_dedup(faults, f"{path}.dedup", task.dedup, configuration)
        elif kind == "embed":
            _check_embed(faults, f"{path}.embed", task.embed, configuration)
        elif kind == "store":
            _check_store(faults, f"{path}.store", task.store, configuration)
        else:
            faults.add(path, "must name a task: extract, split, filter, dedup, embed, store or custom")


def _check_extract(faults: Faults, path: str, task: job_pb2.ExtractTask, configuration: LiveConfiguration) -> None:
    if "extract" not in configuration.handlers.names:
        faults.add_unknown_handler(path, "extract")
    for field in ("first_page", "last_page", "pages_per_part"):
        if (page := getattr(task, field)) < 0:
            faults.add(f"{path}.{field}", f"must be at least 0, not {page:,}")
    if 0 < task.last_page < task.first_page:
        faults.add(f"{path}.last_page", f"must not lie before first_page ({task.first_page:,}), not {task.last_page:,}")
    if fault := enum_fault(ContentScope, task.content):
        faults.add(f"{path}.content", fault)
    if fault := enum_fault(OcrMode, task.ocr):
        faults.add(f"{path}.ocr", fault)
    if fault := enum_fault(TableMode, task.tables):
        faults.add(f"{path}.tables", fault)
    if fault := fault_of(task.ocr_languages):
        faults.add(f"{path}.ocr_languages", fault)
    if fault := page_image_rules.fault_of(task.page_images_dpi):
        faults.add(f"{path}.page_images_dpi", fault)


def _check_split(faults: Faults, path: str, task: job_pb2.SplitTask, configuration: LiveConfiguration) -> None:
    if "split" not in configuration.handlers.names:
        faults.add_unknown_handler(path, "split")
    request = SplitRequest(task.chunk_size, task.chunk_overlap, task.unit, task.heading_level, task.tokens_max)
    for field, problem in request.faults():
        faults.add(f"{path}.{field}", problem)


def _check_filter(faults: Faults, path: str, task: job_pb2.FilterTask, configuration: LiveConfiguration) -> None:
    if "filter" not in configuration.handlers.names:
        faults.add_unknown_handler(path, "filter")
    request = FilterRequest(
        task.tokens_min,
        task.tokens_max,
        task.characters_min,
        task.characters_max,
        task.letters_min,
        tuple(task.exclude_phrases),
        tuple(task.include_phrases),
    )
    for field, problem in request.faults():
        faults.add(f"{path}.{field}" if field else path, problem)


def _check_dedup(faults: Faults, path: str, task: job_pb2.DedupTask, configuration: LiveConfiguration) -> None:
    if "dedup" not in configuration.handlers.names:
        faults.add_unknown_handler(path, "dedup")
    for field, problem in DedupRequest(task.similarity).faults():
        faults.add(f"{path}.{field}", problem)


def _check_embed(faults: Faults, path: str, task: job_pb2.EmbedTask, configuration: LiveConfiguration) -> None:
    if "embed" not in configuration.handlers.names:
        faults.add_unknown_handler(path, "embed")
    request = EmbedRequest(task.model, task.dimensions, task.include_headings)
    for field, problem in request.faults(configuration.models):
        faults.add(f"{path}.{field}", problem)


def _check_store(faults: Faults, path: str, task: job_pb2.StoreTask, configuration: LiveConfiguration) -> None:
    if not configuration.store_rules.enabled:
        faults.add_unsupported(path, "task 'store'", "its operator has allowed no place in store_targets")
        return
    if "store" not in configuration.handlers.names:
        faults.add_unknown_handler(path, "store")
    size_bytes = len(task.document_key.encode())
    if size_bytes > DOCUMENT_KEY_BYTES_MAX:
        faults.add(f"{path}.document_key", f"must have at most {DOCUMENT_KEY_BYTES_MAX:,} bytes, not {size_bytes:,}")
    try:
        configuration.store_rules.check(parse_store_target(task.target_uri, task.format))
    except ValueError as error:
        faults.add(f"{path}.target_uri", str(error))


def _check_custom(faults: Faults, path: str, task: job_pb2.CustomTask, configuration: LiveConfiguration) -> None:
    if not task.handler:
        faults.add(f"{path}.handler", "must name a handler, not ''")
    elif task.handler not in configuration.handlers.names:
        faults.add_unknown_handler(f"{path}.handler", task.handler)
    else:
        try:
            options = struct_to_dict(task.options)
        except ValueError as error:
            faults.add(f"{path}.options", str(error))
            return
        for problem in configuration.handlers.check(task.handler, options):
            faults.add(f"{path}.options", problem)


def struct_to_dict(struct: Struct) -> dict[str, Any]:
    """A Struct as plain Python, as JSON would give it. The parser has bounded its depth (100 messages).

    Raises ValueError for numbers that JSON does not have: NaN and infinity.
    """
    return {key: _plain(value) for key, value in struct.fields.items()}


def _plain(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return struct_to_dict(value.struct_value)
    if kind == "list_value":
        return [_plain(entry) for entry in value.list_value.values]
    if kind == "number_value":
        # JSON does not tell 3 from 3.0; schemas do, and people mean the whole number.
        number = value.number_value
        if not math.isfinite(number):
            raise ValueError(f"must hold finite numbers only, not {number}")
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
    return getattr(value, kind) if kind and kind != "null_value" else None
