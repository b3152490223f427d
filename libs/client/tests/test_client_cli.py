"""The commands in this process: what they print, and their exit codes."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from frameloom.client.cli import app

run = CliRunner()


def _call(*args: object, **options):
    return run.invoke(app, [str(arg) for arg in args], **options)


def _json_lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_annotate_brings_the_files_and_a_table(gateway, video, tmp_path):
    out = tmp_path / "out"
    done = _call(
        "annotate",
        video,
        "--pipelines",
        "face_analysis, scene_detection",
        "--out",
        out,
        "--server",
        gateway.url,
    )
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["PIPELINE", "STATUS", "ANNOTATIONS", "SECONDS", "FILE"]
    assert lines[1].split() == [
        "face_analysis",
        "completed",
        "3",
        "1.50",
        str(out / "clip_face_analysis.json"),
    ]
    assert (out / "clip_face_analysis.json").exists()
    assert f"2 files in {out}" in done.stderr
    assert "\x1b" not in done.output
    assert "face_analysis completed, 3 annotations" in done.stderr


def test_annotate_of_several_videos_gives_each_a_folder(gateway, video, tmp_path):
    other = tmp_path / "sub" / "clip.mp4"
    other.parent.mkdir()
    other.write_bytes(b"x")
    done = _call(
        "annotate", video, other, "-p", "face_analysis", "-o", tmp_path / "out", "--server", gateway.url
    )
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["clip", "clip-2"]


def test_annotate_as_json_is_lines_and_a_summary(gateway, video, tmp_path):
    done = _call("annotate", video, "-o", tmp_path / "out", "--server", gateway.url, "--json")
    lines = _json_lines(done.stdout)
    assert lines[0]["type"] == "client.uploading"
    assert lines[1]["type"] == "client.submitted"
    assert [line["seq"] for line in lines if "seq" in line] == list(range(1, 8))
    assert lines[-1]["type"] == "summary"
    assert lines[-1]["exit_code"] == 0
    assert lines[-1]["jobs"][0]["files"][0]["verified"] is True
    assert done.stderr == ""


def test_a_failed_pipeline_is_told_and_ends_in_1(gateway, video, tmp_path):
    gateway.faults.fail_pipeline = "face_analysis"
    done = _call("annotate", video, "-o", tmp_path / "out", "--server", gateway.url)
    assert done.exit_code == 1
    assert "face_analysis failed (decode_error): No frame can be read" in done.stderr
    assert (tmp_path / "out" / "clip_scene_detection.json").exists()


def test_a_refused_video_ends_in_4_with_the_servers_words(gateway, video, tmp_path):
    body = {"error": {"code": "PIPELINE_NOT_FOUND", "message": "No pipeline x", "hint": "See the list"}}
    gateway.faults.refuse_submit = (404, body)
    done = _call("annotate", video, "-p", "x", "-o", tmp_path / "out", "--server", gateway.url)
    assert done.exit_code == 4
    assert "error: No pipeline x\nhint: See the list\n" in done.stderr
    assert "Traceback" not in done.output


def test_a_damaged_download_ends_in_3_and_shows_the_results(gateway, video, tmp_path):
    gateway.faults.damage = True
    done = _call("annotate", video, "-o", tmp_path / "out", "--server", gateway.url)
    assert done.exit_code == 3
    assert "sha256 differs" in done.stderr
    assert "completed" in done.stdout


@pytest.mark.parametrize("name", ["missing.mp4", ".", "empty.mp4"])
def test_a_bad_video_is_refused_before_anything_starts(gateway, tmp_path, name):
    (tmp_path / "empty.mp4").touch()
    done = _call("annotate", tmp_path / name, "-o", tmp_path / "out", "--server", gateway.url)
    assert done.exit_code == 2
    assert done.stderr.startswith("error: ")
    assert gateway.seen == []
    assert not (tmp_path / "out").exists()


def test_without_the_embedded_stack_the_extra_is_named(video, tmp_path, monkeypatch):
    import sys

    # Both: another test may have imported the inner one already.
    for name in ("frameloom.local", "frameloom.local.up"):
        monkeypatch.setitem(sys.modules, name, None)
    for args in (["annotate", video, "-o", tmp_path / "out"], ["up"]):
        done = _call(*args)
        assert done.exit_code == 5
        assert "frameloom-client[local]" in done.stderr


def test_submit_prints_just_the_id(gateway, video):
    done = _call("submit", video, "--server", gateway.url, "--config", '{"face_analysis": {}}')
    assert (done.exit_code, done.stdout) == (0, "job-1\n")


def test_submit_as_json_is_one_document(gateway, video):
    done = _call("submit", video, "--server", gateway.url, "--json")
    assert json.loads(done.stdout)["id"] == "job-1"


def test_submit_and_wait(gateway, video):
    done = _call("submit", video, "--server", gateway.url, "--wait")
    assert done.exit_code == 0
    assert "face_analysis" in done.stdout


@pytest.mark.parametrize(
    ("config", "words"),
    [("[1]", "no JSON object"), ("{", "no JSON"), ("missing.json", "can not be read")],
)
def test_a_bad_configuration_is_refused_before_the_upload(gateway, video, config, words):
    done = _call("submit", video, "--server", gateway.url, "--config", config)
    assert done.exit_code == 2
    assert words in done.stderr
    assert gateway.seen == []


def test_a_configuration_from_a_file(gateway, video, tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"face_analysis": {"a": 1}}')
    assert _call("submit", video, "--server", gateway.url, "--config", path).exit_code == 0


def test_watch_ends_with_the_results(gateway):
    gateway.add_job("a.mp4", ["face_analysis"])
    done = _call("watch", "job-1", "--server", gateway.url)
    assert done.exit_code == 0
    assert "a_face_analysis.json" in done.stdout


def test_watch_of_a_failed_job_ends_in_1(gateway):
    gateway.faults.fail_pipeline = "face_analysis"
    gateway.add_job("a.mp4", ["face_analysis"])
    done = _call("watch", "job-1", "--server", gateway.url, "--json")
    assert done.exit_code == 1
    assert _json_lines(done.stdout)[-1]["exit_code"] == 1


def test_an_unknown_job_ends_in_4_also_as_json(gateway):
    done = _call("watch", "nobody", "--server", gateway.url, "--json")
    assert done.exit_code == 4
    assert json.loads(done.stdout)["error"]["code"] == "JOB_NOT_FOUND"
    assert done.stderr == "error: Job nobody not found\nhint: List them\n"


def test_jobs_are_listed_with_what_drives_a_terminal_taken_out(gateway):
    gateway.add_job("a\x1b[31m[red]b\n.mp4", ["face_analysis"])
    done = _call("jobs", "--server", gateway.url)
    assert "a\ufffd[31m[red]b .mp4" in done.stdout
    assert "1 job, page 1 of 1" in done.stderr


def test_jobs_as_json_and_by_status(gateway):
    gateway.add_job("a.mp4", ["face_analysis"])
    done = _call("jobs", "--server", gateway.url, "--json", "--status", "failed")
    assert json.loads(done.stdout) == {"jobs": [], "total": 0, "page": 1, "per_page": 20}


def test_results_of_a_running_job_are_no_failure(gateway):
    gateway.add_job("a.mp4", ["face_analysis"])
    done = _call("results", "job-1", "--server", gateway.url)
    assert done.exit_code == 0
    assert "watch it with" in done.stderr


def test_results_with_out_are_downloaded(gateway, tmp_path):
    gateway.add_job("a.mp4", ["face_analysis"])
    gateway.jobs["job-1"]["status"] = "completed"
    done = _call("results", "job-1", "--server", gateway.url, "--out", tmp_path / "out", "--json")
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    assert document["files"][0]["path"] == str(tmp_path / "out" / "a_face_analysis.json")


def test_pipelines_short_long_and_as_json(gateway):
    assert "face_analysis" in _call("pipelines", "--server", gateway.url).stdout
    assert "0..100" in _call("pipelines", "--server", gateway.url, "--detailed").stdout
    done = _call("pipelines", "--server", gateway.url, "--json")
    assert json.loads(done.stdout)["total"] == 2


def test_cancel(gateway):
    gateway.add_job("a.mp4", ["face_analysis"])
    assert _call("cancel", "job-1", "--server", gateway.url).stdout == "job-1 cancelled\n"


def test_doctor_tells_each_check_and_what_to_do(gateway, tmp_path):
    done = _call("doctor", "--server", gateway.url, "--data", tmp_path, "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert done.exit_code == 0, done.output
    assert checks["server"]["verdict"] == "ok"
    assert checks["server: database"]["facts"]["jobs_count"] == 0
    assert {"python", "packages", "embedded stack", "gpu", "models cache", "disk"} <= set(checks)


def test_doctor_of_a_server_that_is_named_and_silent_ends_in_3(tmp_path):
    done = _call("doctor", "--server", "http://127.0.0.1:9", "--data", tmp_path)
    assert done.exit_code == 3
    assert "fail" in done.stdout


def test_version_and_help():
    assert json.loads(_call("version", "--json").stdout)["packages"]["frameloom-client"]
    assert _call("--version").stdout.startswith("frameloom ")
    assert "Exit codes" in _call("--help").stdout
    assert "Exit codes" in _call().stdout


@pytest.mark.parametrize("args", [["--bogus"], ["annotate"], ["jobs", "--page", "0"], ["nothing"]])
def test_wrong_usage_is_two_lines_and_2(args):
    done = _call(*args)
    assert done.exit_code == 2
    first, second = done.stderr.splitlines()
    assert first.startswith("error: ")
    assert second.startswith("hint: `frameloom")


def test_debug_shows_the_traceback(gateway):
    done = _call("watch", "nobody", "--server", gateway.url, "--debug")
    assert "Traceback" in done.stderr


def test_a_fault_of_our_own_is_one_line_and_70(monkeypatch):
    def broken(work):
        work.close()
        raise RuntimeError("boom")

    monkeypatch.setattr("frameloom.client.running.run", broken)
    done = _call("jobs")
    assert done.exit_code == 70
    assert "Traceback" not in done.stderr
    assert "RuntimeError: boom" in done.stderr
