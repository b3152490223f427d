"""Decoding ahead: order, bounds, errors, and that nothing is left running."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest

from frameloom.worker.ahead import Ahead


class Item:
    def __init__(self, number: int, size: int = 1) -> None:
        self.number = number
        self.size = size


class Source:
    """Makes items on demand, and says when it has made a given number."""

    def __init__(self, sizes: list[int], error: Exception | None = None) -> None:
        self._sizes = sizes
        self._error = error
        self._made = threading.Condition()
        self.made: list[weakref.ref[Item]] = []

    def __iter__(self) -> Iterator[Item]:
        for number, size in enumerate(self._sizes):
            item = Item(number, size)
            with self._made:
                self.made.append(weakref.ref(item))
                self._made.notify_all()
            yield item
            del item
        if self._error is not None:
            raise self._error

    def until(self, count: int) -> bool:
        with self._made:
            return self._made.wait_for(lambda: len(self.made) >= count, timeout=10)

    def stays_at(self, count: int) -> bool:
        """Nothing more is made although there is time for it."""
        with self._made:
            return not self._made.wait_for(lambda: len(self.made) > count, timeout=0.2)


def size(item: Item) -> int:
    return item.size


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "decode-ahead"]


def test_items_come_in_order_and_errors_after_them() -> None:
    seen = []
    with (
        pytest.raises(ValueError, match="at the end"),
        Ahead(Source([1] * 5, ValueError("at the end")), size) as ahead,
    ):
        seen.extend(item.number for item in ahead)
    assert seen == [0, 1, 2, 3, 4]
    assert not threads()


def test_it_runs_ahead_as_far_as_the_limit_and_no_further() -> None:
    source = Source([4] * 50)
    with Ahead(source, size, limit_bytes=10) as ahead:
        # Two fit, a third is made and waits for room.
        assert source.until(3)
        assert source.stays_at(3)
        assert next(iter(ahead)).number == 0
        assert source.until(4)
        assert source.stays_at(4)
    assert not threads()


def test_an_item_above_the_limit_passes_alone() -> None:
    with Ahead(Source([100, 1, 100]), size, limit_bytes=10) as ahead:
        assert [item.number for item in ahead] == [0, 1, 2]


def test_leaving_early_ends_the_thread_and_lets_go_of_what_waited() -> None:
    source = Source([4] * 50)
    with Ahead(source, size, limit_bytes=10) as ahead:
        assert next(iter(ahead)).number == 0
        assert source.until(3)
    assert not threads()
    del ahead
    gc.collect()
    assert [ref for ref in source.made if ref() is not None] == []


def test_what_was_used_is_let_go_while_the_next_is_awaited() -> None:
    gate = threading.Event()

    class Slow(Source):
        def __iter__(self) -> Iterator[Item]:
            items = super().__iter__()
            yield next(items)
            gate.wait(10)
            yield from items

    source = Slow([1, 1])
    with Ahead(source, size) as ahead:
        numbers = iter(ahead)
        first = next(numbers)
        del first
        waiting = threading.Thread(target=lambda: next(numbers))
        waiting.start()
        deadline = threading.Event()
        while source.made[0]() is not None and not deadline.wait(0.01):
            pass
        gate.set()
        waiting.join(10)
    assert not waiting.is_alive()
