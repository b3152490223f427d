"""Where a key is looked for, and to whom it is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from frameloom.client import AsyncClient, Client, Key, UsageError
from frameloom.client.credentials import data_folder, find_key


def _embedded(folder: Path, address: str = "http://127.0.0.1:18011") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "api-key").write_text("va_embedded\n")
    (folder / "address").write_text(f"{address}\n")
    return folder


def test_the_order_is_file_then_variable_then_the_embedded_stack(tmp_path):
    named = tmp_path / "mine"
    named.write_text("  va_file \n")
    data = _embedded(tmp_path / "data")
    both = {"FRAMELOOM_API_KEY": "va_variable"}
    local = "http://127.0.0.1:18011"
    found = [
        find_key(local, key_file=named, data=data, environment=both),
        find_key(local, data=data, environment=both),
        find_key(local, data=data, environment={}),
        find_key(local, data=tmp_path, environment={}),
    ]
    assert [key and (key.value, key.origin) for key in found] == [
        ("va_file", str(named)),
        ("va_variable", "FRAMELOOM_API_KEY"),
        ("va_embedded", str(data / "api-key")),
        None,
    ]


@pytest.mark.parametrize(
    ("server", "sent"),
    [
        ("http://localhost:18011", True),
        ("http://[::1]:18011", True),
        ("http://127.0.0.1:18012", False),
        ("http://localhost", False),
        ("https://lab.example.org", False),
        ("http://10.0.0.1:18011", False),
        ("http://127.0.0.1.example.org", False),
    ],
)
def test_the_embedded_key_goes_to_its_own_stack_only(tmp_path, server, sent):
    assert (find_key(server, data=_embedded(tmp_path), environment={}) is not None) is sent


def test_a_stack_on_another_address_of_the_machine_gets_its_key(tmp_path):
    data = _embedded(tmp_path, "http://10.0.0.1:80")
    for server, sent in (
        ("http://10.0.0.1", True),
        ("http://localhost:80", True),
        ("http://10.0.0.2", False),
    ):
        assert (find_key(server, data=data, environment={}) is not None) is sent


def test_a_key_without_the_address_of_its_stack_is_sent_nowhere(tmp_path):
    (_embedded(tmp_path) / "address").unlink()
    assert find_key("http://127.0.0.1:18011", data=tmp_path, environment={}) is None


def test_the_embedded_key_is_looked_for_where_the_stack_keeps_its_data(tmp_path, monkeypatch):
    monkeypatch.setenv("FRAMELOOM_DATA", str(_embedded(tmp_path / "named")))
    with Client.from_environment() as client:
        assert client.server == "http://127.0.0.1:18011"
        assert client.key == Key("va_embedded", str(tmp_path / "named" / "api-key"))
    assert data_folder({"XDG_DATA_HOME": "/x"}) in {
        Path("/x/frameloom"),
        Path.home() / "Library/Application Support/frameloom",
    }


def test_the_environment_names_server_and_key(monkeypatch):
    monkeypatch.setenv("FRAMELOOM_SERVER", "lab.example.org:80")
    monkeypatch.setenv("FRAMELOOM_API_KEY", "va_x")
    with Client.from_environment() as client:
        assert (client.server, client.key) == ("http://lab.example.org:80", Key("va_x", "FRAMELOOM_API_KEY"))


@pytest.mark.parametrize("text", ["va_one\nva_two", "va one", "va_é", "x" * 5000])
def test_what_is_no_key_is_told_without_showing_it(tmp_path, text):
    file = tmp_path / "key"
    file.write_text(text)
    with pytest.raises(UsageError, match="is no key") as caught:
        find_key("http://127.0.0.1", key_file=file)
    assert text not in str(caught.value)
    with pytest.raises(UsageError):
        AsyncClient("http://127.0.0.1", api_key=text)


def test_a_key_file_that_is_not_there_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match="can not be read: No such file"):
        find_key("http://127.0.0.1", key_file=tmp_path / "absent")


@pytest.mark.parametrize("nothing", ["", "  \n", None])
def test_an_empty_key_is_none(nothing):
    assert Key.of(nothing) is None


async def test_the_password_of_a_proxy_may_stand_in_the_address(gateway):
    address = gateway.url.replace("http://", "http://lab:pass%20word@")
    async with AsyncClient(address) as client:
        await client.health()
        assert "pass" not in repr(client)
    assert gateway.seen[-1][2]["Authorization"] == "Basic bGFiOnBhc3Mgd29yZA=="
    with pytest.raises(UsageError, match="Both a key and a password"):
        AsyncClient(address, api_key="va_x")
