"""Vectors from a whole server: the built-in model, an endpoint, a model of this machine; and what clients never see."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_client import Client, Input, JobSpec, JobState, embed, split
from tests.acceptance.server.conftest import StartServer
from tests.acceptance.server.server_process import run_to_end
from tests.fakes.embedding_service import EmbeddingFake, embedding_service, never, saying, vector_of
from tests.fakes.static_model import make_model

KEY = "sk-very-secret-0123456789"


async def run(
    client: Client, text: str, model: str = "", **options: object
) -> tuple[JobState | None, str, list[list[float]], str]:
    """State, what the failure says, vectors, and the model that is recorded."""
    job = JobSpec(Input.text(text), [split("sentences", 1), embed(model, **options)])  # type: ignore[arg-type]
    result = await client.run(job)
    if result.error is not None:
        return result.state, f"{result.error.reason}: {result.error.message}", [], ""
    document = await result.document()
    return result.state, "", [list(chunk.embedding) for chunk in document.chunks], document.embedding_model


async def test_the_built_in_model_needs_nothing(client: Client) -> None:
    state, _, vectors, model = await run(client, "The cat sat. The dog ran.")
    assert (state, model) == (JobState.SUCCEEDED, "hashing-1")
    assert [len(vector) for vector in vectors] == [512, 512]
    info = await client.info()
    assert "embed" in info.tasks
    assert info.embedding_models == ("hashing-1",)


@pytest.fixture
def service() -> Iterator[EmbeddingFake]:
    """An endpoint of this test's own."""
    with embedding_service() as fake:
        yield fake


async def test_an_endpoint_is_the_operators_choice_and_its_key_stays_with_it(
    service: EmbeddingFake, start_server: StartServer
) -> None:
    server = start_server(
        "--embed-endpoints",
        f"own={service.url}",
        "--embed-model",
        "own/m",
        "--log-level",
        "debug",
        variables={"INGEST_EMBED_KEYS": f"own={KEY}"},
    )
    async with Client(server.address) as client:
        assert (await client.info()).embedding_models == ("own/m", "hashing-1", "own/*")
        _, _, vectors, model = await run(client, "One. Three.", dimensions=3)
        assert (vectors, model) == ([vector_of("One.", 3), vector_of("Three.", 3)], "own/m")
        assert service.asked[0].headers["authorization"] == f"Bearer {KEY}"
        service.answers[:] = [saying(401, KEY.encode()), saying(400, f'{{"error": {{"message": "{KEY}"}}}}'.encode())]
        for _ in range(2):
            state, told, _, _ = await run(client, "One.", "own/other")
            assert (state, told.partition(":")[0]) == (JobState.FAILED, "EMBEDDING_REFUSED")
            assert KEY not in told
        refused = await client.submit([JobSpec(Input.text("One."), [split(), embed("elsewhere/m")])])
        assert refused.results[0].error is not None
        assert "must be one of own/m, hashing-1, own/*" in str(refused.results[0].error.violations)
        assert KEY not in server.log


async def test_a_job_whose_endpoint_hangs_is_cancelled_at_once_and_its_worker_lives(
    service: EmbeddingFake, start_server: StartServer
) -> None:
    service.answers[:] = [never]
    server = start_server("--embed-endpoints", f"own={service.url}", "--cancel-grace-seconds", "30", workers=1)
    async with Client(server.address) as client:
        batch = await client.submit([JobSpec(Input.text("One."), [split(), embed("own/m")])])
        await asyncio.to_thread(service.held.wait)
        before = [worker.pid for worker in (await client.stats()).workers]
        await client.cancel(batch.job_ids)
        (result,) = await client.wait(batch)
        assert result.state is JobState.CANCELLED
        _, _, vectors, _ = await run(client, "Two.", "own/m")
        assert vectors == [vector_of("Two.")]
        assert [worker.pid for worker in (await client.stats()).workers] == before


async def test_a_model_of_this_machine_is_loaded_before_the_fork(tmp_path: Path, start_server: StartServer) -> None:
    pytest.importorskip("model2vec", reason="the extra `embed` is not installed")
    folder = make_model(tmp_path / "model")
    server = start_server("--embed-local-models", f"small={folder}", "--embed-model", "small")
    (folder / "model.safetensors").unlink()
    async with Client(server.address) as client:
        _, _, vectors, model = await run(client, "cat")
        assert (vectors, model) == ([[1.0, 0.0, 0.0]], "small")
        assert (await client.info()).embedding_models == ("small", "hashing-1")


def test_a_server_does_not_start_with_a_model_that_is_not_there(tmp_path: Path) -> None:
    ended = run_to_end("--data-dir", str(tmp_path), "--listen", "127.0.0.1:0", "--embed-local-models", "small=./nowhere")
    assert ended.status != 0
    assert 'The local embedding model "small" cannot be used' in ended.err
