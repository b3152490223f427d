"""``frameloom keys``: the key alone on standard output, everything about it beside."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from frameloom.client.cli import app

run = CliRunner()
MADE = {
    "id": "1",
    "name": "laptop",
    "prefix": "va_abcde",
    "tenant": "lab",
    "scopes": ["jobs:read"],
    "status": "active",
    "expires_at": "2027-01-01T00:00:00Z",
}


def _call(*args: object):
    return run.invoke(app, [str(arg) for arg in args])


def test_a_new_key_is_all_that_stands_on_standard_output(gateway):
    done = _call("keys", "create", "laptop", "--scopes", "jobs:read", "--server", gateway.url)
    assert done.exit_code == 0, done.output
    assert done.stdout == "va_1\n"
    assert "jobs:read" in done.stderr
    assert "va_1" not in done.stderr
    done = _call("keys", "rotate", "1", "--overlap", "60", "--server", gateway.url)
    assert (done.exit_code, done.stdout) == (0, "va_2\n")


def test_json_has_the_whole_answer(gateway):
    done = _call("keys", "create", "laptop", "--server", gateway.url, "--json")
    assert json.loads(done.stdout)["key"] == "va_1"


@pytest.mark.parametrize("name", ["", "  "])
def test_a_key_without_a_name_is_refused_before_anybody_is_asked(gateway, name):
    done = _call("keys", "create", name, "--server", gateway.url)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: A key needs a name\nhint: Say who or what will use it")
    assert gateway.seen == []


@pytest.mark.parametrize("every", [False, True])
def test_keys_that_have_ended_are_listed_when_asked_for(gateway, every):
    gateway.keys = {"1": MADE, "2": {**MADE, "id": "2", "name": "lost", "status": "revoked"}}
    done = _call("keys", "list", "--server", gateway.url, *(["--all"] if every else []))
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0][:3] == ["KEY", "NAME", "BEGINS"]
    assert [row[1] for row in rows[1:]] == (["laptop", "lost"] if every else ["laptop"])
    assert ("1 more has ended" in done.stderr) is not every


def test_revoking_says_so(gateway):
    gateway.keys = {"1": MADE}
    done = _call("keys", "revoke", "1", "--server", gateway.url)
    assert (done.exit_code, done.stdout) == (0, "1 revoked\n")
    assert not gateway.keys
    done = _call("keys", "revoke", "1", "--server", gateway.url, "--json")
    assert json.loads(done.stdout) == {"id": "1", "status": "revoked"}


def test_without_a_command_the_help_is_shown():
    done = _call("keys")
    assert "rotate" in done.output
