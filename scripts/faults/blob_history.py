"""One seeded history of the blob store in a folder on a forgetful disk: it is killed, the power is cut, and it is looked at."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

from ingest_server.handlers.blob_files import BlobFiles
from ingest_server.store.blobs.files import FileBlobStore
from scripts.faults.directory_disk import DirectoryDisk, Off

TENANTS = ("one", "two")
STEPS_MAX = 120
OPERATIONS_MAX = 12
FAR_FUTURE_US = 10**17


class BlobHistory:
    """Lives of one blob store.

    Args:
        seed: of all that is left to chance.
        folder: empty, for the files.

    Attributes:
        faults: promises that were broken.
        cuts, answers: how often the power failed; how many operations were acknowledged.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self._chance = random.Random(seed)
        self._folder = folder
        # Few contents, of which some meet in one folder of the store, so that callers get in each other's way.
        self._contents = [self._chance.randbytes(self._chance.choice([1, 700, 5_000])) for _ in range(6)]
        self.faults: list[str] = []
        self.cuts = 0
        self.answers = 0
        self._blobs: set[bytes] = set()
        self._claims: set[tuple[str, bytes]] = set()

    def run(self, cuts: int) -> None:
        """Live until the power has failed so often, or a promise is broken."""
        place = self._folder / "0"
        place.mkdir()
        while self.cuts < cuts and not self.faults:
            disk = DirectoryDisk(place, random.Random(self._chance.random()))
            for _ in range(self._chance.choice([1, 2, 3])):  # killed and started again, until the power fails
                disk.dead = False
                disk.end_at = disk.steps + self._chance.randint(1, STEPS_MAX) if self._chance.random() < 0.9 else None
                with disk.watched():
                    asyncio.run(self._live(place))
            self.cuts += 1
            place = self._folder / str(self.cuts)
            disk.image(place)
            self._check(place)

    async def _live(self, place: Path) -> None:
        store: FileBlobStore | None = None
        try:
            store = FileBlobStore(place, threads=1)
            for _ in range(self._chance.randrange(OPERATIONS_MAX)):
                await self._operation(store, BlobFiles(place))
        except Off:
            pass
        finally:
            if store is not None:
                store.close()

    async def _operation(self, store: FileBlobStore, worker: BlobFiles) -> None:
        chance = self._chance
        data, tenant = chance.choice(self._contents), chance.choice(TENANTS)
        digest = hashlib.sha256(data).digest()
        kind = chance.choice(["put", "put", "upload", "worker", "claim", "sweep"])
        if kind == "put":
            await store.put(tenant, data)
        elif kind == "worker":
            worker.put_bytes(data)
        elif kind == "upload":
            async with await store.upload(tenant, digest) as upload:
                rest = data[upload.committed_bytes :]
                for piece in (rest[: len(rest) // 2], rest[len(rest) // 2 :]):
                    await upload.write(piece)
                await upload.finish()
        elif kind == "sweep":
            await self._sweep(store)
            return
        elif not (await store.there([digest]))[0]:
            return
        else:
            await store.claim(tenant, digest)
            self._claims.add((tenant, digest))
            self.answers += 1
            return
        self._blobs.add(digest)
        self.answers += 1

    async def _sweep(self, store: FileBlobStore) -> None:
        """Idle blobs go; from the moment they are judged so, nothing is promised of them."""

        async def in_use(digests: Sequence[bytes]) -> Sequence[bool]:
            used = [self._chance.random() < 0.7 for _ in digests]
            idle = {digest for digest, busy in zip(digests, used, strict=True) if not busy}
            self._blobs -= idle
            return used

        self._claims.clear()  # an old claim goes as soon as a sweep meets it
        await store.sweep(FAR_FUTURE_US, in_use, 1_000)

    def _check(self, place: Path) -> None:
        store = FileBlobStore(place, threads=1)
        store.close()
        for digest in sorted(self._blobs):
            if not store.files.path_of(digest).exists():
                self.faults.append(f"cut {self.cuts}: blob {digest.hex()[:12]} was acknowledged and is lost")
        for path in place.glob("??/??/*"):
            if hashlib.sha256(path.read_bytes()).hexdigest() != path.name:
                self.faults.append(f"cut {self.cuts}: blob {path.name[:12]} is not whole")
        for tenant, digest in sorted(self._claims):
            folder = hashlib.sha256(tenant.encode()).hexdigest()[:32]
            if not (place / "claims" / folder / digest.hex()[:2] / digest.hex()).exists():
                self.faults.append(f"cut {self.cuts}: the claim of {tenant} to {digest.hex()[:12]} was acknowledged and is lost")
