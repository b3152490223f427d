"""The child process: what it says, how it dies, and that nothing of it stays behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import worker_clips
from worker_world import until

from frameloom.common.documents import FailureCategory
from frameloom.worker.child import process
from frameloom.worker.child.process import ChildDiedError, ChildProcess
from frameloom.worker.child.protocol import (
    LENGTH,
    REPLY,
    Chunk,
    Describe,
    Description,
    Done,
    Drop,
    Dropped,
    Failed,
    Member,
    Progressed,
    Run,
    Warm,
    pack,
)

WAIT = 60.0
DESCRIBE = Describe(extra_pipelines=("child_pipelines:Odd",))


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worker_clips.write(
        tmp_path_factory.mktemp("clip") / "clip.mp4", worker_clips.numbered(64, 48), frames=8
    )


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)


@pytest.fixture
async def child() -> AsyncIterator[ChildProcess]:
    started = await ChildProcess.start()
    try:
        async with asyncio.timeout(WAIT):
            await started.send(DESCRIBE)
            description = await started.receive()
        assert isinstance(description, Description)
        assert "odd" in [offer.id for offer in description.offers]
        yield started
    finally:
        await started.kill()


def run(video: Path, act: str, file: Path | str = "") -> Run:
    return Run(members=(member("t", act, file),), path=str(video), stem="clip")


def member(name: str, act: str, file: Path | str = "") -> Member:
    return Member(id=name, pipeline="odd", config={"act": act, "file": str(file)})


async def told(child: ChildProcess, request: Run) -> list[Any]:
    """Everything it says of a run."""
    replies: list[Any] = []
    async with asyncio.timeout(WAIT):
        await child.send(request)
        while not replies or not isinstance(replies[-1], Done | Failed):
            replies.append(await child.receive())
    return replies


async def gone(pid: int) -> None:
    await until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_messages_go_there_and_back_with_any_text() -> None:
    failed = Failed(member="t", category=FailureCategory.SYSTEM, message='ä😀"\n\u2028')
    packed = pack(failed)
    (size,) = LENGTH.unpack(packed[: LENGTH.size])
    assert size == len(packed) - LENGTH.size
    assert REPLY.validate_json(packed[LENGTH.size :]) == failed


def test_a_death_is_told_in_words() -> None:
    assert "SIGSEGV" in ChildDiedError(-signal.SIGSEGV).sentence()
    assert "out of memory" in ChildDiedError(-signal.SIGKILL).sentence()
    assert "exit code 3" in ChildDiedError(3).sentence()


async def test_one_child_runs_task_after_task_and_survives_their_failures(
    child: ChildProcess, video: Path, tmp_path: Path
) -> None:
    replies = await told(child, run(video, "rows"))
    rows = [item.row["frame"] for r in replies if isinstance(r, Chunk) for item in r.items]
    done = replies[-1]
    assert rows == list(range(8))
    assert isinstance(done, Done)
    assert (done.frames, done.pipeline_version, done.config["act"]) == (8, "7", "rows")
    assert any(isinstance(r, Progressed) for r in replies)
    assert [r.pipelines for r in replies if isinstance(r, Warm)] == [(), ("odd",)]

    (failed,) = [r for r in await told(child, run(video, "raise")) if isinstance(r, Failed)]
    assert failed.category is FailureCategory.SYSTEM
    assert "odd" in failed.message
    assert (await told(child, run(video, "memory")))[-1].category is FailureCategory.MEMORY_PRESSURE
    missing = run(video, "rows").model_copy(update={"path": str(tmp_path / "nothing.mp4")})
    assert (await told(child, missing))[-1].category is FailureCategory.INPUT_MISSING
    faulty = Member(id="t", pipeline="odd", config={"act": 7})
    wrong = run(video, "rows").model_copy(update={"members": (faulty,)})
    assert (await told(child, wrong))[-1].category is FailureCategory.VALIDATION
    nobody = Member(id="t", pipeline="nobody", config={})
    unknown = run(video, "rows").model_copy(update={"members": (nobody,)})
    assert isinstance((await told(child, unknown))[-1], Failed)

    again = await told(child, run(video, "rows"))
    assert isinstance(again[-1], Done)
    assert not any(isinstance(r, Warm) for r in again), "what it keeps is no news"


async def test_members_of_a_run_share_it_and_end_each_in_its_way(
    child: ChildProcess, video: Path, tmp_path: Path
) -> None:
    members = (member("well", "rows"), member("ill", "raise"), member("left", "wait", tmp_path / "gate"))
    ends: dict[str, Any] = {}
    rows: dict[str, list[int]] = {"well": [], "ill": [], "left": []}
    async with asyncio.timeout(WAIT):
        await child.send(Run(members=members, path=str(video), stem="clip"))
        # The third holds the run up at its first frame until the gate opens, so the drop comes in the middle.
        await until((tmp_path / "gate.waits").exists)
        await child.send(Drop(member="left"))
        (tmp_path / "gate").touch()
        while len(ends) < len(members):
            reply = await child.receive()
            if isinstance(reply, Chunk):
                rows[reply.member] += [item.row["frame"] for item in reply.items]
            elif isinstance(reply, Done | Failed | Dropped):
                ends[reply.member] = reply
    assert isinstance(ends["well"], Done)
    assert isinstance(ends["ill"], Failed)
    assert isinstance(ends["left"], Dropped)
    assert rows["well"] == list(range(8))
    assert rows["ill"] == []
    again = await told(child, Run(members=(member("left", "rows"),), path=str(video), stem="clip"))
    assert isinstance(again[-1], Done), "a drop of an earlier run says nothing of this one"


async def test_a_crash_is_told_and_takes_what_the_child_started_along(
    child: ChildProcess, video: Path, tmp_path: Path
) -> None:
    """The other process holds the socket open, so its end alone would never be seen."""
    with pytest.raises(ChildDiedError) as caught:
        await told(child, run(video, "family", tmp_path / "pid"))
    assert caught.value.returncode == -signal.SIGSEGV
    assert not child.alive
    await gone(int((tmp_path / "pid").read_text()))
    with pytest.raises(ChildDiedError):
        await told(child, run(video, "rows"))


async def test_a_child_that_exits_by_itself_is_told(child: ChildProcess, video: Path) -> None:
    with pytest.raises(ChildDiedError) as caught:
        await told(child, run(video, "exit"))
    assert caught.value.returncode == 3


async def test_a_child_that_hangs_up_and_stays_is_ended(
    child: ChildProcess, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_END_SECONDS", 0.1)
    with pytest.raises(ChildDiedError):
        await told(child, run(video, "close"))
    assert not child.alive


async def test_a_kill_ends_a_child_in_the_middle_of_its_work(
    child: ChildProcess, video: Path, tmp_path: Path
) -> None:
    running = asyncio.create_task(told(child, run(video, "hang", tmp_path / "pid")))
    await until((tmp_path / "pid").exists)
    async with asyncio.timeout(WAIT):
        await child.kill()
    with pytest.raises(ChildDiedError) as caught:
        await running
    assert caught.value.returncode == -signal.SIGKILL
    await gone(child.pid)
    await child.kill()  # a second time is no fault


PARENT = """
import asyncio, sys
from frameloom.worker.child.process import ChildProcess
from frameloom.worker.child.protocol import Describe, Member, Run

async def main():
    child = await ChildProcess.start()
    await child.send(Describe(extra_pipelines=("child_pipelines:Odd",)))
    await child.receive()
    config = {"act": "hang", "file": sys.argv[2]}
    member = Member(id="t", pipeline="odd", config=config)
    await child.send(Run(members=(member,), path=sys.argv[1], stem="x"))
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_child_ends_with_its_killed_parent_whatever_it_is_doing(video: Path, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, str(video), str(file))
    try:
        await until(lambda: file.exists() and bool(file.read_text()))
    finally:
        parent.kill()
        await parent.wait()
    await gone(int(file.read_text()))
