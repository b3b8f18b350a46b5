"""The child's side of a model in a process of its own: ``python -m avatard.runtime.child FD``.

It serves one engine over the socket FD, one call after another, and ends when its parent closes the socket or dies.
Standard library only: the child holds the engine and nothing else.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import queue
import signal
import socket
import sys
import threading
from typing import Any

from avatard.runtime.custom import mount
from avatard.runtime.wire import HEADER, lengths, pack, unpack

PR_SET_PDEATHSIG = 1
"""linux/prctl.h"""


class Service:
    """Reads requests on one thread, runs them on the main one."""

    def __init__(self, sock: socket.socket) -> None:
        """Serve the parent behind the socket."""
        self._sock = sock
        self._requests: queue.Queue[dict[str, Any]] = queue.Queue()
        self._cancelled: set[int] = set()
        self._engine: Any = None

    def serve(self) -> None:
        """Serve until the parent is gone."""
        threading.Thread(target=self._read, daemon=True).start()
        while True:
            request = self._requests.get()
            number = request["id"]
            try:
                result = self._do(request, number)
            except Exception as err:  # the stage's edge: the parent is told and raises StageFailed
                self._send({"id": number, "error": f"{type(err).__name__}: {err}", "kind": type(err).__name__})
            else:
                self._send({"id": number, "result": result})

    def _do(self, request: dict[str, Any], number: int) -> Any:
        if request["do"] == "load":
            if request["custom"]:
                mount(request["custom"])
            module, name = request["engine"].split(":")
            self._engine = getattr(importlib.import_module(module), name)(**request["options"])
            return None
        if number in self._cancelled:
            return None
        result = getattr(self._engine, request["method"])(*request["args"])
        if request["do"] == "call":
            return result
        for item in result:
            if number in self._cancelled:
                result.close()
                break
            self._send({"id": number, "item": item})
        return None

    def _read(self) -> None:
        while True:
            header = self._exactly(HEADER.size)
            text, blob = lengths(header)
            request = unpack(self._exactly(text), self._exactly(blob))
            if request["do"] == "cancel":
                self._cancelled.add(request["id"])
                cancel = getattr(self._engine, "cancel", None)
                if cancel is not None:
                    cancel()
            else:
                self._requests.put(request)

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            piece = self._sock.recv(size - len(data))
            if not piece:
                os._exit(0)
            data += piece
        return bytes(data)

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._sock.sendall(pack(message))
        except OSError:
            os._exit(0)


def main() -> None:
    """Serve on the descriptor named by the first argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    Service(socket.socket(fileno=int(sys.argv[1]))).serve()


if __name__ == "__main__":
    main()
