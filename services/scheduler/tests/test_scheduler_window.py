"""The dispatch window: how much goes out, in which order, and to whom."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from frameloom.common.documents import FleetMember, Liveness, MediaRef, Service, TaskDocument
from frameloom.scheduler import window

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MEDIA = MediaRef(key="k", filename="a.mp4", size_bytes=1, sha256="00")
TOPIC = "x.tasks.a"


def task(number: int, *, tenant: str = "t", priority: int = 0, age: int = 0, **more: object) -> TaskDocument:
    fields = {
        "id": f"{number:04}",
        "job_id": "j",
        "tenant": tenant,
        "pipeline": "a",
        "priority": priority,
        "media": MEDIA,
        "created_at": NOW - timedelta(seconds=age),
        **more,
    }
    return TaskDocument.model_validate(fields)


def member(name: str, slots: int = 2, **more: object) -> FleetMember:
    fields = {
        "id": name,
        "service": Service.WORKER,
        "host": "h",
        "pid": 1,
        "version": "1",
        "started_at": NOW,
        "slots": slots,
        "pipelines": ("a",),
        **more,
    }
    return FleetMember.model_validate(fields)


def first(partitions: object) -> int:
    return partitions[0]  # type: ignore[index,no-any-return]


def room(slots: int, free: int, **partitions: tuple[int, tuple[int, ...]]) -> window.Capacity:
    return window.Capacity(slots, free, partitions)


def test_capacity_counts_only_healthy_workers_that_run_the_pipeline() -> None:
    fleet = [
        member("w1", 3),
        member("draining", 5, liveness=Liveness.DRAINING),
        member("other", 5, pipelines=("b",)),
        member("gateway", 5, service=Service.GATEWAY),
    ]
    found = window.capacity("a", TOPIC, fleet, {"w1": 1, "other": 4})
    assert (found.slots, found.free, found.window) == (3, 2, 4)


def test_a_worker_with_more_claims_than_slots_has_no_room_and_takes_none_from_others() -> None:
    found = window.capacity("a", TOPIC, [member("w1", 1), member("w2", 2)], {"w1": 3})
    assert (found.slots, found.free) == (3, 2)


def test_busy_workers_keep_one_message_per_slot_at_hand() -> None:
    assert room(slots=4, free=0).window == 4


def test_messages_spread_over_the_workers_by_their_room() -> None:
    capacity = room(4, 4, w1=(3, (7,)), w2=(1, (2,)))
    chosen = window.choose([task(n) for n in range(4)], [], {}, capacity, first)
    assert Counter(d.partition for d in chosen) == {7: 3, 2: 1}


def test_without_a_known_assignment_the_key_decides_the_partition() -> None:
    (chosen,) = window.choose([task(1)], [], {}, room(1, 1), first)
    assert chosen.partition is None


def test_a_tenant_with_much_running_waits_behind_one_with_nothing() -> None:
    waiting = [task(1, tenant="busy", age=100), task(2, tenant="new")]
    chosen = window.choose(waiting, [], {"busy": 3}, room(1, 0), first)
    assert [d.task.tenant for d in chosen] == ["new"]


def test_what_is_out_counts_for_its_tenant() -> None:
    waiting = [task(1, tenant="a", age=9), task(2, tenant="b")]
    out = [task(3, tenant="a")]
    chosen = window.choose(waiting, out, {}, room(2, 0), first)
    assert [d.task.tenant for d in chosen] == ["b"]


def test_equals_go_by_age() -> None:
    waiting = [task(1, age=1), task(2, age=3), task(3, age=2)]
    chosen = window.choose(waiting, [], {}, room(3, 3), first)
    assert [d.task.id for d in chosen] == ["0002", "0003", "0001"]


QUEUES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(-1, 1), st.integers(0, 5)), max_size=25).map(
    lambda rows: [task(n, tenant=t, priority=p, age=a) for n, (t, p, a) in enumerate(rows)]
)
OUT = st.lists(st.sampled_from("abc"), max_size=12).map(
    lambda tenants: [task(500 + n, tenant=t) for n, t in enumerate(tenants)]
)
RUNNING = st.dictionaries(st.sampled_from("abc"), st.integers(0, 6))
ROOMS = st.integers(0, 8).flatmap(lambda s: st.integers(0, s).map(lambda free: room(s, free)))


@given(QUEUES, OUT, RUNNING, ROOMS)
def test_never_more_than_the_window_and_never_less_than_fits(
    waiting: list[TaskDocument], out: list[TaskDocument], running: dict[str, int], capacity: window.Capacity
) -> None:
    chosen = window.choose(waiting, out, running, capacity, first)
    ids = [d.task.id for d in chosen]
    assert len(set(ids)) == len(ids)
    assert set(ids) <= {t.id for t in waiting}
    assert len(chosen) == min(len(waiting), max(0, capacity.window - len(out)))


@given(QUEUES, OUT, RUNNING, ROOMS)
def test_priority_is_never_inverted(
    waiting: list[TaskDocument], out: list[TaskDocument], running: dict[str, int], capacity: window.Capacity
) -> None:
    chosen = [d.task for d in window.choose(waiting, out, running, capacity, first)]
    taken = {t.id for t in chosen}
    left = [t.priority for t in waiting if t.id not in taken]
    priorities = [t.priority for t in chosen]
    assert priorities == sorted(priorities, reverse=True)
    assert not left or not priorities or min(priorities) >= max(left)


@given(QUEUES, OUT, RUNNING, ROOMS)
def test_within_a_priority_no_tenant_gets_ahead_of_one_that_waits(
    waiting: list[TaskDocument], out: list[TaskDocument], running: dict[str, int], capacity: window.Capacity
) -> None:
    waiting = [t.model_copy(update={"priority": 0}) for t in waiting]
    chosen = [d.task for d in window.choose(waiting, out, running, capacity, first)]
    shares = Counter(running) + Counter(t.tenant for t in out) + Counter(t.tenant for t in chosen)
    taken = {t.id for t in chosen}
    for hungry in {t.tenant for t in waiting if t.id not in taken}:
        for served in {t.tenant for t in chosen}:
            assert shares[served] <= shares[hungry] + 1


@given(QUEUES, ROOMS)
def test_within_a_tenant_and_priority_the_older_goes_first(
    waiting: list[TaskDocument], capacity: window.Capacity
) -> None:
    chosen = [d.task for d in window.choose(waiting, [], {}, capacity, first)]
    for tenant in "abc":
        mine = [t for t in chosen if t.tenant == tenant]
        assert mine == sorted(mine, key=lambda t: (-t.priority, t.created_at, t.id))


def dispatched(seconds_ago: float, dispatches: int = 1) -> TaskDocument:
    return task(1, dispatched_at=NOW - timedelta(seconds=seconds_ago), dispatches=dispatches)


def test_a_message_is_overdue_only_after_its_time() -> None:
    assert window.overdue([dispatched(4.9)], room(1, 1), 5, NOW, first) == []
    assert [d.task.id for d in window.overdue([dispatched(5)], room(1, 1), 5, NOW, first)] == ["0001"]


def test_each_repetition_waits_twice_as_long_up_to_a_bound() -> None:
    assert window.overdue([dispatched(9.9, 2)], room(1, 1), 5, NOW, first) == []
    assert window.overdue([dispatched(10, 2)], room(1, 1), 5, NOW, first)
    assert window.overdue([dispatched(80, 40)], room(1, 1), 5, NOW, first)


def test_nothing_is_overdue_while_every_slot_is_taken() -> None:
    assert window.overdue([dispatched(1000)], room(3, 0), 5, NOW, first) == []


def test_an_overdue_message_goes_to_a_worker_with_room() -> None:
    """By its key it would come to the same partition each time, behind the same busy worker."""
    capacity = room(3, 2, busy=(0, (0, 1, 2)), idle=(2, (5,)))
    found = window.overdue([dispatched(10)], capacity, 5, NOW, first)
    assert [d.partition for d in found] == [5]
