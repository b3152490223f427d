"""docker-compose.yml, checked without an engine: schema, references, settings, secrets."""

from __future__ import annotations

import importlib
import importlib.resources
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic_settings import BaseSettings

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DEPLOY = ROOT / "deploy"
SERVICES = {
    "gateway": "gateway",
    "scheduler": "scheduler",
    "results": "results",
    "worker": "pipeline-worker",
    "worker-gpu": "pipeline-worker",
}
SERVERS = {"kafka", "mongo", "s3"}
SECRET_NAME = re.compile(r"PASSWORD|SECRET|ACCESS_KEY|INITIAL_KEY|TOKEN|USER$|URI$")
VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<rule>:?[-?])(?P<rest>[^}]*))?\})")
OF_OTHERS = {"TMPDIR", "NVIDIA_DRIVER_CAPABILITIES"}


class MissingVariableError(Exception):
    """What `docker compose` stops with."""


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Compose's interpolation, as far as the file uses it."""

    def value(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        found = variables.get(match["name"])
        rule = match["rule"] or ""
        if found is None or (rule.startswith(":") and not found):
            if rule.endswith("?"):
                raise MissingVariableError(f"{match['name']}: {match['rest']}")
            return match["rest"] if rule.endswith("-") else ""
        return found

    return VARIABLE.sub(value, text)


def without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def env_file(text: str) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name: value for name, value in pairs}  # noqa: C416


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a newcomer has after the one command of the docs."""
    path = tmp_path_factory.mktemp("compose") / ".env"
    subprocess.run([sys.executable, DEPLOY / "compose" / "make_env.py", path], check=True)
    assert path.stat().st_mode & 0o777 == 0o600
    again = subprocess.run(
        [sys.executable, DEPLOY / "compose" / "make_env.py", path], check=False, capture_output=True
    )
    assert again.returncode == 1, "secrets in use were overwritten"
    return env_file(path.read_text())


@pytest.fixture(scope="module")
def text() -> str:
    return without_comments(COMPOSE.read_text())


@pytest.fixture(scope="module")
def raw(text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


@pytest.fixture(scope="module")
def compose(text: str, variables: dict[str, str]) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(interpolate(text, variables))
    return loaded


def test_file_matches_the_compose_specification(compose: dict[str, Any]) -> None:
    vendored = (
        importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    )
    schema = json.loads(vendored.read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(compose)] == []


def test_every_variable_is_resolved(compose: dict[str, Any]) -> None:
    assert "${" not in json.dumps(compose)


def test_unedited_example_stops_with_the_name_of_the_variable(text: str) -> None:
    example = env_file((DEPLOY / "compose" / "env.example").read_text())
    assert set(example.values()) == {""}
    for name in ("FRAMELOOM_MONGO_URI", "FRAMELOOM_S3_ACCESS_KEY", "FRAMELOOM_S3_SECRET_KEY"):
        others = {other: "value" for other in example if other != name}
        with pytest.raises(MissingVariableError, match=name):
            interpolate(text, others | {name: ""})


def test_every_variable_stands_in_the_example_and_in_the_docs(text: str) -> None:
    names = {match["name"] for match in VARIABLE.finditer(text) if match["name"]}
    example = (DEPLOY / "compose" / "env.example").read_text()
    docs = (ROOT / "docs" / "deploy.md").read_text()
    assert {name for name in names if f"{name}=" not in example} == set()
    assert {name for name in names if f"`{name}`" not in docs} == set()


def test_dependencies_exist_and_are_awaited_until_healthy(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == SERVERS | set(SERVICES)
    for name in SERVICES:
        wanted = services[name]["depends_on"]
        assert set(wanted) == SERVERS
        assert {rule["condition"] for rule in wanted.values()} == {"service_healthy"}


def test_every_service_has_a_health_check_that_can_fail(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        check = service["healthcheck"]
        assert check["test"][0] == "CMD", name
        assert check["test"][1:] not in (["true"], ["exit", "0"]), name
        assert {"interval", "timeout", "start_period", "retries"} <= set(check), name


def test_images_are_pinned(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        _, _, tag = service["image"].rpartition("/")[2].partition(":")
        assert re.search(r"\d+\.\d+", tag) or tag.startswith("RELEASE."), f"{name}: {service['image']}"


def test_object_store_has_a_dated_tag_and_can_be_replaced(text: str, variables: dict[str, str]) -> None:
    image = yaml.safe_load(interpolate(text, variables))["services"]["s3"]["image"]
    assert re.fullmatch(r"pgsty/silo:RELEASE\.\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ", image)
    other = interpolate(text, variables | {"FRAMELOOM_S3_IMAGE": "registry.example/s3:1.2"})
    assert yaml.safe_load(other)["services"]["s3"]["image"] == "registry.example/s3:1.2"


def test_no_credential_is_written_down(raw: dict[str, Any]) -> None:
    for name, service in raw["services"].items():
        for variable, value in service["environment"].items():
            assert not re.search(r"://[^/@\s]+:[^/@\s]+@", value), f"{name}: {variable}"
            if SECRET_NAME.search(variable) and variable != "MONGO_INITDB_ROOT_USERNAME":
                assert re.fullmatch(r"\$\{\w+(:\?[^}]*|:-)\}", value), f"{name}: {variable} has a default"
    assert not re.search(r"minioadmin|changeme|password123", COMPOSE.read_text(), re.IGNORECASE)


def test_mongo_refuses_to_start_without_a_password() -> None:
    script = DEPLOY / "compose" / "mongo" / "start.sh"
    done = subprocess.run(
        ["bash", script, "mongod"], env={"PATH": "/usr/bin:/bin"}, check=False, capture_output=True, text=True
    )
    assert done.returncode == 64
    assert "FRAMELOOM_MONGO_PASSWORD" in done.stderr


def settings_classes(member: Path) -> Iterator[type[BaseSettings]]:
    """Every settings class of a member, found by its modules and packages named ``settings``."""
    source = member / "src"
    for path in [*source.rglob("settings.py"), *source.rglob("settings/__init__.py")]:
        place = path.parent if path.name == "__init__.py" else path.with_suffix("")
        module = importlib.import_module(".".join(place.relative_to(source).parts))
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, BaseSettings) and value is not BaseSettings:
                yield value


def names_of(settings: type[BaseSettings]) -> dict[str, bool]:
    """The variables a settings class reads, and whether each must be set."""
    prefix = settings.model_config.get("env_prefix", "")
    return {
        (field.validation_alias if isinstance(field.validation_alias, str) else f"{prefix}{name}").upper(): (
            field.is_required()
        )
        for name, field in settings.model_fields.items()
    }


@pytest.mark.parametrize("service", SERVICES)
def test_environment_is_what_the_settings_read(service: str, compose: dict[str, Any]) -> None:
    known: dict[str, bool] = {}
    for member in (ROOT / "libs" / "common", ROOT / "services" / SERVICES[service]):
        for settings in settings_classes(member):
            known |= names_of(settings)
    given = set(compose["services"][service]["environment"]) - OF_OTHERS
    assert given - set(known) == set(), "no settings class reads these"
    assert {name for name, required in known.items() if required} - given == set(), "required, but not set"


def test_networks_and_volumes_are_declared_and_used(compose: dict[str, Any]) -> None:
    services = compose["services"].values()
    assert {network for service in services for network in service["networks"]} == set(compose["networks"])
    mounts = {mount.split(":")[0] for service in services for mount in service.get("volumes", [])}
    assert {mount for mount in mounts if not mount.startswith(".")} == set(compose["volumes"])
    for mount in mounts:
        assert not mount.startswith(".") or (ROOT / mount).is_dir(), mount


def test_only_the_gateway_can_be_reached_and_only_from_this_host(compose: dict[str, Any]) -> None:
    assert compose["networks"]["backplane"]["internal"] is True
    for name, service in compose["services"].items():
        assert ("ports" in service) == (name == "gateway")
        if name in SERVERS:
            assert service["networks"] == ["backplane"]
    assert compose["services"]["gateway"]["ports"] == ["127.0.0.1:18011:18011"]


def test_our_containers_have_no_privileges(compose: dict[str, Any]) -> None:
    for name in SERVICES:
        service = compose["services"][name]
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        assert "no-new-privileges:true" in service["security_opt"]
        assert service["restart"] == "unless-stopped"


def test_gpu_worker_is_a_profile_of_its_own(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert [name for name, service in services.items() if "profiles" in service] == ["worker-gpu"]
    gpu, cpu = services["worker-gpu"], services["worker"]
    device = gpu["deploy"]["resources"]["reservations"]["devices"][0]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    assert (cpu["build"]["args"]["TORCH"], gpu["build"]["args"]["TORCH"]) == ("cpu", "cuda")
    assert cpu["image"] != gpu["image"]
    for worker in (cpu, gpu):
        assert worker["stop_grace_period"] == "2m"
        assert "container_name" not in worker, "it could not be scaled"
