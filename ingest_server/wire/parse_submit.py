"""SubmitJobsRequest and RunJobRequest in: commands for the use cases out, with the items that were refused kept apart.

This is the hot path of the server: a call may bring 1,000 jobs, so per job there is no validation, no object and no log line,
only what differs from job to job. Everything else happens once per *kind* of job: see `split_schema.py` and `spec_template.py`.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from ingest.v1 import job_pb2, job_service_pb2
from ingest_server.domain.caller import Caller
from ingest_server.domain.clock import Clock
from ingest_server.domain.errors import IngestError, InvalidRequest, Reason
from ingest_server.jobs.submit import SubmitCommand
from ingest_server.store.records import JobPolicy, NewJob
from ingest_server.wire.faults import Faults, invalid, shown
from ingest_server.wire.field_rules import KEY_BYTES_MAX, UUID_RULE, checked_digest, checked_text, optional_uuid
from ingest_server.wire.limits import LiveConfiguration
from ingest_server.wire.parse_source import check_uri
from ingest_server.wire.parse_spec import YEAR_US, parse_template
from ingest_server.wire.spec_template import SpecTemplate, TemplateCache
from ingest_server.wire.split_schema import SplitRequest, SplitSpec
from ingest_server.wire.times import shown_span
from ingest_server.wire.uuid_text import parse_uuid

NAME_BYTES_MAX = 1_024
"""job.proto, Payload.name."""


@dataclass(slots=True)
class ParsedSubmit:
    """A submit, ready for the use case.

    Attributes:
        items: jobs in the request.
        policies, jobs: of the accepted items; see `SubmitCommand`.
        accepted: index in the request of each entry of `jobs`, ascending.
        refused: index in the request → why, of all others.
        request_id, batch_id: 16 bytes or b"".
        all_or_nothing: as in the request.
    """

    items: int
    request_id: bytes
    batch_id: bytes
    all_or_nothing: bool
    policies: list[JobPolicy] = field(default_factory=list)
    jobs: list[NewJob] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    refused: dict[int, IngestError] = field(default_factory=dict)

    def command(self) -> SubmitCommand:
        """The accepted jobs as a command."""
        digest = request_digest(self) if self.request_id else b""
        return SubmitCommand(self.request_id, digest, self.batch_id, self.all_or_nothing, self.policies, self.jobs)


class SubmitParser:
    """Reads submits.

    Args:
        configuration: limits, defaults and handlers; read at each call.
        clock: for start delays and deadlines.
        cache: of templates.
    """

    def __init__(self, configuration: LiveConfiguration, clock: Clock, cache: TemplateCache | None = None) -> None:
        self._configuration = configuration
        self._clock = clock
        self._cache = cache or TemplateCache()

    def parse_submit(self, data: bytes, caller: Caller) -> ParsedSubmit:
        """Read a serialized SubmitJobsRequest.

        Raises:
            InvalidRequest: no items, too many, a bad request_id or batch_id, or no such message at all. What is wrong with
                single items does not raise: it is in `refused`.
        """
        try:
            request = SplitRequest.FromString(data)
        except DecodeError:
            raise InvalidRequest("the request is not a valid SubmitJobsRequest: truncated, or text that is not UTF-8") from None
        items_max = self._configuration.limits.submit_items_max
        specs = request.jobs
        if not specs:
            raise invalid("jobs", f"must have 1 … {items_max:,} entries, not 0")
        if len(specs) > items_max:
            raise invalid("jobs", f"must have 1 … {items_max:,} entries, not {len(specs):,}", Reason.TOO_MANY_ITEMS)
        parsed = ParsedSubmit(
            items=len(specs),
            request_id=optional_uuid("request_id", request.request_id),
            batch_id=optional_uuid("batch_id", request.batch_id),
            all_or_nothing=request.all_or_nothing,
        )
        _ItemReader(self._configuration, self._cache, caller.tenant, self._clock.now_us(), parsed).read(specs, "jobs[%d]")
        return parsed

    def parse_run(self, request: job_service_pb2.RunJobRequest, caller: Caller) -> SubmitCommand:
        """Read the job of a RunJobRequest as a command of one job. Raises the error that refuses it."""
        if not request.HasField("job"):
            raise invalid("job", "must be set")
        request_id = optional_uuid("request_id", request.request_id)
        parsed = ParsedSubmit(items=1, request_id=request_id, batch_id=b"", all_or_nothing=False)
        spec = SplitSpec.FromString(request.job.SerializeToString())
        _ItemReader(self._configuration, self._cache, caller.tenant, self._clock.now_us(), parsed).read((spec,), "job")
        if parsed.refused:
            raise parsed.refused[0]
        return parsed.command()


class _ItemReader:
    """Reads the items of one call into a `ParsedSubmit`."""

    __slots__ = ("_by_spec", "_cache", "_configuration", "_known", "_now_us", "_parsed", "_templates", "_tenant")

    def __init__(
        self, configuration: LiveConfiguration, cache: TemplateCache, tenant: str, now_us: int, parsed: ParsedSubmit
    ) -> None:
        self._configuration = configuration
        self._cache = cache
        self._tenant = tenant
        self._now_us = now_us
        self._parsed = parsed
        self._templates: dict[bytes, SpecTemplate | Faults] = {}
        self._known: dict[tuple[bytes, str, str], int] = {}
        self._by_spec: dict[bytes, int] = {}

    def read(self, specs: Sequence[SplitSpec], place: str) -> None:
        """Read all items. `place` is the path of an item, with "%d" where its index belongs, if it has one."""
        accepted, jobs, known = self._parsed.accepted, self._parsed.jobs, self._known
        for index, spec in enumerate(specs):
            content = spec.input
            job_id, data, name, dedupe_key = spec.job_id, content.data, content.name, spec.dedupe_key
            blob = b"" if data else content.blob
            uri = "" if data or blob else content.uri
            # What was taken out must be cleared, and nothing else: clearing an absent field would make its message present.
            if job_id:
                spec.ClearField("job_id")
                try:
                    id_bytes = parse_uuid(job_id)
                except ValueError:
                    id_bytes = b""
            else:
                id_bytes = b""
            if data or blob or uri:
                content.ClearField("content")
            if name:
                content.ClearField("name")
            if dedupe_key:
                spec.ClearField("dedupe_key")
            key = spec.SerializeToString()
            policy = known.get((key, name, dedupe_key), -1)
            if policy < 0 and not blob and not uri:
                policy = self._new_kind(key, name, dedupe_key)
            if policy < 0 or blob or uri or (job_id and not id_bytes):
                self._read_slowly(index, place, key, (job_id, name, dedupe_key), (data, blob, uri))
                continue
            jobs.append((policy, id_bytes, b"i" + data if data else b"", dedupe_key, b""))
            accepted.append(index)

    def _new_kind(self, key: bytes, name: str, dedupe_key: str) -> int:
        """Index of the policy of a kind that this call has not had yet; -1 if it may have a fault and needs the slow look.

        The bounds here are in characters, of which none takes more than four bytes.
        """
        template = self._template(key)
        if not isinstance(template, SpecTemplate) or template.start_time_us:
            return -1
        if len(name) * 4 > NAME_BYTES_MAX or len(dedupe_key) * 4 > KEY_BYTES_MAX:
            return -1
        if dedupe_key and not template.dedupe_window_us:
            return -1
        return self._policy((key, name, dedupe_key), template)

    def _read_slowly(
        self, index: int, place: str, key: bytes, texts: tuple[str, str, str], content: tuple[bytes, bytes, str]
    ) -> None:
        """Read an item that refers to a blob or a URI, or may have a fault."""
        job_id, name, dedupe_key = texts
        faults = Faults()
        id_bytes = b""
        if job_id:
            try:
                id_bytes = parse_uuid(job_id)
            except ValueError:
                faults.add("job_id", f"{UUID_RULE}, not {shown(job_id)}")
        checked_text(faults, "input.name", name, NAME_BYTES_MAX)
        checked_text(faults, "dedupe_key", dedupe_key, KEY_BYTES_MAX)
        payload, digest = self._payload(faults, *content)
        template = self._template(key)
        if isinstance(template, Faults):
            faults.merge(template)
        else:
            self._check_call_rules(faults, template, dedupe_key)
        if faults or isinstance(template, Faults):
            self._parsed.refused[index] = faults.error(place % index if "%d" in place else place)
            return
        policy = self._policy((key, name, dedupe_key), template)
        self._parsed.jobs.append((policy, id_bytes, payload, dedupe_key, digest))
        self._parsed.accepted.append(index)

    def _check_call_rules(self, faults: Faults, template: SpecTemplate, dedupe_key: str) -> None:
        """Rules that concern what is not in the template, or the present time."""
        if dedupe_key and not template.dedupe_window_us:
            faults.add("dedupe_window", "must be set where dedupe_key is")
        ahead_us = template.start_time_us - self._now_us
        if ahead_us > YEAR_US:
            faults.add("start_time", f"must be at most 366 days ahead, not {shown_span(ahead_us // 1_000_000 * 1_000_000)}")

    def _payload(self, faults: Faults, data: bytes, blob: bytes, uri: str) -> tuple[bytes, bytes]:
        """The payload of an input, as in `engines.interface.AttemptRow`, and the digest of a blob."""
        if blob:
            return self._blob_payload(faults, blob)
        if uri:
            check_uri(faults, uri, self._configuration.sources)
            return b"u" + uri.encode(), b""
        return b"i" + data if data else b"", b""

    def _blob_payload(self, faults: Faults, blob: bytes) -> tuple[bytes, bytes]:
        """The payload that stands for a blob, and its digest."""
        try:
            reference = job_pb2.BlobRef.FromString(blob)
        except DecodeError:
            faults.add("input.blob", "is not a valid BlobRef")
            return b"", b""
        digest = checked_digest(faults, "input.blob.sha256", reference.sha256)
        size, size_max = reference.size_bytes, self._configuration.limits.blob_bytes_max
        if size < 0:
            faults.add("input.blob.size_bytes", f"must be at least 0, not {size:,}")
        elif size > size_max:
            faults.add("input.blob.size_bytes", f"must be at most {size_max:,}, not {size:,}", Reason.TOO_LARGE)
        else:
            return b"b" + digest + size.to_bytes(8, "little"), digest
        return b"", digest

    def _template(self, key: bytes) -> SpecTemplate | Faults:
        """The template of a kind of job: from this call, from the cache, or made now. Faults are remembered for this call."""
        found = self._templates.get(key)
        if found is None:
            found = self._cache.get(key, self._configuration.generation)
            if found is None:
                found = parse_template(key, self._configuration)
                if isinstance(found, SpecTemplate):
                    self._cache.put(key, found)
            self._templates[key] = found
        return found

    def _policy(self, kind: tuple[bytes, str, str], template: SpecTemplate) -> int:
        """Index of the policy of a kind of job. Kinds that only their encoding tells apart share one."""
        index = self._known.get(kind)
        if index is None:
            plain = not kind[1] and not kind[2]
            spec = template.spec if plain else template.full_spec(kind[1], kind[2])
            index = self._by_spec.get(spec)
            if index is None:
                index = len(self._parsed.policies)
                if plain:
                    policy = template.shared_policy(self._tenant, self._now_us)
                else:
                    policy = template.policy(self._tenant, self._now_us, spec)
                self._parsed.policies.append(policy)
                self._by_spec[spec] = index
            self._known[kind] = index
        return index


def request_digest(parsed: ParsedSubmit) -> bytes:
    """SHA-256 over the meaning of a submit: equal for a repeat, whatever order a client's library gives map entries, and
    different for any other request.

    Lengths go before contents, so no two different requests give the same bytes. Start times and deadlines are taken as the specs
    state them, not as reckoned from the time of the call. Refused items count by their index: the stored answer of the first call
    can only be given again if the same items were accepted.
    """
    jobs = parsed.jobs
    specs = [policy.spec for policy in parsed.policies]
    keys = [job[3].encode("utf-8") for job in jobs]
    numbers = array("Q", (parsed.items, parsed.all_or_nothing, len(specs), len(jobs), len(parsed.refused)))
    numbers.extend(map(len, specs))
    numbers.extend(sorted(parsed.refused))
    numbers.extend([job[0] for job in jobs])
    numbers.extend([len(job[1]) for job in jobs])
    numbers.extend([len(job[2]) for job in jobs])
    numbers.extend(map(len, keys))
    parts = [parsed.batch_id, numbers.tobytes(), *specs]
    parts.extend([job[1] for job in jobs])
    parts.extend([job[2] for job in jobs])
    parts.extend(keys)
    return hashlib.sha256(b"".join(parts)).digest()
