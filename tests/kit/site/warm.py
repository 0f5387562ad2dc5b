"""Commands as processes forked off a warm parent, which has imported what they will import.

Most of a short command's time is an interpreter that starts and imports. Here it is spent once:

    process = start(["bluegreen", "status"], folder, env)      # python -m bluegreen status
    process.wait()

Each is a process of its own, in a session of its own, with its own environment, folder, signals
and exit code: killed, it dies as any other. What depends on a module that is imported anew
(kit/faults/clocks.py) is started cold, and so is the command where its start is what is tested.
"""

from __future__ import annotations

import atexit
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import IO, NoReturn

_NUMBER = struct.Struct("!i")
_MOST = 1 << 20  # bytes of one order: an environment and a command line
_FORKED_WITHIN = 60.0  # seconds; the first order waits for the parent's imports


class Process:
    """As much of `subprocess.Popen` as the kit needs. The warm parent is the one that reaps."""

    def __init__(self, news: socket.socket, stdout: IO[str], stderr: IO[str]) -> None:
        self._news = news
        weakref.finalize(self, news.close)  # what is killed need not be waited for
        self._lock = threading.Lock()
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        news.settimeout(_FORKED_WITHIN)
        self.pid = _number(news)

    def poll(self) -> int | None:
        with self._lock, suppress(TimeoutError, BlockingIOError):
            if self.returncode is None:
                self._news.settimeout(0)
                self._end()
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Raises `subprocess.TimeoutExpired`."""
        deadline = time.monotonic() + timeout
        with self._lock:
            if self.returncode is None:
                self._news.settimeout(max(0.001, deadline - time.monotonic()))
                try:
                    self._end()
                except TimeoutError:
                    raise subprocess.TimeoutExpired(str(self.pid), timeout) from None
            assert self.returncode is not None
            return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def _end(self) -> None:
        self.returncode = os.waitstatus_to_exitcode(_number(self._news))
        self._news.close()


def start(argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> Process:
    """`python -m ARGV…` in `folder`, with this environment and nothing on its stdin."""
    news, of_parent = socket.socketpair()
    streams = [os.pipe() for _ in range(2)]
    order = json.dumps({"argv": list(argv), "folder": str(folder), "env": dict(env)}).encode()
    try:
        with _ordering:
            writing = [end for _, end in streams]
            socket.send_fds(_parent(), [order], [of_parent.fileno(), *writing])
    finally:
        of_parent.close()
        for _, end in streams:
            os.close(end)
    reading = [os.fdopen(end, encoding="utf-8", errors="replace") for end, _ in streams]
    return Process(news, *reading)


def _number(news: socket.socket) -> int:
    data = b""
    while len(data) < _NUMBER.size:
        more = news.recv(_NUMBER.size - len(data))
        assert more, "the warm parent has gone"
        data += more
    return int(_NUMBER.unpack(data)[0])


# --- the parent, as the tests see it --------------------------------------------

_ordering = threading.Lock()
_orders: socket.socket | None = None


def _parent() -> socket.socket:
    """What the parent of this test run listens to; it goes when the run does."""
    global _orders
    if _orders is None:
        _orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        child = subprocess.Popen(
            [sys.executable, "-m", "kit.site.warm", str(theirs.fileno())],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        atexit.register(_end_of, child, _orders)
    return _orders


def _end_of(child: subprocess.Popen[bytes], orders: socket.socket) -> None:
    orders.close()
    child.wait(10)


# --- the parent itself ------------------------------------------------------------


class _Parent:
    """It has no thread but one: whoever forks with more may wait for a lock for ever."""

    def __init__(self, orders: socket.socket) -> None:
        self._orders = orders
        self._children: dict[int, socket.socket] = {}
        self._woken, waking = socket.socketpair()
        waking.setblocking(False)
        self._woken.setblocking(False)
        self._waking = waking
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)

    def serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._orders, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._woken:
                        self._reap()
                    elif not self._take():
                        return

    def _take(self) -> bool:
        data, ends, _, _ = socket.recv_fds(self._orders, _MOST, 3)
        if not data:
            return False
        news, stdout, stderr = ends
        pid = os.fork()
        if not pid:
            self._become(json.loads(data), stdout, stderr, news)
        os.close(stdout)
        os.close(stderr)
        self._children[pid] = socket.socket(fileno=news)
        return True

    def _reap(self) -> None:
        with suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                with self._children.pop(pid) as news, suppress(OSError):  # who asked may have gone
                    news.sendall(_NUMBER.pack(status))

    def _become(self, order: dict[str, object], stdout: int, stderr: int, news: int) -> NoReturn:
        """In the child: nothing of the parent's stays but what it imported."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.setsid()
            os.write(news, _NUMBER.pack(os.getpid()))  # now its whole group can be killed
            for end, number in ((os.open(os.devnull, os.O_RDONLY), 0), (stdout, 1), (stderr, 2)):
                os.dup2(end, number)
                os.close(end)
            os.close(news)
            for one in (self._orders, self._woken, self._waking, *self._children.values()):
                one.close()
            sys.stdin = open(0, encoding="utf-8")  # noqa: SIM115  as an interpreter opens them
            sys.stdout = open(1, "w", encoding="utf-8")  # noqa: SIM115
            sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115
            code = _run(**order)  # type: ignore[arg-type]
            sys.stdout.flush()
        finally:
            os._exit(code)


def _run(argv: list[str], folder: str, env: dict[str, str]) -> int:
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(folder)
    sys.argv = list(argv)
    try:
        runpy.run_module(argv[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001  an interpreter that ends by it would print it, too
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _import_everything() -> None:
    import bluegreen

    for module in pkgutil.walk_packages(bluegreen.__path__, "bluegreen."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for name in (
        "loguru",
        "rich.console",
        "rich.table",
        "kit.faults.killing",
        "kit.faults.breakpoint",
    ):
        import_module(name)


if __name__ == "__main__":
    import gc

    listening = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever runs the tests
    _import_everything()
    gc.collect()
    gc.freeze()  # what is here stays, and is shared
    _Parent(listening).serve()
