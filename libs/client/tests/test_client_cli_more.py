"""The commands beside the way of one job: show, delete, download, validate, config, health, events."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from client_gateway_more import told, zipped
from rich.console import Console
from typer.testing import CliRunner

from frameloom.client.cli import app
from frameloom.client.commands import delete as deletion
from frameloom.client.models import JobPage
from frameloom.client.render.tables import jobs_table

run = CliRunner()


@pytest.fixture
def call(gateway):
    def called(*args: object, **options):
        return run.invoke(app, [*map(str, args), "--server", gateway.url], **options)

    return called


def test_a_job_is_shown_with_its_results(gateway, call):
    gateway.add_job("a.mp4", ["face_analysis"], size=2048)
    gateway.jobs["job-1"]["status"] = "completed"
    done = call("job", "show", "job-1")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0] == "job-1  completed"
    assert "size      2.0 KiB" in done.stdout
    assert "a_face_analysis.json" in done.stdout
    assert done.stderr == ""
    document = json.loads(call("job", "show", "job-1", "--json").stdout)
    assert document["results"]["pipeline_results"]["face_analysis"]["annotation_count"] == 3


def test_a_job_that_goes_on_is_shown_with_how_to_watch_it(gateway, call):
    gateway.add_job("a.mp4", ["face_analysis"])
    assert "watch it with: frameloom watch job-1" in call("job", "show", "job-1").stderr


def test_job_alone_tells_what_it_has(call):
    done = run.invoke(app, ["job"])
    assert "show" in done.output
    assert "error" not in done.output


def test_jobs_are_deleted_and_the_others_told(gateway, call):
    for name in "ab":
        gateway.add_job(f"{name}.mp4", ["face_analysis"])
    done = call("delete", "job-1", "nobody", "job-2", "--yes")
    assert (done.exit_code, done.stdout) == (4, "job-1 deleted\njob-2 deleted\n")
    assert done.stderr == "error: Job nobody not found\nhint: List them\n"
    assert gateway.jobs == {}
    document = json.loads(call("delete", "nobody", "--yes", "--json").stdout)
    assert document["errors"]["nobody"]["code"] == "JOB_NOT_FOUND"


def test_where_nobody_can_be_asked_nothing_is_deleted(gateway, call):
    gateway.add_job("a.mp4", ["face_analysis"])
    done = call("delete", "job-1")
    assert done.exit_code == 2
    assert "--yes" in done.stderr
    assert gateway.seen == []


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("n\n", 1)])
def test_somebody_who_is_there_is_asked(gateway, monkeypatch, answer, left, call):
    gateway.add_job("a.mp4", ["face_analysis"])
    monkeypatch.setattr(deletion, "_somebody", lambda: True)
    done = call("delete", "job-1", input=answer)
    assert done.exit_code == 0
    assert "Delete job job-1, with video and results?" in done.output
    assert len(gateway.jobs) == left


def test_a_zip_is_downloaded_to_where_it_is_named(gateway, call, tmp_path):
    gateway.add_job("a.mp4", ["face_analysis"])
    gateway.zip = zipped(**{"a.mp4": b"v", "out__faces.json": b"{}"})
    done = call("download", "job-1", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(tmp_path / "job_job-1_artifacts.zip")
    assert zipfile.ZipFile(done.stdout.strip()).namelist() == ["a.mp4", "out/faces.json"]
    assert json.loads(call("download", "job-1", "-o", tmp_path / "x.zip", "--json").stdout)["members"]
    assert call("download", "job-1", "-o", tmp_path / "new").exit_code == 0
    assert (tmp_path / "new" / "job_job-1_artifacts.zip").is_file()


def test_a_zip_is_unpacked_to_a_folder_of_the_jobs_name(gateway, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gateway.add_job("a.mp4", ["face_analysis"])
    gateway.zip = zipped(**{"a.mp4": b"v", "out__faces.json": b"{}"})
    done = call("download", "job-1", "--unpack")
    assert done.stdout.splitlines() == ["job_job-1/a.mp4", "job_job-1/out/faces.json"]
    assert (tmp_path / "job_job-1" / "out" / "faces.json").read_bytes() == b"{}"
    assert sorted(path.name for path in (tmp_path / "job_job-1").iterdir()) == ["a.mp4", "out"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("c.json", '{"scene_detection": {"threshold": 20}}'), ("c.yaml", "scene_detection:\n  threshold: 20\n")],
)
def test_a_configuration_is_validated_from_json_and_yaml(gateway, call, tmp_path, name, text):
    (tmp_path / name).write_text(text)
    done = call("validate", tmp_path / name)
    assert done.exit_code == 0, done.output
    assert gateway.bodies[0]["config"] == {"scene_detection": {"threshold": 20}}
    assert "valid: 1 warning" in done.stderr
    assert "Leave it out" in done.stdout


def test_a_configuration_that_is_not_valid_ends_in_1(gateway, call):
    done = call("validate", '{"a": {"threshold": "bad"}}', "-p", "a,b")
    assert done.exit_code == 1
    assert gateway.bodies[0]["selected_pipelines"] == ["a", "b"]
    assert "not valid: 1 error, 1 warning" in done.stderr
    assert "threshold is bad" in done.stdout
    assert json.loads(call("validate", '{"threshold": "bad"}', "--json").stdout)["valid"] is False


@pytest.mark.parametrize("text", ["a: [", "a: 2026-11-24", "- a"])
def test_yaml_that_can_not_be_a_configuration_is_wrong_usage(call, gateway, tmp_path, text):
    (tmp_path / "c.yml").write_text(text)
    assert call("validate", tmp_path / "c.yml").exit_code == 2
    assert gateway.seen == []


def test_the_defaults_are_a_configuration_to_begin_from(call):
    assert json.loads(call("config", "--show-default", "-p", "face_analysis").stdout) == {
        "face_analysis": {"threshold": 27.0}
    }
    done = call("config", "--show-default", "-p", "nothing")
    assert (done.exit_code, done.stderr.splitlines()[0]) == (4, "error: Pipeline 'nothing' not found")
    alias = call("config", "--show-default", "-p", "Scene")
    assert json.loads(alias.stdout) == {"Scene": {"threshold": 1}}  # as the server names it
    assert json.loads(call("config").stdout) == {"what": "config"}


def test_a_status_that_does_not_exist_is_wrong_usage(call, gateway):
    done = call("jobs", "--status", "done")
    assert (done.exit_code, gateway.seen) == (2, [])
    assert "hint: Choose among: pending, running, completed, failed, cancelled" in done.stderr


def test_the_events_of_one_job_do_not_repeat_its_id(call, gateway):
    job = gateway.add_job("a.mp4", ["face_analysis"])
    lines = call("events", job["id"]).stdout.splitlines()
    assert lines[0].split()[2:] == ["job.submitted"]
    assert all(job["id"] not in line for line in lines)


@pytest.mark.parametrize(
    ("width", "told"),
    [(120, ["ANNOTATIONS", "SECONDS"]), (90, ["ANNOTATIONS"]), (75, [])],
)
def test_names_of_files_stay_whole_on_narrow_terminals(width, told):
    from frameloom.client.models import JobResults
    from frameloom.client.render.tables import results_table
    from frameloom.client.reports import Report

    one = {
        "pipeline_name": "scene_detection",
        "status": "completed",
        "annotation_count": 2,
        "processing_time": 0.7,
        "files": [{"filename": "a_long_name_of_a_clip_scene_detection.json"}],
    }
    results = {"job_id": "j", "status": "completed", "pipeline_results": {"scene_detection": one}}
    table = results_table([Report("j", JobResults.model_validate(results))], width=width)
    names = [str(column.header) for column in table.columns]
    assert names == ["PIPELINE", "STATUS", *told, "FILE"]
    out = Console(width=width, file=io.StringIO())
    out.print(table)
    assert "a_long_name_of_a_clip_scene_detection.json" in out.file.getvalue()


@pytest.mark.parametrize("width", [80, 200])
def test_names_of_pipelines_are_never_folded(width):
    from frameloom.client.models import Pipeline
    from frameloom.client.render.tables import pipelines_table

    facts = {"outputs": [{"format": "JSON"}], "description": "Finds faces and more " * 5, "stability": "beta"}
    one = Pipeline.model_validate({"name": "face_openface3_embedding", "enabled": True, **facts})
    out = Console(width=width, file=io.StringIO())
    out.print(pipelines_table([one], width=width))
    shown = out.file.getvalue()
    assert "face_openface3_embedding" in shown
    assert ("OUTPUTS" in shown) is (width == 200)


def test_health_in_words_and_as_json(gateway, call):
    done = call("health")
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "PART",
        "server",
        "database",
        "workers",
        "gpu",
    ]
    gateway.faults.answers = [("GET", 200, {}, {"status": "unhealthy"})]
    assert call("health", "--json").exit_code == 3


def test_pipelines_as_markdown(call):
    lines = call("pipelines", "--format", "md").stdout.splitlines()
    assert lines[0] == (
        "| Name | Display Name | Family | Variant | Tasks | Modalities | Capabilities | Backends | Outputs |"
    )
    assert lines[2].startswith("| face_analysis | Face_Analysis | - |")
    assert lines[2].endswith("| COCO:x |")


def test_events_of_a_job_are_lines(gateway, call):
    gateway.add_job("a.mp4", ["face_analysis"])
    lines = call("events", "job-1").stdout.splitlines()
    assert [line.split()[2] for line in lines] == [
        "job.submitted",
        "job.started",
        "task.started",
        "task.completed",
        "job.completed",
    ]
    with_progress = call("events", "job-1", "--progress").stdout
    assert "face_analysis 50% detecting" in with_progress


def test_events_of_all_jobs_are_json_lines(gateway, call):
    gateway.feed = [[told("a", 1), told("b", 1), None]]
    gateway.refuse_streams_after = 1  # which ends the command
    done = call("events", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row.get("job_id") for row in rows[:2]] == ["a", "b"]
    assert done.exit_code == 4


def test_on_a_narrow_terminal_less_is_told_but_ids_are_whole(gateway):
    gateway.add_job("a.mp4", ["face_analysis"])
    gateway.jobs["job-1"] |= {"id": "0" * 36, "error_message": "No frame can be read"}
    page = JobPage.model_validate({"jobs": list(gateway.jobs.values()), "total": 1, "page": 1, "per_page": 9})
    cases = ((60, ["JOB", "STATUS", "VIDEO", "NOTE"]), (100, ["PIPELINES"]), (200, ["SIZE", "CREATED"]))
    for width, shown in cases:
        table = jobs_table(page, width=width)
        names = [column.header for column in table.columns]
        assert set(shown) <= set(names)
        assert ("SIZE" in names) is (width == 200)
        out = Console(width=width, file=io.StringIO())
        out.print(table)
        assert "0" * 36 in out.file.getvalue()


def test_all_pages_of_jobs(gateway, call):
    for number in range(130):
        gateway.add_job(f"{number}.mp4", ["face_analysis"])
    assert len(json.loads(call("jobs", "--all", "--json").stdout)["jobs"]) == 130


def test_a_watch_ends_with_its_time(gateway, call):
    gateway.add_job("a.mp4", ["face_analysis"])
    gateway.faults.no_stream = True
    done = call("watch", "job-1", "--timeout", "0.3")
    assert done.exit_code == 1
    assert "hint: It goes on; come back with: frameloom watch job-1" in done.stderr


def test_the_viewers_link_is_printed(gateway, call):
    done = call("viewer")
    assert done.stdout == f"{gateway.url}/viewer-connect#token=once\n"
    assert "it connects one browser, once, until 2026-11-24" in done.stderr
    assert json.loads(call("viewer", "--json").stdout)["url"].endswith("#token=once")


def test_a_key_is_taken_from_the_file(gateway, call, tmp_path):
    (tmp_path / "key").write_text("va_file\n")
    assert call("jobs", "--key-file", tmp_path / "key").exit_code == 0
    assert gateway.seen[-1][2]["Authorization"] == "Bearer va_file"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_two_lines(gateway, call, tmp_path, status):
    (tmp_path / "key").write_text("va_file\n")
    gateway.faults.answers = [("GET", status, {}, {"detail": "Invalid or expired token"})]
    done = call("jobs", "--key-file", tmp_path / "key")
    assert done.exit_code == 4
    first, second = done.stderr.splitlines()
    assert first == "error: Invalid or expired token"
    assert second.startswith(f"hint: The key came from {tmp_path / 'key'}")
    assert "va_file" not in done.output


def test_doctor_tries_the_key(gateway, call, tmp_path, monkeypatch):
    monkeypatch.setenv("FRAMELOOM_API_KEY", "va_x")
    checks = json.loads(call("doctor", "--data", tmp_path, "--json").stdout)["checks"]
    assert [one["message"] for one in checks if one["name"] == "server: key"] == [
        "that from FRAMELOOM_API_KEY works"
    ]
    gateway.faults.answers = [("GET", 401, {}, {"detail": "Invalid or expired token"})] * 9
    assert call("doctor", "--data", tmp_path).exit_code == 3
