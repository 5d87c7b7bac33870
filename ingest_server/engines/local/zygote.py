"""The process that workers are forked from: loads the handlers once, forks on command, reaps, and takes all with it when it ends.

Run as `python -m ingest_server.engines.local.zygote FD`, where FD is its socket to the server. It is executed afresh, so nothing
of the server (event loop, threads, gRPC) is ever forked. It has one thread; it ends when the server hangs up.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
import sys

from ingest_server.domain.errors import InvalidRequest
from ingest_server.engines.local import allocator, orders
from ingest_server.engines.local.child import run_worker
from ingest_server.engines.local.processes import adopt_orphans, die_with_parent, process_table
from ingest_server.handlers.loader import import_module, load_handlers, run_preloads
from ingest_server.handlers.operator import use_operator_settings
from ingest_server.handlers.options import schema_of
from ingest_server.handlers.registry import HandlerRegistry


class Zygote:
    """Forks workers for one server.

    Args:
        link: socket to the server.
        configuration: how workers run.
        registry: the handlers, loaded.
    """

    def __init__(self, link: socket.socket, configuration: orders.Configure, registry: HandlerRegistry) -> None:
        self._link = link
        self._configuration = configuration
        self._registry = registry
        self._pid = os.getpid()
        self._pids: dict[int, int] = {}
        self._serials: dict[int, int] = {}
        # What preloads have started belongs to the handlers, for as long as the zygote lives.
        self._kept = {pid for pid, parent, _ in process_table() if parent == self._pid}
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def serve(self) -> None:
        """Take orders until the server hangs up."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._link, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        try:
            while True:
                ready = {fd for fd, _ in poll.poll()}
                if self._wake_read in ready:
                    self._drain_wake()
                    self._reap()
                if self._link.fileno() in ready and not self._take_order():
                    return
        except (BrokenPipeError, ConnectionResetError):
            return  # the server has gone between two messages
        finally:
            self._end_all()

    def _take_order(self) -> bool:
        received = orders.receive_in_zygote(self._link)
        if received is None:
            return False
        order, fds = received
        if isinstance(order, orders.Fork):
            self._fork(order, fds)
        elif isinstance(order, orders.Kill) and order.serial in self._pids:
            _kill_group(self._pids[order.serial])
        return True

    def _fork(self, order: orders.Fork, fds: list[int]) -> None:
        try:
            if len(fds) != 3:
                raise OSError("the limit of open files was reached while descriptors were passed")
            pid = os.fork()
        except OSError as error:
            for fd in fds:
                os.close(fd)
            self._send(orders.Forked(order.serial, 0, str(error)[: orders.TEXT_MAX]))
            return
        if pid == 0:
            self._become_worker(order, fds)
        for fd in fds:
            os.close(fd)
        self._pids[order.serial] = pid
        self._serials[pid] = order.serial
        self._send(orders.Forked(order.serial, pid))

    def _become_worker(self, order: orders.Fork, fds: list[int]) -> None:
        status = os.EX_SOFTWARE
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._link.close()
            os.close(self._wake_read)
            os.close(self._wake_write)
            os.setsid()
            die_with_parent(self._pid)
            status = run_worker(order, fds, self._configuration, self._registry)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            # Not sys.exit: what the zygote has registered to run at its end is not the worker's, and threads that a handler
            # has left must not keep it.
            os._exit(status)

    def _reap(self) -> None:
        died = False
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                break
            if found is None:
                break
            serial = self._serials.pop(found.si_pid, None)
            if serial is not None:
                # While it is a zombie its pid, and so its group, belongs to nobody else.
                _kill_group(found.si_pid)
                died = True
            _, status = os.waitpid(found.si_pid, 0)
            if serial is not None:
                del self._pids[serial]
                self._send(orders.Exited(serial, status))
        if died:
            self._end_strays()

    def _end_strays(self) -> None:
        """Kill what dead workers have left: processes of their sessions in other groups, and orphans that have come to us."""
        own = self._pid
        for pid, parent, session in process_table():
            if parent == own and pid not in self._kept and pid not in self._serials and session not in self._serials:
                _kill(pid)

    def _end_all(self) -> None:
        for pid in self._serials:
            _kill_group(pid)
        own = self._pid
        # Each round ends the children there are; their own children become ours and fall in the next.
        for _ in range(100):
            children = [pid for pid, parent, _ in process_table() if parent == own]
            if not children:
                return
            for pid in children:
                _kill(pid)
            for pid in children:
                try:
                    os.waitpid(pid, 0)
                except ChildProcessError:
                    continue

    def _drain_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4_096)

    def _send(self, message: orders.FromZygote) -> None:
        self._link.sendall(orders.encode(message))


def _kill_group(pid: int) -> None:
    """Kill a worker and what is in its group. Between fork and setsid it has no group of its own yet: then it alone."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        _kill(pid)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _load(link: socket.socket, configuration: orders.Configure) -> HandlerRegistry | None:
    """Load the handlers and tell the server; None if that failed, which the server is told too."""
    try:
        for name in configuration.preload_modules:
            import_module(name)
        registry = load_handlers(
            configuration.modules,
            builtin_modules=configuration.builtin_modules,
            use_entry_points=configuration.use_entry_points,
        )
        run_preloads(registry)
        for spec in registry:
            description = spec.description[: orders.TEXT_MAX]
            schema = schema_of(spec.options_type)
            loaded = orders.Loaded(spec.name, description, schema, spec.media_types, spec.is_async, spec.internal)
            link.sendall(orders.encode(loaded))
    except (InvalidRequest, ValueError) as error:
        link.sendall(orders.encode(orders.Failed(str(error)[: orders.TEXT_MAX])))
        return None
    return registry


def main() -> int:
    """Entry point of the process. Answers its exit code."""
    link = socket.socket(fileno=int(sys.argv[1]))
    link.set_inheritable(False)
    os.dup2(2, 1)  # what modules print while they are loaded goes to the log
    received = orders.receive_in_zygote(link)
    if received is None or not isinstance(received[0], orders.Configure):
        return 0
    configuration = received[0]
    allocator.forget(os.environ)
    if configuration.python_path is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = configuration.python_path
    die_with_parent(configuration.server_pid)
    adopt_orphans()
    use_operator_settings(configuration.operator)
    registry = _load(link, configuration)
    if registry is None:
        return 1
    # Freeze what is there: a collection in a worker would otherwise write to the head of every object and copy its page.
    gc.collect()
    gc.freeze()
    link.sendall(orders.encode(orders.Started(len(registry))))
    Zygote(link, configuration, registry).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
