"""Every number the local engine is bounded by, in one frozen object."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ingest_server.domain.errors import FieldViolation, InvalidRequest
from ingest_server.handlers.parts import ORDER_BYTES_MAX

KIB = 1_024
MIB = 1_024 * 1_024


@dataclass(frozen=True, slots=True)
class LocalEngineLimits:
    """Limits and times of the local engine. Defaults without a source named are guesses that served well in measurement.

    Attributes:
        inline_bytes_max: larger outputs become blobs; larger inputs arrive as blobs.
        result_bytes_max: largest output.
        failure_bytes_max: of a failure's message, and of its traceback.
        cancel_grace_seconds: between the flag and the interrupt, and between the interrupt and the end by force.
        attempt_memory_bytes_max: memory an attempt may add to its worker; 0: no limit.
        attempt_cpu_seconds_max: processor time of one attempt of a sync handler, whole seconds; 0: no limit.
        async_concurrency: attempts of async handlers at once in one worker.
        max_jobs_per_worker: a worker that ran so many is replaced; 0: never.
        workers_max: largest number of workers `resize` takes.
        frame_jobs_max: attempts in one frame. With 256, what a frame costs by itself (about 30 µs) is 0.1 µs a job.
        frame_run_us: how long the attempts of one frame should run together: a few round trips, so that workers do not wait
            for the server, and little enough that no job notices its neighbours.
        frame_bytes: a frame is closed when it has reached so many bytes.
        prefetch_run_us_max: jobs that run longer are not sent ahead to a worker that is busy, nor taken ahead by the server.
        ahead_run_us: work taken ahead for each worker, so that it need not wait for a lease, which is a commit of the store.
        ahead_frames_max: the same by number of frames.
        stall_us: a frame of several attempts unfinished after so long is looked at: results are sent, and attempts not begun
            are given to other workers.
        progress_interval_seconds: least time between two reports of progress of one attempt.
        sample_interval_seconds: how often memory and processor time of busy workers are read, if they are limited.
        start_timeout_seconds: longest time for the zygote to load the handlers, and for a worker to report ready.
        backoff_seconds_min, backoff_seconds_max: wait before a replacement is started again after one that died at birth;
            doubles in between.
        exit_timeout_seconds: longest wait for the status of a worker that has hung up, and for the zygote to end.
        frame_seconds_max: longest silence of a worker in the midst of a frame. It writes to memory, without a pause; one that
            stops there has lost the thread, and whatever it answers would be taken for the rest of that frame.
    """

    inline_bytes_max: int = 64 * KIB
    result_bytes_max: int = 256 * MIB
    failure_bytes_max: int = 8 * KIB
    cancel_grace_seconds: float = 5.0
    attempt_memory_bytes_max: int = 0
    attempt_cpu_seconds_max: int = 0
    async_concurrency: int = 64
    max_jobs_per_worker: int = 0
    workers_max: int = 1_024
    frame_jobs_max: int = 256
    frame_run_us: int = 3_000
    frame_bytes: int = 256 * KIB
    prefetch_run_us_max: int = 200
    ahead_run_us: int = 10_000
    ahead_frames_max: int = 4
    stall_us: int = 10_000
    progress_interval_seconds: float = 0.1
    sample_interval_seconds: float = 0.1
    start_timeout_seconds: float = 60.0
    backoff_seconds_min: float = 0.1
    backoff_seconds_max: float = 5.0
    exit_timeout_seconds: float = 5.0
    frame_seconds_max: float = 10.0

    def __post_init__(self) -> None:
        """Raise InvalidRequest that names every field at fault."""
        least = {
            "attempt_memory_bytes_max": 0,
            "attempt_cpu_seconds_max": 0,
            "max_jobs_per_worker": 0,
            "cancel_grace_seconds": 0,
            "prefetch_run_us_max": 0,
        }
        most = {"async_concurrency": 4_096, "frame_jobs_max": 65_536, "workers_max": 65_536}
        violations = []
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = least.get(field.name), most.get(field.name)
            if low is None and value <= 0:
                violations.append(FieldViolation(field.name, f"is {value}, must be above 0"))
            elif low is not None and value < low:
                violations.append(FieldViolation(field.name, f"is {value}, must be at least {low}"))
            elif high is not None and value > high:
                violations.append(FieldViolation(field.name, f"is {value}, must be at most {high}"))
        if violations:
            text = "; ".join(f"{violation.path} {violation.description}" for violation in violations)
            raise InvalidRequest(f"limits of the local engine: {text}", violations=violations)

    @property
    def reply_bytes_max(self) -> int:
        """Largest body of a frame from a worker. It sends what has gathered at `frame_bytes`; one more outcome fits: an inline
        output with its media type, name and metadata (18 KiB) or the order of its parts, a failure (message, traceback,
        metadata), progress."""
        return self.frame_bytes + max(self.inline_bytes_max, ORDER_BYTES_MAX) + 8 * self.failure_bytes_max + 256 * KIB
