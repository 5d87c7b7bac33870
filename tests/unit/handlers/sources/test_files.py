"""Files as sources: links that lead out, paths that change between the look and the open, and what is no file at all."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ingest_server.domain.errors import Code, Reason
from ingest_server.handlers.interface import Cancelled
from ingest_server.handlers.sources import files
from tests.unit.handlers.sources.conftest import Fetching

SECRET = b"not for clients"
NOBODY = 65_534


@pytest.fixture
def root(tmp_path: Path, fetching: Fetching) -> Path:
    """The allowed folder; beside it lies a secret."""
    (tmp_path / "secret.txt").write_bytes(SECRET)
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "a.txt").write_bytes(SECRET)
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"hello")
    fetching.limits = {"roots": (str(folder),)}
    return folder


@pytest.mark.parametrize("target", ["../secret.txt", "{tmp}/secret.txt", "loop/../../secret.txt", "/etc/passwd", "../nothing"])
def test_a_link_that_leads_out_is_refused_whether_or_not_anything_is_there(fetching: Fetching, root: Path, target: str) -> None:
    (root / "loop").symlink_to(".")
    (root / "link").symlink_to(target.format(tmp=root.parent))
    told = fetching.failure(f"file://{root}/link", Reason.SOURCE_FORBIDDEN)
    assert "source_roots" in told.message
    assert told.code is Code.PERMISSION_DENIED


def test_a_folder_that_leads_out_is_refused(fetching: Fetching, root: Path) -> None:
    (root / "sub").symlink_to("../hidden")
    fetching.failure(f"file://{root}/sub/a.txt", Reason.SOURCE_FORBIDDEN)


def test_a_magic_link_of_proc_is_refused(fetching: Fetching, root: Path) -> None:
    with (root.parent / "secret.txt").open("rb") as secret:
        (root / "link").symlink_to(f"/proc/self/fd/{secret.fileno()}")
        fetching.failure(f"file://{root}/link", Reason.SOURCE_FORBIDDEN)


@pytest.mark.parametrize("swapped", ["sub", "sub/a.txt"])
def test_a_path_that_becomes_a_link_between_look_and_open_is_not_followed(
    fetching: Fetching, root: Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    """Whoever may write below the root swaps a part for a link, at the very moment after it was resolved, each time anew."""
    (root / "sub").mkdir()
    (root / "sub" / "a.txt").write_bytes(b"harmless")
    (root / "evil").symlink_to("../secret.txt" if swapped == "sub/a.txt" else "../hidden")
    real = os.path.realpath
    swaps: list[str] = []

    def raced(path: str) -> str:
        if not path.endswith("/a.txt"):
            return real(path)
        if swaps:
            os.unlink(root / swapped)
            os.rename(root / "aside", root / swapped)
        resolved = real(path)
        os.rename(root / swapped, root / "aside")
        os.symlink(os.readlink(root / "evil"), root / swapped)
        swaps.append(resolved)
        return resolved

    monkeypatch.setattr(os.path, "realpath", raced)
    told = fetching.failure(f"file://{root}/sub/a.txt", Reason.SOURCE_UNAVAILABLE)
    assert "changes meanwhile" in told.message
    assert len(swaps) == files.WALKS_MAX


def test_a_file_replaced_by_a_link_after_it_was_opened_is_still_the_file(
    fetching: Fetching, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fstat

    def swapping(descriptor: int) -> os.stat_result:
        monkeypatch.setattr(os, "fstat", real)
        (root / "a.txt").rename(root / "aside")
        (root / "a.txt").symlink_to("../secret.txt")
        return real(descriptor)

    monkeypatch.setattr(os, "fstat", swapping)
    assert fetching.data(f"file://{root}/a.txt") == b"hello"


def test_links_in_a_circle_end(fetching: Fetching, root: Path) -> None:
    (root / "one").symlink_to("two")
    (root / "two").symlink_to("one")
    fetching.failure(f"file://{root}/one", Reason.SOURCE_UNAVAILABLE)


def test_links_that_stay_below_a_root_are_followed(fetching: Fetching, root: Path, tmp_path: Path) -> None:
    (root / "sub").mkdir()
    (root / "sub" / "up.txt").symlink_to("../a.txt")
    (root / "absolute.txt").symlink_to(root / "a.txt")
    (tmp_path / "alias").symlink_to(root)
    other = tmp_path / "other"
    other.mkdir()
    (root / "across.txt").symlink_to(other / "b.txt")
    (other / "b.txt").write_bytes(b"other root")
    for place in (f"{root}/sub/up.txt", f"{root}/absolute.txt"):
        assert fetching.data(f"file://{place}") == b"hello"
    assert fetching.data(f"file://{tmp_path}/alias/a.txt", roots=(f"{tmp_path}/alias",)) == b"hello"
    assert fetching.data(f"file://{root}/across.txt", roots=(str(root), str(other))) == b"other root"
    fetching.failure(f"file://{root}/across.txt", Reason.SOURCE_FORBIDDEN)


def test_a_pipe_a_socket_a_folder_and_a_device_are_not_read_and_hold_nobody_up(fetching: Fetching, root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "socket"))
        for name in ("pipe", "folder", "socket"):
            assert "regular file" in fetching.failure(f"file://{root}/{name}", Reason.SOURCE_UNUSABLE).message
    fetching.failure("file:///dev/zero", Reason.SOURCE_UNUSABLE, roots=("/dev",))
    fetching.failure("file:///dev/tty", Reason.SOURCE_UNUSABLE, roots=("/dev",))


def test_what_is_not_there_is_not_found(fetching: Fetching, root: Path) -> None:
    for place in ("b.txt", "a.txt/b", "x/y/z", "n" * 300):
        told = fetching.failure(f"file://{root}/{place}", Reason.SOURCE_NOT_FOUND)
        assert told.code is Code.NOT_FOUND
    fetching.failure("file:///no/such/place/a", Reason.SOURCE_NOT_FOUND, roots=("/no/such/place",))


def test_what_the_servers_user_may_not_read_is_forbidden(fetching: Fetching, root: Path) -> None:
    user = os.geteuid()
    (root / "a.txt").chmod(0)
    if user == 0:
        os.seteuid(NOBODY)
    try:
        fetching.failure(f"file://{root}/a.txt", Reason.SOURCE_FORBIDDEN)
    finally:
        os.seteuid(user)


def test_a_refusal_of_the_system_is_told_as_one(fetching: Fetching, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def refusing(path: object, flags: int, *more: object, **named: object) -> int:
        if str(path).startswith("/proc/self/fd/"):
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refusing)
    fetching.failure(f"file://{root}/a.txt", Reason.SOURCE_FORBIDDEN)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(fetching: Fetching, root: Path) -> None:
    with (root / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    told = fetching.failure(f"file://{root}/sparse", Reason.SOURCE_TOO_LARGE)
    assert told.metadata == {"limit_bytes": str(1 << 30)}
    assert "1,099,511,627,776" in told.message
    assert fetching.context.reports == []
    assert fetching.data(f"file://{root}/a.txt", bytes_max=5) == b"hello"
    fetching.failure(f"file://{root}/a.txt", Reason.SOURCE_TOO_LARGE, bytes_max=4)


@pytest.mark.parametrize("change", [b"grown" * 1_000_000, b""])
def test_a_file_that_changes_while_it_is_read_is_told_of(fetching: Fetching, root: Path, change: bytes) -> None:
    place = root / "busy"
    place.write_bytes(b"x" * 2_000_000)
    real = fetching.context.progress

    def changing(*given: object) -> None:
        real(*given)  # type: ignore[arg-type]
        with place.open("r+b") as file:
            file.truncate(len(change))
            file.write(change)

    fetching.context.progress = changing  # type: ignore[assignment, method-assign]
    fetching.failure(f"file://{root}/busy", Reason.SOURCE_UNAVAILABLE)


def test_a_cancel_ends_a_copy(fetching: Fetching, root: Path) -> None:
    (root / "large").write_bytes(b"x" * 2_000_000)
    fetching.context.progress = lambda *_: fetching.context.stop()  # type: ignore[method-assign]
    with pytest.raises(Cancelled):
        fetching.fetch(f"file://{root}/large")


def test_a_full_disk_is_told_as_one(fetching: Fetching, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(root / "missing"))
    assert "Make room" in fetching.failure(f"file://{root}/a.txt", Reason.STORAGE_FULL).message


def test_a_copy_leaves_the_disk_the_space_it_needs(fetching: Fetching, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "large").write_bytes(bytes(30_000_000))
    free = [60_000_000, 40_000_000]
    found = os.statvfs(root)

    def statvfs(_: object) -> os.statvfs_result:
        return os.statvfs_result((1, 1, *found[2:4], free.pop(0), *found[5:]))

    monkeypatch.setattr(os, "statvfs", statvfs)
    told = fetching.failure(f"file://{root}/large", Reason.STORAGE_FULL, free_bytes_min=31_000_000)
    assert "30,000,000 more bytes would leave less than 31,000,000 of 60,000,000" in told.message
    assert fetching.data(f"file://{root}/a.txt", free_bytes_min=31_000_000) == b"hello"
    free[:] = [70_000_000, 31_000_000]
    fetching.failure(f"file://{root}/large", Reason.STORAGE_FULL, free_bytes_min=31_000_000)
    assert free == []


def test_a_file_is_copied_with_its_name_and_progress(fetching: Fetching, root: Path) -> None:
    data = os.urandom(1_500_000)
    (root / "Über uns.pdf").write_bytes(data)
    fetched = fetching.fetch(f"file://{root}/%C3%9Cber%20uns.pdf")
    assert (fetched.name, fetched.media_type, fetched.size_bytes) == ("Über uns.pdf", "", len(data))
    assert dict(fetched.metadata) == {"k": "v"}
    assert fetched.path().suffix == ".pdf"
    assert bytes(fetched.view()) == fetched.read() == data
    path = fetched.path()
    fetched.close()
    assert not path.exists()
    assert fetching.context.reports[-1] == (len(data), len(data))
    assert [done for done, _ in fetching.context.reports] == [1_310_720 - 262_144, 1_310_720, 1_500_000]
    assert {total for _, total in fetching.context.reports} == {len(data)}


def test_what_the_job_says_of_its_input_wins(fetching: Fetching, root: Path) -> None:
    fetched = fetching.fetch(f"file://{root}/a.txt", media_type="text/markdown", name="b.md")
    assert (fetched.name, fetched.media_type, fetched.path().suffix) == ("b.md", "text/markdown", ".md")
    fetched.close()


def test_an_empty_file_is_an_input(fetching: Fetching, root: Path) -> None:
    (root / "empty").touch()
    assert fetching.data(f"file://{root}/empty") == b""


def test_what_was_allowed_when_the_job_came_is_looked_at_again(fetching: Fetching, root: Path) -> None:
    told = fetching.failure(f"file://{root}/a.txt", Reason.SOURCE_FORBIDDEN, roots=())
    assert "nothing by URI" in told.message
