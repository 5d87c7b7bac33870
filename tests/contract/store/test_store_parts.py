"""The law of parts: jobs that belong to another, for every store."""

from __future__ import annotations

from dataclasses import replace

from ingest_server.domain.job import JobState
from ingest_server.store.records import ANY_PARTS, Detail, JobQuery, SubmitCode, Verdict
from tests.contract.store.driver import AGEING, SECOND, TENANT, Driver, new_id, policy


async def _parts(driver: Driver, owner: bytes, ids: list[bytes], **fields: object) -> list[int]:
    """Submit parts. Answers their codes."""
    jobs = [(0, part, b"ipayload", "", b"") for part in ids]
    answer = await driver.submit_batch(jobs, replace(policy(use_existing=True), part_of=owner, **fields))  # type: ignore[arg-type]
    return list(answer.codes) or [SubmitCode.CREATED] * len(ids)


async def test_parts_are_found_by_their_ids_and_by_their_job_and_by_nothing_else(driver: Driver) -> None:
    (owner,) = await driver.submit(labels=(("team", "a"),))
    (other,) = await driver.submit()
    await _parts(driver, owner, [new_id(1), new_id(2)])
    await _parts(driver, other, [new_id(3)])
    assert [row.job_id for row in await driver.all()] == [owner, other]
    assert await driver.store.count(JobQuery(TENANT), now_us=driver.now) == {(None, "", ""): 2}
    found = await driver.all(part_of=owner)
    assert [(row.job_id, row.part_of, row.batch, row.batch_id) for row in found] == [
        (new_id(1), owner, 0, b""), (new_id(2), owner, 0, b""),
    ]  # fmt: skip
    assert [row.job_id for row in await driver.all(part_of=ANY_PARTS)] == [new_id(1), new_id(2), new_id(3)]
    (row,) = await driver.all(job_ids=(new_id(3),))
    assert (row.part_of, row.state) == (other, JobState.QUEUED)
    assert await driver.store.count(JobQuery(TENANT, job_ids=(new_id(1),)), now_us=driver.now) == {(None, "", ""): 1}
    assert await driver.store.count(JobQuery(TENANT, part_of=owner), now_us=driver.now) == {(None, "", ""): 2}
    assert (await driver.all(job_ids=(owner,)))[0].part_of == b""


async def test_a_cancel_of_everything_leaves_parts_to_their_job(driver: Driver) -> None:
    (owner,) = await driver.submit()
    await _parts(driver, owner, [new_id(1)])
    answers = await driver.store.cancel(JobQuery(TENANT), b"", 10, driver.now)
    assert [answer.job_id for answer in answers] == [owner]
    assert (await driver.all(job_ids=(new_id(1),)))[0].state is JobState.QUEUED
    answers = await driver.store.cancel(JobQuery("", part_of=owner), b"", 10, driver.now)
    assert [(answer.job_id, answer.state) for answer in answers] == [(new_id(1), JobState.CANCELLED)]


async def test_parts_stand_in_the_place_of_their_job(driver: Driver) -> None:
    (owner,) = await driver.submit()
    await driver.lease(1)
    accepted = driver.now
    driver.now += 5 * SECOND
    (younger,) = await driver.submit()
    driver.now += 5 * SECOND
    await _parts(driver, owner, [new_id(1), new_id(2)], line_us=accepted)
    lease = await driver.lease(3)
    assert [job[1] for job in lease.jobs] == [new_id(1), new_id(2), younger]
    assert AGEING > 10 * SECOND, "else the order would be that of age alone"


async def test_parts_that_are_there_are_answered_as_existing_with_their_ends(driver: Driver) -> None:
    (owner,) = await driver.submit()
    await driver.lease(1)
    assert await _parts(driver, owner, [new_id(1), new_id(2)]) == [SubmitCode.CREATED] * 2
    await driver.run(Verdict.SUCCEEDED, output=b"out")
    assert await _parts(driver, owner, [new_id(1), new_id(2), new_id(3)]) == [
        SubmitCode.EXISTING, SubmitCode.EXISTING, SubmitCode.CREATED,
    ]  # fmt: skip
    query = JobQuery("", job_ids=(new_id(1),))
    page = await driver.store.jobs(query, limit=1, detail=Detail.OUTPUT, now_us=driver.now)
    assert (page.rows[0].state, page.rows[0].output) == (JobState.SUCCEEDED, b"out")


async def test_parts_can_be_deleted_when_they_have_ended_and_leave_nothing(driver: Driver) -> None:
    (owner,) = await driver.submit()
    await driver.lease(1)
    await _parts(driver, owner, [new_id(1), new_id(2)])
    lease = await driver.lease(1)
    await driver.settle(lease.number, lease.jobs)
    answers = await driver.store.delete(JobQuery("", job_ids=(new_id(1), new_id(2))), 2, driver.now)
    assert [(answer.job_id, answer.changed) for answer in answers] == [(new_id(1), True), (new_id(2), False)]
    assert [row.job_id for row in await driver.all(part_of=owner)] == [new_id(2)]
    await driver.run(Verdict.FAILED)
    await driver.delete(new_id(2))
    assert await driver.all(part_of=ANY_PARTS) == []
    assert (await driver.all())[0].batch_id != b"", "the batch of the job is still there"
    await driver.check_laws()
