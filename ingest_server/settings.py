"""All settings of the server: one frozen object; each field with its meaning, default, reason and limits.

Where the values come from (flags, environment, file) is the business of `settings_sources.py`. Units are the last word of a name.
A field marked `live` can be changed while the server runs (SIGHUP reads the sources again); the others need a restart.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from typing import Any

from ingest_server.configuration.declaration import (
    DAY_SECONDS,
    GIB,
    HOUR_SECONDS,
    KIB,
    MIB,
    SETTING,
    SettingsError,
    own_faults,
    setting,
)
from ingest_server.configuration.reader_fields import ReaderFields
from ingest_server.configuration.rest_fields import RestFields
from ingest_server.settings_rules import auth_is_on, faults_between


def usable_processors() -> int:
    """Processors this process may use: fewer than the machine has under `taskset` or in a container with a CPU set."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ReaderFields, RestFields):
    """The configuration of one server. Values are checked when it is made: SettingsError names all faults at once."""

    # ------------------------------------------------------------------------------------------------------------ the server
    listen: str = setting("127.0.0.1:50051", "Where to serve gRPC: HOST:PORT (port 0 picks one) or unix:PATH.")
    insecure_listen_anywhere: bool = setting(
        False, "Serve beyond loopback although authentication is off: whoever reaches the port may run jobs."
    )
    data_dir: str = setting("ingest-data", "Folder for the store, blobs and spooled inputs. Made if missing.")
    store: str = setting("sqlite", "Where jobs live. memory forgets them at the end.", choices=("sqlite", "memory"))
    drain_seconds: float = setting(
        30.0, "At SIGTERM running jobs get so long to end; then they are handed back.", least=0, most=HOUR_SECONDS, live=True
    )
    log_level: str = setting("info", "Least severe lines logged.", choices=("debug", "info", "warning", "error"), live=True)
    log_format: str = setting(
        "json", "Form of the lines on stderr: json for machines, text for people.", choices=("json", "text")
    )
    metrics_listen: str = setting("", "Where to serve Prometheus metrics over HTTP: HOST:PORT. Empty: nowhere.")

    # ------------------------------------------------------------------------------------------------------------ who may call
    tls_cert: str = setting("", "PEM file with the server's certificate chain. Turns TLS on; needs tls_key.")
    tls_key: str = setting("", "PEM file with the private key of tls_cert.")
    tls_client_ca: str = setting("", "PEM file with the authorities whose client certificates are accepted (mTLS).")
    tokens_file: str = setting("", "TOML file with bearer tokens, certificates, tenants and quotas. Read again at SIGHUP.")
    auth_token: str = setting(
        "", "One bearer token that may do everything, where a tokens_file is too much.", secret=True, live=True
    )

    # ------------------------------------------------------------------------------------------------------------ the engine
    workers: int = setting(usable_processors, "Worker processes; by default one per processor.", least=1, most=1_024, live=True)
    handlers: tuple[str, ...] = setting((), "Python modules that define handlers, besides those built in.")
    preload_modules: tuple[str, ...] = setting((), "Modules imported once, before the workers are forked, and shared by them.")
    worker_start_seconds: float = setting(
        60.0, "Longest time to load handlers and preloads: a large model takes tens of seconds.", least=1, most=HOUR_SECONDS
    )
    async_concurrency: int = setting(64, "Attempts of async handlers one worker runs side by side.", least=1, most=4_096)
    jobs_per_worker_max: int = setting(
        0, "A worker is replaced after so many jobs, against slow leaks. 0: never.", least=0, most=1_000_000_000
    )
    frame_jobs_max: int = setting(
        256, "Most jobs in one frame to a worker: beyond 256 the frame's own cost no longer shows.", least=1, most=10_000
    )
    frame_target_seconds: float = setting(
        0.003,
        "A frame holds jobs worth about this much run time: a few round trips, so none waits long behind others.",
        least=0.0001,
        most=10,
    )
    frame_bytes_max: int = setting(
        256 * KIB, "A frame to a worker is closed when it has reached so many bytes.", least=4 * KIB, most=64 * MIB
    )
    progress_interval_seconds: float = setting(
        0.1, "Between two progress reports of one attempt; the newest wins.", least=0.01, most=60
    )

    # ------------------------------------------------------------------------------------------------------ limits of an attempt
    attempt_timeout_seconds: float = setting(
        HOUR_SECONDS, "Longest run of one attempt where the job names none.", least=0.001, most=7 * DAY_SECONDS, live=True
    )
    attempt_memory_bytes_max: int = setting(
        0, "Memory one attempt may add to its worker (address space). 0: no limit.", least=0, most=1 << 50
    )
    attempt_cpu_seconds_max: int = setting(
        0, "Processor time one attempt may use, in whole seconds as the system counts it. 0: no limit.", least=0, most=604_800
    )
    cancel_grace_seconds: float = setting(
        5.0, "Between the steps of a cancel: flag, interrupt, kill.", least=0.01, most=HOUR_SECONDS
    )

    # ------------------------------------------------------------------------------------------------ retries a job does not name
    retry_attempts_max: int = setting(3, "Attempts in all.", least=1, most=1_000, live=True)
    retry_backoff_initial_seconds: float = setting(1.0, "Wait after the first failure.", least=0, most=DAY_SECONDS, live=True)
    retry_backoff_max_seconds: float = setting(60.0, "No wait is longer.", least=0, most=DAY_SECONDS, live=True)
    retry_backoff_multiplier: float = setting(2.0, "Factor from one wait to the next.", least=1, most=100, live=True)
    retry_crashes_max: int = setting(
        3, "Times a job may kill its worker before it fails: once may be chance, thrice is not.", least=1, most=100, live=True
    )

    # ------------------------------------------------------------------------------------------------------------ the scheduler
    lease_seconds: float = setting(
        30.0, "A lease that is not renewed ends after this; its jobs run again.", least=3, most=HOUR_SECONDS
    )
    promote_interval_seconds: float = setting(
        0.1,
        "Between searches for jobs whose start, deadline or end of lease has come: starts are so punctual.",
        least=0.01,
        most=60,
    )
    retention_interval_seconds: float = setting(
        1.0,
        "Between clean-ups of what is past its time; each step is small, so writers do not wait.",
        least=0.1,
        most=DAY_SECONDS,
    )
    priority_ageing_seconds: float = setting(
        30.0, "Waiting time that is worth one step of priority, so none starves.", least=0.1, most=DAY_SECONDS
    )
    queued_jobs_max: int = setting(
        10_000_000, "Live jobs of all tenants; further submits are refused. The store is measured up to this.", least=1, live=True
    )

    # ------------------------------------------------------------------------------------------------------------ retention
    result_ttl_seconds: float = setting(
        7 * DAY_SECONDS, "Ended jobs are kept so long where they name no time.", least=1, most=366 * DAY_SECONDS, live=True
    )
    event_ttl_seconds: float = setting(
        DAY_SECONDS, "Events are kept so long for resume tokens.", least=60, most=366 * DAY_SECONDS, live=True
    )
    blob_ttl_seconds: float = setting(
        DAY_SECONDS, "Blobs no job refers to are kept so long.", least=60, most=366 * DAY_SECONDS, live=True
    )

    # ------------------------------------------------------------------------------------------------------------ callbacks
    callback_hosts: tuple[str, ...] = setting(
        (),
        "Where callbacks may go: [http://|https://]HOST[:PORT], https and its port unless said; HOST may be *.NAME or *, PORT *. "
        "Empty: jobs with callbacks are refused.",
    )
    callback_networks: tuple[str, ...] = setting(
        (),
        "Networks (10.1.0.0/16) callbacks may reach although they are private, loopback, link-local or reserved: by default "
        "nobody's URL can make the server call what only the server can reach.",
    )
    callback_secrets: tuple[str, ...] = setting(
        (),
        "Keys that sign callbacks: whsec_BASE64 of 24 to 64 bytes, or TENANT:whsec_BASE64. Several sign side by side.",
        secret=True,
        live=True,
    )
    callback_attempts_max: int = setting(
        40, "Attempts of one delivery: with the waits below more than its time allows.", least=1, most=100
    )
    callback_total_seconds: float = setting(
        DAY_SECONDS, "A delivery is given up so long after its first attempt could begin.", least=1, most=30 * DAY_SECONDS
    )
    callback_backoff_initial_seconds: float = setting(
        5.0, "Wait after the first failed attempt; each is twice the one before.", least=0.01, most=DAY_SECONDS
    )
    callback_backoff_max_seconds: float = setting(HOUR_SECONDS, "No wait is longer.", least=0.01, most=DAY_SECONDS)
    callback_connect_seconds: float = setting(5.0, "Longest time for DNS, connection and TLS.", least=0.1, most=300)
    callback_attempt_seconds: float = setting(
        15.0, "Longest time of one attempt; Standard Webhooks advises 15 to 30.", least=0.1, most=300
    )
    callback_concurrent_max: int = setting(64, "Callbacks under way at once.", least=1, most=1_000)
    callback_concurrent_per_host_max: int = setting(
        8, "The same to one host and port, so that a slow one does not hold up the others.", least=1, most=1_000
    )
    callback_response_bytes_max: int = setting(
        16 * KIB, "Read of an answer's body before the connection is closed: only its status counts.", least=0, most=MIB
    )

    # --------------------------------------------------------------------------------------------------- what handlers may reach
    store_targets: tuple[str, ...] = setting(
        (),
        "Where jobs with the task store may write: folders, s3://BUCKET/PREFIX, and all below them. Empty: such jobs are "
        "refused. The data_dir stays closed.",
    )
    store_busy_seconds: float = setting(
        30.0, "Longest wait for a database of the task store that another process writes to.", least=0.1, most=300
    )
    s3_endpoint: str = setting(
        "", "S3-compatible service that s3:// is at: http[s]://HOST[:PORT]. Empty: that of AWS for s3_region."
    )
    s3_region: str = setting("us-east-1", "Region that requests to S3 are signed for; the keys are AWS_… variables.")
    s3_idle_seconds: float = setting(30.0, "Longest silence of an S3 service within a request.", least=0.1, most=HOUR_SECONDS)

    # ------------------------------------------------------------------------------------------------------------ sources
    source_roots: tuple[str, ...] = setting(
        (), "Folders below which jobs of all tenants may name files as inputs (file:///…). Empty: none may."
    )
    source_hosts: tuple[str, ...] = setting(
        (), "Hosts from which inputs may be fetched; written as in callback_hosts. Empty: jobs with such inputs are refused."
    )
    source_networks: tuple[str, ...] = setting(
        (), "Networks inputs may be fetched from although they are not of the public internet; as in callback_networks."
    )
    source_buckets: tuple[str, ...] = setting(
        (), "What of S3 may be fetched, s3://BUCKET or s3://BUCKET/PREFIX, with the server's own credentials. Empty: nothing."
    )
    source_bytes_max: int = setting(GIB, "Largest input that is fetched.", least=1, most=1 << 50)
    source_seconds_max: float = setting(
        300.0, "Longest fetch, from DNS to the last byte: a worker does nothing else meanwhile.", least=0.1, most=DAY_SECONDS
    )
    source_connect_seconds: float = setting(10.0, "Longest time for the connection to one address, TLS too.", least=0.1, most=300)
    source_redirects_max: int = setting(5, "Redirects followed on the way to one input.", least=0, most=50)

    # ------------------------------------------------------------------------------------------------------------ embeddings
    embed_model: str = setting(
        "hashing-1", "Model of embed tasks that name none: hashing-1, a name of embed_local_models, or ENDPOINT/MODEL."
    )
    embed_endpoints: tuple[str, ...] = setting(
        (), "APIs such as OpenAI's that embed tasks of all tenants may use, NAME=URL: own=http://127.0.0.1:11434/v1."
    )
    embed_keys: tuple[str, ...] = setting((), "Keys of these endpoints, NAME=KEY; sent to them alone.", secret=True)
    embed_local_models: tuple[str, ...] = setting(
        (), "Models in the form of model2vec, NAME=FOLDER, or NAME=USER/MODEL of the Hugging Face hub; needs the extra embed."
    )
    embed_batch_chunks_max: int = setting(64, "Chunks in one request to an endpoint.", least=1, most=2_048)
    embed_batch_bytes_max: int = setting(
        256 * KIB, "Bytes of text in one request: about 64,000 tokens, where OpenAI takes 300,000.", least=KIB, most=64 * MIB
    )
    embed_attempts_max: int = setting(4, "Tries of one request within an attempt of the job.", least=1, most=20)
    embed_retry_wait_seconds_max: float = setting(
        60.0,
        "No wait between tries is longer; where more is asked for, the job is tried again later.",
        least=0,
        most=HOUR_SECONDS,
    )
    embed_request_seconds: float = setting(60.0, "Longest time of one request, answer included.", least=0.1, most=HOUR_SECONDS)
    embed_response_bytes_max: int = setting(
        64 * MIB, "Largest answer: 2,000 vectors of 1,536 numbers as text.", least=64 * KIB, most=GIB
    )

    # ------------------------------------------------------------------------------------------------------------ the store
    store_pending_bytes_max: int = setting(
        64 * MIB, "Bytes that may wait for the writer; then submits are refused.", least=MIB, most=64 * GIB
    )
    store_pending_calls_max: int = setting(4_096, "Calls that may wait for the writer.", least=1, most=1_000_000)
    store_pending_reads_max: int = setting(1_024, "Reads that may wait for a connection.", least=1, most=1_000_000)
    store_readers: int = setting(2, "Connections that read beside the writer.", least=1, most=64)

    # ------------------------------------------------------------------------------------------------------------ sizes
    message_bytes_max: int = setting(16 * MIB, "Largest message, either way.", least=MIB, most=1 * GIB)
    submit_items_max: int = setting(1_000, "Jobs in one SubmitJobs call.", least=1, most=10_000)
    fetch_items_max: int = setting(1_000, "Ids in one call.", least=1, most=10_000)
    inline_bytes_max: int = setting(
        256 * KIB, "Larger inputs and outputs are kept as blobs, out of the database.", least=0, most=4 * MIB
    )
    disk_free_bytes_min: int = setting(
        256 * MIB, "With less free space on the disk of the blobs, no more are taken.", least=0, most=1 << 50
    )
    blob_bytes_max: int = setting(8 * GIB, "Largest blob.", least=1, most=1 << 50)
    result_bytes_max: int = setting(1 * GIB, "Largest output of a job.", least=1, most=1 << 50)
    response_bytes_max: int = setting(
        3 * MIB, "Aimed-at size of a page or event message: below the 4 MiB that clients take by default.", least=64 * KIB
    )

    # ------------------------------------------------------------------------------------------------------------ calls
    wait_seconds_max: float = setting(
        HOUR_SECONDS, "Longest wait of RunJob and FetchResults.", least=0, most=DAY_SECONDS, live=True
    )
    call_seconds_max: float = setting(
        120.0, "A call whose caller set no deadline ends after this, beyond its wait.", least=1, most=HOUR_SECONDS, live=True
    )
    concurrent_calls_max: int = setting(
        10_000, "Calls under way at once, streams included; further ones are refused.", least=1, most=1_000_000, live=True
    )
    concurrent_calls_per_tenant_max: int = setting(
        5_000, "The same for one tenant, so that none shuts out the others.", least=1, most=1_000_000, live=True
    )
    watch_streams_max: int = setting(5_000, "WatchJobs streams at once: about 40 KB each.", least=1, most=1_000_000, live=True)
    watch_buffer_events_max: int = setting(
        10_000, "Events that wait for one slow watcher; beyond it gets snapshots instead.", least=100, most=1_000_000
    )
    watch_buffer_bytes_max: int = setting(
        32 * MIB, "The same by the outputs and failures that these events carry.", least=64 * KIB, most=GIB
    )
    watch_message_events_max: int = setting(1_000, "Events in one message of a watch.", least=1, most=10_000)
    watch_age_seconds_max: float = setting(
        HOUR_SECONDS, "A watch stream is closed after this, with its token, so that load can move.", least=1, most=DAY_SECONDS
    )
    blob_uploads_max: int = setting(64, "Uploads under way at once.", least=1, most=10_000)
    blob_upload_idle_seconds: float = setting(
        60.0, "An upload of which no piece comes for so long is ended; what came is kept.", least=1, most=HOUR_SECONDS
    )
    keepalive_seconds: float = setting(
        60.0, "A silent connection is asked after this whether it lives.", least=1, most=DAY_SECONDS
    )

    def __post_init__(self) -> None:
        values = self.values()
        faults = faults_between(values) + own_faults(fields(self), values)
        if faults:
            raise SettingsError(faults)

    @property
    def auth_on(self) -> bool:
        """Whether callers must prove who they are."""
        return auth_is_on(self.values())

    def with_live_of(self, other: Settings) -> Settings:
        """These settings, with the live ones of `other`. Raises SettingsError if the mixture is not allowed."""
        live = {item.name for item in fields(self) if item.metadata[SETTING].live}
        return replace(self, **{name: getattr(other, name) for name in live})

    def values(self) -> dict[str, Any]:
        """Every setting by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


def changed_fields(present: Settings, wanted: Settings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Compare two configurations.

    Returns:
        Names of the changed fields that a running server can take over, and of those that need a restart.
    """
    changed = [item for item in fields(Settings) if getattr(present, item.name) != getattr(wanted, item.name)]
    live = tuple(item.name for item in changed if item.metadata[SETTING].live)
    fixed = tuple(item.name for item in changed if not item.metadata[SETTING].live)
    return live, fixed
