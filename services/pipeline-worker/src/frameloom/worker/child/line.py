"""The child's end of the socket: a thread reads, any thread may speak."""

from __future__ import annotations

import queue
import socket
import threading

from frameloom.worker.child.protocol import LENGTH, REQUEST, Describe, Drop, Reply, Run, pack


class Line:
    """Requests in order, the members that are not wanted any more, and replies.

    Args:
        connection: To the parent.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._requests: queue.SimpleQueue[Describe | Run | None] = queue.SimpleQueue()
        self._dropped: set[str] = set()
        self._speaking = threading.Lock()
        threading.Thread(target=self._listen, name="line", daemon=True).start()

    def next(self) -> Describe | Run | None:
        """Waits for the next request. None: the parent has hung up."""
        return self._requests.get()

    def dropped(self, member: str) -> bool:
        """Whether the parent does not want this member of the present run any more."""
        return member in self._dropped

    def send(self, *replies: Reply) -> None:
        """Speaks; replies of one call stay together. Waits while the parent is slow to read."""
        said = b"".join(pack(reply) for reply in replies)
        with self._speaking:
            self._connection.sendall(said)

    def _listen(self) -> None:
        while (body := self._message()) is not None:
            request = REQUEST.validate_json(body)
            if isinstance(request, Drop):
                self._dropped.add(request.member)
                continue
            if isinstance(request, Run):
                # What was dropped of an earlier run, too late to matter there, says nothing of this one.
                self._dropped = set()
            self._requests.put(request)
        self._requests.put(None)

    def _message(self) -> bytes | None:
        head = self._exactly(LENGTH.size)
        return None if head is None else self._exactly(LENGTH.unpack(head)[0])

    def _exactly(self, size: int) -> bytes | None:
        parts: list[bytes] = []
        while size:
            part = self._connection.recv(size)
            if not part:
                return None
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
