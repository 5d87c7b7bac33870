"""A job spec that passed its checks, without what differs from job to job: made once, used for every job that looks like it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from ingest_server.store.records import CallbackTarget, JobPolicy
from ingest_server.wire.encoding import bytes_field, text_field

_SPEC_INPUT = 4
_SPEC_DEDUPE_KEY = 15
_PAYLOAD_NAME = 2

TIMELESS_TENANTS_MAX = 64
"""Tenants whose policy a template remembers: more of them rarely send the very same spec."""


@dataclass(frozen=True, slots=True)
class SpecTemplate:
    """What all jobs of one kind have in common. Times are as the spec gives them, not yet reckoned from now.

    Attributes:
        queue, fairness_key, concurrency_key, priority, labels: as in `JobPolicy`.
        start_time_us: wall time; 0 if the spec names none.
        start_delay_us, total_timeout_us, result_ttl_us, dedupe_window_us: spans; 0 if the spec names none.
        use_existing: a taken job_id answers with the job that has it.
        spec: serialized `ingest.v1.JobSpec`, deterministic, defaults filled in, without job_id, input content, input name and
            dedupe key.
        callbacks: as in `JobPolicy`.
        timeless: policies by tenant, if they do not depend on the time of the call: then one object serves all calls.
    """

    queue: str
    fairness_key: str
    concurrency_key: str
    priority: int
    labels: tuple[tuple[str, str], ...]
    start_time_us: int
    start_delay_us: int
    total_timeout_us: int
    result_ttl_us: int
    use_existing: bool
    dedupe_window_us: int
    spec: bytes
    callbacks: tuple[CallbackTarget, ...] = ()
    timeless: dict[str, JobPolicy] = field(default_factory=dict)

    def shared_policy(self, tenant: str, now_us: int) -> JobPolicy:
        """The policy of jobs that have nothing of their own."""
        policy = self.timeless.get(tenant)
        if policy is None:
            policy = self.policy(tenant, now_us, self.spec)
            if not self.start_delay_us and not self.total_timeout_us and len(self.timeless) < TIMELESS_TENANTS_MAX:
                self.timeless[tenant] = policy
        return policy

    def full_spec(self, input_name: str, dedupe_key: str) -> bytes:
        """The spec with what was left out of the template appended: a parser merges it in."""
        spec = self.spec
        if input_name:
            spec += bytes_field(_SPEC_INPUT, text_field(_PAYLOAD_NAME, input_name))
        if dedupe_key:
            spec += text_field(_SPEC_DEDUPE_KEY, dedupe_key)
        return spec

    def policy(self, tenant: str, now_us: int, spec: bytes) -> JobPolicy:
        """The policy of jobs accepted at `now_us`, which is what delays and deadlines are reckoned from."""
        return JobPolicy(
            tenant,
            self.queue,
            self.fairness_key,
            self.concurrency_key,
            self.priority,
            self.labels,
            now_us + self.start_delay_us if self.start_delay_us else self.start_time_us,
            now_us + self.total_timeout_us if self.total_timeout_us else 0,
            self.result_ttl_us,
            self.use_existing,
            self.dedupe_window_us,
            spec,
            self.callbacks,
        )


class TemplateCache:
    """Templates by the bytes they were made from, the least recently used dropped first.

    Args:
        entries_max: templates kept.
        key_bytes_max: longer keys are not kept. With `entries_max` it bounds the memory: 1,024 times 8 KiB, and as much
            again for the specs, are 16 MiB.
    """

    def __init__(self, *, entries_max: int = 1_024, key_bytes_max: int = 8_192) -> None:
        self._entries: OrderedDict[bytes, SpecTemplate] = OrderedDict()
        self._entries_max = entries_max
        self._key_bytes_max = key_bytes_max
        self._generation = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes, generation: int) -> SpecTemplate | None:
        """The template of a key; None if it is not there. A new generation of the configuration empties the cache."""
        if generation != self._generation:
            self._entries.clear()
            self._generation = generation
        template = self._entries.get(key)
        if template is not None:
            self._entries.move_to_end(key)
        return template

    def put(self, key: bytes, template: SpecTemplate) -> None:
        """Keep a template."""
        if len(key) > self._key_bytes_max:
            return
        self._entries[key] = template
        if len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)
