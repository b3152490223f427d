"""The ``videoannotator`` command: the original's lines and exit codes, over our client."""

from __future__ import annotations

import importlib
import json
import stat
import tomllib
from pathlib import Path

import pytest
from client_gateway_more import zipped
from typer.testing import CliRunner

from frameloom.client.compat import cli

run = CliRunner()


@pytest.fixture
def call(gateway):
    def called(*args: object, **options):
        return run.invoke(cli.app, [*map(str, args), "--server", gateway.url], **options)

    return called


def test_submit_prints_the_lines_that_scripts_read(gateway, call, video, tmp_path):
    (tmp_path / "c.json").write_text('{"face_analysis": {"a": 1}}')
    done = call("job", "submit", video, "--pipelines", "a, b", "--config", tmp_path / "c.json")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        f"[SUBMIT] Submitting job for video: {video}",
        "[OK] Job submitted successfully!",
        "Job ID: job-1",
        "Status: pending",
        "[INFO] Track progress with: videoannotator job status job-1",
    ]
    assert gateway.jobs["job-1"]["selected_pipelines"] == ["a", "b"]


def test_submit_refused_ends_in_1_with_the_servers_words(gateway, call, video):
    gateway.faults.answers = [("POST", 400, {}, {"error": {"code": "X", "message": "no", "hint": "do"}})]
    done = call("job", "submit", video)
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1:] == ["[ERROR] Job submission failed: 400", "Response: no (do)"]


@pytest.mark.parametrize("missing", ["video", "config"])
def test_submit_of_what_is_not_there(gateway, call, video, tmp_path, missing):
    file = tmp_path / "absent"
    args = [file] if missing == "video" else [video, "--config", file]
    done = call("job", "submit", *args)
    assert done.exit_code == 1
    assert done.stderr.endswith(f"file not found: {file}\n")
    assert gateway.seen == []


def test_no_server_is_told_as_the_original_does(video):
    args = ["--server", "http://127.0.0.1:9"]
    done = run.invoke(cli.app, ["job", "submit", str(video), *args])
    assert done.exit_code == 1
    assert done.stderr.startswith("[ERROR] Failed to connect to API server: ")
    assert "[INFO] Make sure server is running: videoannotator server" in done.stdout
    assert run.invoke(cli.app, ["pipelines", *args]).exit_code == 1


def test_status_results_and_list(gateway, call):
    gateway.add_job("a.mp4", ["face_analysis"])
    gateway.jobs["job-1"]["status"] = "completed"
    assert call("job", "status", "job-1").stdout.splitlines() == [
        "[STATUS] Checking status for job: job-1",
        "[OK] Job Status: completed",
        "Created: 2026-11-22T10:00:00Z",
        "Pipelines: face_analysis",
    ]
    assert call("job", "results", "job-1").stdout.splitlines() == [
        "[RESULTS] Getting results for job: job-1",
        "[OK] Job Status: completed",
        "Output Directory: N/A",
        "",
        "Pipeline Results:",
        "  face_analysis:",
        "    Status: completed",
        "    Processing Time: 1.50s",
        "    Annotations: 3",
        "    Output File: a_face_analysis.json",
        "",
    ]
    assert call("job", "list", "--per-page", "5").stdout.splitlines() == [
        "[LIST] Getting job list...",
        "[OK] Found 1 total jobs (showing page 1)",
        "",
        "Job ID: job-1",
        "  Status: completed",
        "  Created: 2026-11-22T10:00:00Z",
        "  Video: a.mp4",
        "  Pipelines: face_analysis",
        "",
    ]
    assert "No jobs found." in call("job", "list", "--status-filter", "failed").stdout
    for command in ("status", "results"):
        done = call("job", command, "nobody")
        assert (done.exit_code, done.stderr) == (1, "[ERROR] Job nobody not found\n")


def test_what_the_original_only_takes_and_does_not_do(gateway, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gateway.add_job("a.mp4", ["face_analysis"])
    gateway.jobs["job-1"]["status"] = "completed"
    gateway.zip = zipped(clip=b"v")
    done = call("job", "results", "job-1", "--download", "face_analysis")
    assert done.stdout.endswith("[OK] Downloaded: a_face_analysis.json\n")
    assert (tmp_path / "a_face_analysis.json").exists()
    done = call("job", "download-annotations", "job-1", "-o", tmp_path / "new")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "new" / "job_job-1_artifacts.zip").exists()
    assert call("job", "download-annotations", "nobody").exit_code == 1


def test_pipelines_in_each_form(call):
    assert call("pipelines").stdout.splitlines() == [
        "[OK] Pipelines: 2 found",
        "- scene_detection",
        "- face_analysis",
    ]
    detailed = call("pipelines", "--detailed").stdout
    assert "  Display: Scene_Detection\n  Outputs: COCO[x]\n  Config Keys: threshold\n" in detailed
    assert [one["name"] for one in json.loads(call("pipelines", "--json").stdout)] == [
        "scene_detection",
        "face_analysis",
    ]
    markdown = call("pipelines", "--format", "markdown").stdout.splitlines()
    assert markdown[0].startswith("| Name | Display Name | Family |")
    assert markdown[-1] == "Total pipelines: 2"
    assert call("pipelines", "--format", "xml").exit_code == 1


def test_config_shows_and_validates(gateway, call, tmp_path):
    assert '"what": "config"' in call("config", "--show-default").stdout
    good, bad, broken = (tmp_path / name for name in ("g.yaml", "b.json", "x.yaml"))
    good.write_text("scene_detection:\n  threshold: 3\nunknown: {}\n")
    bad.write_text('{"scene_detection": {"threshold": "bad"}}')
    broken.write_text("a: [")
    done = call("config", "--validate", good)
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (
        0,
        "[OK] Configuration is valid for the pipelines of the server",
    )
    assert gateway.bodies[0]["config"] == {"scene_detection": {"threshold": 3}}
    done = call("config", "--validate", bad)
    assert done.exit_code == 1
    assert "threshold: threshold is bad" in done.stderr
    assert call("config", "--validate", broken).exit_code == 1
    offline = run.invoke(cli.app, ["config", "--validate", str(good), "--server", "http://127.0.0.1:9"])
    assert (offline.exit_code, "syntax only" in offline.stdout) == (0, True)
    assert "Usage:" in call("config").stdout


def test_the_commands_of_the_distribution_lead_somewhere():
    page = Path(__file__).parents[1] / "pyproject.toml"
    scripts = tomllib.loads(page.read_text())["project"]["scripts"]
    assert set(scripts) == {"frameloom", "videoannotator"}
    for target in scripts.values():
        module, _, name = target.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_a_key_is_sent_where_there_is_one(gateway, call, monkeypatch):
    monkeypatch.setenv("FRAMELOOM_API_KEY", "va_x")
    call("job", "list")
    assert gateway.seen[-1][2]["Authorization"] == "Bearer va_x"


def test_a_token_is_made_shown_once_and_saved_for_its_owner_only(gateway, call, tmp_path):
    out = tmp_path / "sub" / "token.json"
    done = call(
        "generate-token", "--user", "jo@lab.org", "--username", "jo", "--key-name", "mine",
        "--expires-days", "0", "-o", out,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "Token:      va_1\n" in done.stdout
    assert "Expires:    Never\n" in done.stdout
    assert gateway.bodies == [{"name": "mine (jo@lab.org)", "expires_in_days": 0}]
    assert json.loads(out.read_text())["token"] == "va_1"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_old_jobs_are_previewed_then_deleted(gateway, call, monkeypatch):
    for number, when in enumerate(["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z", None]):
        gateway.add_job(f"{number}.mp4", ["face_analysis"], size=1 << 20)
        state = "completed" if when else "running"
        gateway.jobs[f"job-{number + 1}"] |= {"status": state, "completed_at": when}
    preview = call("storage-cleanup", "--retention-days", "30")
    assert "[INFO] Would delete 1 jobs" in preview.stdout
    assert len(gateway.jobs) == 3
    done = call("storage-cleanup", "--retention-days", "30", "--force", "--json")
    assert json.loads(done.stdout) == {
        "jobs_found": 1, "jobs_deleted": 1, "bytes_freed": 1 << 20, "dry_run": False, "enabled": True,
    }  # fmt: skip
    assert list(gateway.jobs) == ["job-2", "job-3"]
    assert call("storage-cleanup").exit_code == 2


def test_diagnose_tells_four_parts_with_the_originals_exit_codes(gateway, call):
    done = call("diagnose", "--json")
    document = json.loads(done.stdout)
    assert set(document["components"]) == {"system", "gpu", "storage", "database"}
    assert {"ok": 0, "error": 1, "warning": 2}[document["overall_status"]] == done.exit_code
    assert call("diagnose", "gpu").stdout.splitlines()[-1].startswith("[OK]")
    assert run.invoke(cli.app, ["diagnose", "database", "--server", "http://127.0.0.1:9"]).exit_code == 1
    assert call("diagnose", "nothing").exit_code == 1


def test_the_rest_answers_in_its_way(call, tmp_path):
    assert "VideoAnnotator v1.4.4" in run.invoke(cli.app, ["version"]).stdout
    assert "Backend: unknown" in call("info").stdout
    assert run.invoke(cli.app, ["setup-db", "--admin-email", "x@y", "--admin-username", "x"]).exit_code == 0
    assert run.invoke(cli.app, ["backup", str(tmp_path / "b")]).exit_code == 1
    assert run.invoke(cli.app, ["validate-emotion", str(tmp_path / "absent")]).exit_code == 1
    (tmp_path / "e.emotion.json").write_text("{}")
    done = run.invoke(cli.app, ["validate-emotion", str(tmp_path / "e.emotion.json")])
    assert (done.exit_code, "\n - emotions: field required" in done.stdout) == (1, True)


def test_the_server_is_the_embedded_stack(monkeypatch, tmp_path):
    started = []

    class Up:
        class UpOptions(dict):
            pass

        @staticmethod
        def run_up(options):
            started.append(options)
            return 0

    monkeypatch.setattr("frameloom.client.embedded.local", lambda part: Up)
    monkeypatch.setenv("FRAMELOOM_DATA", str(tmp_path))
    done = run.invoke(cli.app, ["server", "--host", "127.0.0.1", "--port", "9", "--workers", "2"])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == "[START] Starting VideoAnnotator API server on http://127.0.0.1:9"
    bare = run.invoke(cli.app, ["--dev"])
    assert "Authentication: Disabled" in bare.stdout
    assert started[0] == {"data": tmp_path, "host": "127.0.0.1", "port": 9, "workers": 2, "environment": {}}
    assert started[1]["host"] == "0.0.0.0"
    assert started[1]["environment"]["FRAMELOOM_AUTH_REQUIRED"] == "false"
