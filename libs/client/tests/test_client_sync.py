"""The plain client is the asynchronous one: the same surface, the same errors, nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
import warnings

import pytest

import frameloom.client
from frameloom.client import AsyncClient, Client, NotFoundError, UsageError
from frameloom.client.calls.keys import AsyncKeys
from frameloom.client.calls.system import AsyncDebug
from frameloom.client.sync import Debug, Keys

PAIRS = [(AsyncClient, Client), (AsyncKeys, Keys), (AsyncDebug, Debug)]
ASYNC_ONLY = {"stream"}
"""An open response lives on the loop that made it."""


def _surface(kind: type) -> dict[str, inspect.Signature | str]:
    found: dict[str, inspect.Signature | str] = {}
    for name, member in inspect.getmembers(kind):
        if not name.startswith("_") and name not in ASYNC_ONLY:
            found[name] = inspect.signature(member) if callable(member) else type(member).__name__
    return found


@pytest.mark.parametrize(("asynchronous", "plain"), PAIRS)
def test_both_have_the_same_surface(asynchronous, plain):
    theirs, ours = _surface(asynchronous), _surface(plain)
    assert set(theirs) == set(ours)
    for name in theirs.keys() - {"close"}:
        assert str(theirs[name]) == str(ours[name]), name
    assert str(inspect.signature(asynchronous)) in {
        str(inspect.signature(plain)),
        "(client: 'Calls') -> 'None'",
    }


@pytest.mark.parametrize(("asynchronous", "plain"), PAIRS)
def test_each_plain_method_is_the_other_and_not_a_copy(asynchronous, plain):
    for name, member in inspect.getmembers(plain, inspect.isfunction):
        if not name.startswith("_") and name != "close":
            assert member.__wrapped__ is inspect.getattr_static(asynchronous, name), name
            assert member.__doc__


def test_all_that_is_exported_is_there_and_typed():
    for name in frameloom.client.__all__:
        assert getattr(frameloom.client, name) is not None
    assert set(frameloom.client.__all__) - {"__version__"} == set(frameloom.client._MODULE_OF)
    declared = (
        inspect.getsource(frameloom.client).partition("if TYPE_CHECKING:")[2].partition("__version__")[0]
    )
    assert all(name in declared for name in frameloom.client._MODULE_OF)
    with pytest.raises(AttributeError):
        _ = frameloom.client.Nothing


def test_the_whole_way_in_plain_code(gateway, video, tmp_path):
    with Client(gateway.url, api_key="va_1") as client:
        job = client.submit(video, pipelines=["face_analysis"])
        assert [one.id for one in client.jobs()] == [job.id]
        kinds = [item.type for item in client.events(job.id)]
        assert client.wait(job.id, timeout=20).succeeded
        assert client.artifacts(job.id, tmp_path).members == ("clip",)
        assert client.keys.create("x").key == "va_1"
        assert client.debug.server_info() == {"asked": "server-info"}
        client.delete(job.id)
        with pytest.raises(NotFoundError):
            client.job(job.id)
        assert repr(client) == f"<Client {gateway.url}, key from the one that was given>"
    assert (kinds[0], kinds[-1]) == ("job.submitted", "job.completed")


def test_leaving_a_feed_early_closes_it(gateway):
    gateway.add_job("a.mp4", ["face_analysis"])
    with Client(gateway.url) as client:
        for item in client.events("job-1"):
            assert item.type == "job.submitted"
            break
        feed = client.events("job-1")
        next(feed)
    feed.close()


async def test_it_works_where_a_loop_runs_already(gateway):
    with Client(gateway.url) as client:
        assert client.health()["status"] == "ok"
    assert asyncio.get_running_loop().is_running()


def test_threads_share_a_client(gateway):
    answers = []
    with Client(gateway.url) as client:
        threads = [threading.Thread(target=lambda: answers.append(client.health())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(answers) == 8


def test_a_callback_must_not_call_the_client(gateway, video):
    with Client(gateway.url) as client, pytest.raises(RuntimeError, match="must not call the client"):
        client.submit(video, on_bytes=lambda _: client.health())


def test_a_closed_client_says_so(gateway):
    client = Client(gateway.url)
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.health()


def test_a_client_that_nobody_closed_is_closed_and_told_of(gateway):
    before = {thread.name for thread in threading.enumerate()}
    client = Client(gateway.url)
    client.health()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del client
        gc.collect()
    assert [str(one.message) for one in caught if one.category is ResourceWarning] == [
        f"unclosed <AsyncClient {gateway.url}>"
    ]
    assert {thread.name for thread in threading.enumerate()} == before


def test_no_thread_is_left_where_the_address_is_none():
    before = threading.active_count()
    with pytest.raises(UsageError):
        Client("ftp://host")
    assert threading.active_count() == before
