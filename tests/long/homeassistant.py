"""A real Home Assistant of the tests' own: installed once into a virtual environment, run from a fresh folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from broker import HOST, Broker, free_port
from conftest import missing

# The home of whoever runs the tests; each test has an XDG_CACHE_HOME of its own.
CACHE = Path.home() / ".cache" / "avatard-test-ha"
# The last release that any Python 3.13 runs, with what its MQTT takes at its first use.
RELEASE = "2025.4.4"
REQUIREMENTS = [f"homeassistant=={RELEASE}", "paho-mqtt==2.1.0"]
THERE = f"import paho.mqtt, homeassistant.bootstrap, homeassistant.const as c; assert c.__version__ == '{RELEASE}'"
CONFIGURATION = """
homeassistant: {{name: test, time_zone: UTC, unit_system: metric}}
http: {{server_host: {host}, server_port: {port}}}
api:
config:
logger: {{default: warning, logs: {{homeassistant.components.mqtt: info}}}}
"""
LONELY = r"\[homeassistant\.components\.mqtt\.client\] (Disconnected from|Failed to connect to|Error returned from)"
CLIENT = "http://test.invalid/"
ASK = """
import asyncio, json, sys, aiohttp
async def main(url, token, *commands):
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as ws:
        await ws.receive_json()
        await ws.send_json({"type": "auth", "access_token": token})
        assert (await ws.receive_json())["type"] == "auth_ok"
        for n, command in enumerate(commands, 1):
            await ws.send_json({"id": n, **json.loads(command)})
            answer = await ws.receive_json()
            assert answer.get("success"), answer
            print(json.dumps(answer["result"]))
asyncio.run(main(*sys.argv[1:]))
"""


def python313() -> Path:
    """Find a Python 3.13 that runs."""
    named = os.environ.get("AVATARD_TEST_PYTHON313")
    pyenv = sorted((Path.home() / ".pyenv" / "versions").glob("3.13*/bin/python"))
    for candidate in (named, shutil.which("python3.13"), *pyenv):
        if candidate and _runs(candidate, "import sys, venv; assert sys.version_info[:2] == (3, 13)"):
            return Path(candidate)
    missing("Python 3.13, for Home Assistant (name one in AVATARD_TEST_PYTHON313)")
    raise AssertionError


def installed() -> Path:
    """Install Home Assistant where it is not yet; return its Python."""
    python = CACHE / "venv" / "bin" / "python"
    if not (python.exists() and _runs(str(python), THERE)):
        source = python313()
        shutil.rmtree(CACHE / "venv", ignore_errors=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        for command in ([source, "-m", "venv", CACHE / "venv"], [python, "-m", "pip", "install", "-q", *REQUIREMENTS]):
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean())
            if done.returncode:
                missing(f"Home Assistant ({' '.join(map(str, command))}: {done.stderr.strip()[-300:]})")
    return python


def clean() -> dict[str, str]:
    """Return the environment without what would send another Python to our packages."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") and k != "VIRTUAL_ENV"}


def _runs(python: str, code: str) -> bool:
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, check=False, env=clean(), timeout=120)
    except OSError:
        return False
    return done.returncode == 0


class HomeAssistant:
    """Started by ``running``; ``entity`` and ``call`` are what a person would see and press."""

    def __init__(self, python: Path, folder: Path, more: str = "") -> None:
        self.python = python
        self.folder = folder
        self.port = free_port()
        self._tokens: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._earlier = ""
        folder.mkdir(parents=True)
        (folder / "configuration.yaml").write_text(CONFIGURATION.format(host=HOST, port=self.port) + more)

    def start(self, seconds: float = 300) -> None:
        """Start, and wait until it is running; at the first start it installs what it lacks, and is onboarded."""
        with (self.folder / "output").open("ab") as output:
            command = [self.python, "-P", "-m", "homeassistant", "-c", self.folder]
            self._process = subprocess.Popen(command, stdout=output, stderr=output, env=clean())
        end = time.monotonic() + seconds
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < end, f"no Home Assistant: {self.output[-4000:]}"
            time.sleep(0.2)
        if self._tokens:
            self._login(grant_type="refresh_token", refresh_token=self._tokens["refresh_token"])
        else:
            person = {"client_id": CLIENT, "name": "test", "username": "test", "password": "test", "language": "en"}
            self._login(grant_type="authorization_code", code=self.post("onboarding/users", person)["auth_code"])
        self.until(lambda: self.get("config")["state"] == "RUNNING", end - time.monotonic())

    def stop(self) -> None:
        """End it as a service manager would."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
            self._earlier = self.log
            (self.folder / "home-assistant.log").unlink()

    def add_mqtt(self, broker: Broker) -> None:
        """Set the integration up as a person does, through its form."""
        form = self.post("config/config_entries/flow", {"handler": "mqtt"})
        done = self.post(f"config/config_entries/flow/{form['flow_id']}", {"broker": HOST, "port": broker.port})
        assert done["type"] == "create_entry", done

    def get(self, path: str) -> Any:
        """Read from the REST API."""
        return self._request(f"api/{path}")

    def post(self, path: str, data: dict[str, Any]) -> Any:
        """Write to the REST API."""
        return self._request(f"api/{path}", json.dumps(data).encode(), "application/json")

    def call(self, domain: str, service: str, entity: str, **data: Any) -> None:
        """Call a service, as a button on a dashboard or an automation does."""
        self.post(f"services/{domain}/{service}", {"entity_id": entity, **data})

    def entity(self, id: str) -> dict[str, Any]:
        """Return an entity's ``state`` and ``attributes``; a state of "" is an entity that is not there."""
        try:
            return dict(self.get(f"states/{id}"))
        except urllib.error.HTTPError as err:
            with err:
                assert err.code == 404, err
            return {"state": "", "attributes": {}}

    def state(self, id: str) -> str:
        """Return an entity's state."""
        return str(self.entity(id)["state"])

    def ask(self, *commands: str | dict[str, Any]) -> list[Any]:
        """Send commands over the WebSocket API: the registries are to be had there alone."""
        url, token = f"http://{HOST}:{self.port}/api/websocket", self._tokens["access_token"]
        sent = [json.dumps({"type": c} if isinstance(c, str) else c) for c in commands]
        command = [self.python, "-P", "-c", ASK, url, token, *sent]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean())
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def device(self, identifier: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Return a device of MQTT and its entities by unique id, disabled ones too."""
        devices, entities = self.ask("config/device_registry/list", "config/entity_registry/list")
        device = next((d for d in devices if ["mqtt", identifier] in d["identifiers"]), {})
        return device, {e["unique_id"]: e for e in entities if device and e["device_id"] == device["id"]}

    def until(self, what: Callable[[], object], seconds: float = 15, why: Callable[[], object] = lambda: "") -> None:
        """Wait until something holds."""
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, f"not in {seconds:.0f} s: {why()}; {self.complaints()}"
            time.sleep(0.1)

    def until_state(self, id: str, state: str, seconds: float = 15) -> None:
        """Wait until an entity has a state."""
        self.until(lambda: self.state(id) == state, seconds, lambda: f"{id} is {self.entity(id)}, not {state!r}")

    @property
    def log(self) -> str:
        """Its log, over restarts."""
        file = self.folder / "home-assistant.log"
        return self._earlier + (file.read_text(errors="replace") if file.exists() else "")

    @property
    def output(self) -> str:
        """What it printed."""
        return (self.folder / "output").read_text(errors="replace")

    def complaints(self, about: Sequence[str] = ("mqtt", "avatard")) -> list[str]:
        """Return warnings and errors of its log that name one of ``about``; not that it has no connection itself."""
        text = self.log.replace(str(CACHE), "").replace(str(self.folder), "")
        entries = re.split(r"\n(?=\d{4}-\d\d-\d\d )", text)
        loud = [e for e in entries if re.search(r"^\S+ \S+ (WARNING|ERROR|CRITICAL)", e)]
        return [e for e in loud if any(name in e.lower() for name in about) and not re.search(LONELY, e)]

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"http://{HOST}:{self.port}/api/onboarding", timeout=2).close()
        except urllib.error.HTTPError as err:
            with err:  # After the onboarding its addresses are gone.
                return err.code in (401, 404)
        except OSError:
            return False
        return True

    def _login(self, **form: str) -> None:
        data = urllib.parse.urlencode({"client_id": CLIENT, **form}).encode()
        self._tokens |= self._request("auth/token", data, "application/x-www-form-urlencoded")

    def _request(self, path: str, data: bytes | None = None, kind: str = "") -> Any:
        headers = {"Content-Type": kind} if kind else {}
        if token := self._tokens.get("access_token"):
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(f"http://{HOST}:{self.port}/{path}", data, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


@contextmanager
def running(folder: Path, broker: Broker, more: str = "") -> Iterator[HomeAssistant]:
    """Run Home Assistant with its MQTT set up; ``more`` is added to its configuration."""
    home = HomeAssistant(installed(), folder / "homeassistant", more)
    try:
        home.start()
        home.add_mqtt(broker)
        yield home
    finally:
        home.stop()
