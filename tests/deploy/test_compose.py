"""deploy/compose.yaml: read by Compose, true to the image, and its parts find one another."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from service.process.launcher import GRACE_S
from service.process.supervisor import KILLED_AFTER_S
from service.settings import PREFIX, Settings
from tests.deploy.promql import DEPLOY

FILE = DEPLOY / "compose.yaml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
TANDEM = SERVICES["tandem"]


def compose() -> list[str]:
    """The command that reads the file: Docker's plugin, or Debian's docker-compose."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            done = subprocess.run([*command, "version"], capture_output=True, check=False)
            if done.returncode == 0:
                return command
    pytest.skip("no Compose is installed (Debian: apt-get install docker-compose)")


def test_compose_reads_it() -> None:
    done = subprocess.run([*compose(), "-f", FILE, "config", "--quiet"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_server_has_the_time_to_end_by_itself() -> None:
    assert int(TANDEM["stop_grace_period"].removesuffix("s")) >= GRACE_S + KILLED_AFTER_S


def test_what_is_passed_on_is_settings() -> None:
    for name in ("tandem", "watch"):
        passed_on = {variable.removeprefix(PREFIX).lower() for variable in SERVICES[name]["environment"]}
        assert passed_on <= Settings.model_fields.keys()


def test_what_is_recorded_is_watched_where_it_is() -> None:
    watch = SERVICES["watch"]
    assert watch["image"] == TANDEM["image"]
    assert watch["volumes"] == TANDEM["volumes"]
    assert watch["command"][:3] == ["python", "-m", "feedback"]


def test_health_is_asked_as_the_image_does() -> None:
    dockerfile = (DEPLOY.parent / "Dockerfile").read_text()
    check = TANDEM["healthcheck"]["test"]
    assert "'/readyz'" in check[-1]
    assert check[-1].replace("3000", "int(os.environ['PORT'])").replace("client, sys", "client, os, sys") in dockerfile


@pytest.mark.parametrize("name", SERVICES)
def test_no_container_can_be_written_to_or_has_rights(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


@pytest.mark.parametrize("name", SERVICES)
def test_every_file_that_is_mounted_is_there(name: str) -> None:
    for volume in SERVICES[name].get("volumes", ()):
        source = re.sub(r"^\$\{\w+:-(.+?)\}", r"\1", volume).split(":")[0]
        assert (DEPLOY / source).exists() if source.startswith(".") else source in {"feedback", "prometheus", "grafana"}


def test_prometheus_scrapes_the_service_with_the_same_alerts_as_elsewhere() -> None:
    ours, alone = (
        yaml.safe_load((DEPLOY / "prometheus" / name).read_text()) for name in ("compose.yml", "prometheus.yml")
    )
    assert ours["scrape_configs"][0].pop("static_configs") == [{"targets": ["tandem:3000"]}]
    assert alone["scrape_configs"][0].pop("static_configs")
    assert ours == alone


def test_grafana_has_its_data_source_and_dashboard() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources.yml").read_text())["datasources"]
    assert (source["type"], source["url"], source["isDefault"]) == ("prometheus", "http://prometheus:9090", True)
    (provider,) = yaml.safe_load((provisioning / "dashboards.yml").read_text())["providers"]
    targets = [volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/tandem.json" in targets
