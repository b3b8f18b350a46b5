"""The daemon's life: reloads, restarts, signals, and every way to end it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import daemons
import pytest
from broker import Broker, Listener
from daemons import eventually, plugin

LONG = "one two three four five six seven eight nine ten. " * 20
ASKS = "{platform: scripted, script: [{wake: x}, {silence: 0.2}, {say: hello}, {silence: 3600}]}"
SLOW = "{platform: scripted, token_ms: 3000}"
DRAWN: dict[str, Any] = {"display": "none", "avatar": None, "encoder": None}
"""In real time, with the face and the encoder that ship."""


class Running(daemons.Running):
    """A daemon whose pictures cost nothing, unless the test is about what it does while it speaks."""

    def write(self, **keys: Any) -> None:
        super().write(**({"avatar": "{render: [scripted]}", "encoder": "scripted"} | keys))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Running]:
    with Running(tmp_path) as running:
        yield running


@pytest.fixture
def talking(tmp_path: Path) -> Iterator[Running]:
    """One that speaks in real time."""
    with Running(tmp_path, **DRAWN) as running:
        yield running


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a test's own plugins are installed."""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'wheels'}:{os.environ.get('PYTHONPATH', '')}")
    return tmp_path / "wheels"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path) as broker:
        yield broker


def mqtt(broker: Broker, more: str = "") -> str:
    return f"{{host: 127.0.0.1, port: {broker.port}{more}}}"


def notified(at: socket.socket, seconds: float = 10) -> str:
    at.settimeout(seconds)
    return at.recv(4096).decode()


def test_a_second_one_with_this_id_ends_and_is_not_heard_of(tmp_path: Path, broker: Broker) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with Running(tmp_path, mqtt=mqtt(broker)) as daemon, Listener(broker, "avatard/box/availability") as listener:
        listener.wait_for("avatard/box/availability", lambda m: m.text == "online")
        with Running(other, ready=False, mqtt=mqtt(broker)) as second:
            assert second.process.wait(20) == 1
            assert "runs already" in second.log and "connected" not in second.log, second.log
        assert [m.text for m in listener.messages] == ["online"]
        assert daemon.status()["ok"]


# Reload.


def test_a_reload_reopens_what_has_changed(daemon: Running) -> None:
    voice = daemon.voice()
    daemon.do("mute", on=True)
    daemon.do("volume", percent=35)
    daemon.hang_up()
    assert daemon.voice() == voice, "nothing had changed"
    daemon.hang_up(tts="{platform: espeak, rate: 250}")
    assert daemon.voice() != voice
    voice = daemon.voice()
    daemon.hang_up(tts="{platform: espeak, rate: 250}", logging="{level: debug}", memory="{budget_mb: 900}")
    assert daemon.voice() == voice, "neither of them needs anything opened"
    assert daemon.do("say", text="hello")["ok"]
    daemon.logged("D avatard: state: responding")
    status = daemon.status()
    assert (status["muted"], status["volume"], status["problems"]) == (True, 35, {})
    assert daemon.end() == 0


def test_a_reload_waits_for_what_is_being_said(talking: Running) -> None:
    saying = talking.saying("One two three four five six.")
    talking.hang_up(tts="{platform: espeak, rate: 250}", **DRAWN)
    assert saying.wait(5) == 0
    talking.logged(r"said: One two three four five six\.  {")


def test_a_bad_file_changes_nothing(daemon: Running) -> None:
    voice = daemon.voice()
    for keys, word in (
        ({"text": "name: [box\n"}, r"avatard\.yaml:\d: .*not YAML"),
        ({"nonsense": "1"}, "nonsense: unknown key"),
        ({"tts": "espoke"}, "no platform 'espoke' for tts; did you mean 'espeak'"),
        ({"name": "other"}, "id: it is 'box' while the daemon runs, the file says 'other'; restart it"),
    ):
        daemon.hang_up("reload: nothing has changed", **keys)
        daemon.logged(word)
        problem = eventually(lambda: daemon.status()["problems"].get("configuration"))
        assert str(daemon.config) in problem
        assert daemon.voice() == voice and daemon.do("say", text="still here")["error"] == ""
        daemon.hang_up()
        assert eventually(lambda: daemon.status()["problems"] == {}) and daemon.voice() == voice
    daemon.config.unlink()
    daemon.process.send_signal(signal.SIGHUP)
    daemon.logged("cannot be read: No such file")
    assert daemon.end() == 0


def test_what_cannot_be_opened_is_not_adopted(wheels: Path, tmp_path: Path) -> None:
    plugin(wheels, "broken", "stt", "import no_such_library\n")
    plugin(wheels, "rude", "vad", "async def async_setup(context, config):\n    yield\n")
    with Running(tmp_path) as daemon:
        daemon.do("volume", percent=35)
        for keys in (
            {"microphone": "{platform: file, path: missing.wav}"}, {"tts": "{platform: espeak, voice: klingon-9}"},
            {"stt": "broken"}, {"mqtt": "{tls: {ca: missing.crt}}"}, {"vad": "rude"},
        ):  # fmt: skip
            daemon.hang_up("going on as before", logging="{level: debug}", **keys)
            problem = eventually(lambda: daemon.status()["problems"].get("configuration"))
            assert "goes on as before" in problem, problem
            assert daemon.do("say", text="still here")["error"] == ""
            assert daemon.status()["volume"] == 35
            daemon.hang_up()
            assert eventually(lambda: daemon.status()["problems"] == {})
        assert "state: responding" not in daemon.log, "the log's level is the old one too"
        assert daemon.end() == 0


def test_a_bridge_comes_changes_and_goes_while_the_house_stands(daemon: Running, broker: Broker) -> None:
    voice = daemon.voice()
    with Listener(broker, "#") as listener:
        daemon.hang_up(mqtt=mqtt(broker))
        listener.wait_for("avatard/box/availability", lambda m: m.text == "online")
        listener.wait_for("homeassistant/device/+/config", lambda m: m.payload)
        daemon.hang_up(mqtt=mqtt(broker, ", base_topic: here"))
        listener.wait_for("avatard/box/availability", lambda m: m.text == "offline")
        listener.wait_for("here/availability", lambda m: m.text == "online")
        listener.publish("here/say/set", "hello")
        listener.wait_for("here/reply", lambda m: "hello" in m.text)
        daemon.hang_up()
        listener.wait_for("here/availability", lambda m: m.text != "online")
    left = broker.retained("here/#") | broker.retained("homeassistant/#")
    assert left == {}, (left, daemon.log)
    assert daemon.voice() == voice
    assert daemon.end() == 0


@pytest.mark.long
def test_another_house_is_mirrored_by_the_same_bridge(tmp_path: Path, broker: Broker) -> None:
    with Running(tmp_path, mqtt=mqtt(broker)) as daemon, Listener(broker, "avatard/#") as listener:
        listener.wait_for("avatard/box/voice", lambda m: m.text == "en-us")
        listener.publish("avatard/box/voice/set", "en-us+f1")
        listener.publish("avatard/box/volume/set", "20")
        listener.wait_for("avatard/box/voice", lambda m: m.text == "en-us+f1")
        listener.wait_for("avatard/box/volume", lambda m: m.text == "20")
        listener.clear()
        daemon.hang_up(tts="{platform: espeak, voice: en-us+m3}", mqtt=mqtt(broker))
        listener.wait_for("avatard/box/voice", lambda m: m.text == "en-us+m3")
        assert [m.text for m in listener.of("avatard/box/availability")] == []
        assert broker.retained("avatard/box/volume") == {"avatard/box/volume": b"20"}
        assert daemon.end() == 0


def test_mqtt_reload_and_restart(tmp_path: Path, broker: Broker) -> None:
    with Running(tmp_path, mqtt=mqtt(broker)) as daemon, Listener(broker, "#") as listener:
        listener.wait_for("avatard/box/availability", lambda m: m.text == "online")
        daemon.write(text="nothing: good\n")
        listener.publish("avatard/box/reload/set", "", respond="answers", correlation=b"1")
        assert not listener.wait_for("answers").json()["ok"]
        listener.clear()
        daemon.write(mqtt=mqtt(broker))
        pid = daemon.process.pid
        listener.publish("avatard/box/restart/set", "", respond="answers", correlation=b"2")
        assert listener.wait_for("answers").json()["ok"]
        listener.wait_for("avatard/box/availability", lambda m: m.text == "offline")
        listener.wait_for("avatard/box/availability", lambda m: m.text == "online")
        daemon.logged("ready: ", 2)
        assert daemon.process.poll() is None and daemon.process.pid == pid
        assert eventually(lambda: daemon.status()["problems"] == {})
        listener.publish("avatard/box/say/set", "back again")
        listener.wait_for("avatard/box/turn", lambda m: m.json()["reply"] == "back again")
        assert daemon.end() == 0
        listener.wait_for("avatard/box/availability", lambda m: m.text == "offline")


@pytest.mark.long
def test_a_term_during_a_restart_ends_it(tmp_path: Path, broker: Broker) -> None:
    with Running(tmp_path, mqtt=mqtt(broker)) as daemon, Listener(broker, "avatard/#") as listener:
        listener.wait_for("avatard/box/availability", lambda m: m.text == "online")
        listener.publish("avatard/box/restart/set", "")
        listener.wait_for("avatard/box/availability", lambda m: m.text == "offline")
        assert daemon.end() in (0, -signal.SIGTERM)
        assert "starting again" not in daemon.log or daemon.process.returncode == -signal.SIGTERM


def test_every_task_is_written_to_the_log(talking: Running) -> None:
    saying = talking.saying(LONG)
    talking.process.send_signal(signal.SIGUSR1)
    talking.logged(r"SIGUSR1: \d+ tasks")
    talking.logged(r"-- turn \d+ \(cli\)")
    talking.logged(r"place\.py:\d+ Place\._run$")
    talking.logged(r"turn\.py:\d+ Answer\.give$")
    for name in ("daemon", "listening", "watchdog|log", "checkup", "timers"):
        talking.logged(f"^-- ({name})$")
    assert talking.status()["state"] == "responding"
    talking.do("stop")
    saying.wait(5)


# The end.


def test_it_ends_while_it_starts(wheels: Path, tmp_path: Path) -> None:
    plugin(wheels, "slow", "vad", SLOW_PLUGIN, "seconds: float = 0")
    with Running(tmp_path, ready=False, vad="{platform: slow, seconds: 60}") as daemon:
        daemon.logged("slow: opening")
        assert daemon.end() == 0
        assert "ready" not in daemon.log and "Traceback" not in daemon.log


@pytest.mark.long
def test_it_ends_while_an_engine_loads_on_its_thread(wheels: Path, tmp_path: Path) -> None:
    plugin(wheels, "slow", "vad", SLOW_PLUGIN, "seconds: float = 0\n    on_thread: bool = True")
    with Running(tmp_path, ready=False, vad="{platform: slow, seconds: 3}") as daemon:
        daemon.logged("slow: loading")
        assert daemon.end() == 0
        assert "Traceback" not in daemon.log, daemon.log


SLOW_PLUGIN = """
import asyncio, time
from contextlib import asynccontextmanager


class Engine:
    def __init__(self, seconds):
        import logging
        logging.getLogger("avatard").warning("slow: loading")
        time.sleep(seconds)


@asynccontextmanager
async def async_setup(context, config):
    context.logger.warning("slow: opening")
    if getattr(config, "on_thread", False):
        await context.model(Engine, 1, seconds=config.seconds).load()
    await asyncio.sleep(config.seconds)
    yield
"""


@pytest.mark.parametrize("state", [
    "listening", "processing", "responding", pytest.param("ringing", marks=pytest.mark.long)])  # fmt: skip
def test_it_ends_in_every_state(tmp_path: Path, state: str) -> None:
    keys = {
        "listening": {"microphone": "{platform: scripted, script: [{wake: x}, {silence: 3600}]}"},
        "processing": {"microphone": ASKS, "conversation": SLOW}, "responding": DRAWN,
        "ringing": {"microphone": ASKS.replace("hello", "set a timer for one second"), "conversation": "intents"},
    }.get(state, {})
    with Running(tmp_path, **keys) as daemon:
        saying = daemon.saying(LONG) if state == "responding" else None
        wanted = "responding" if state == "ringing" else state
        if state == "ringing":
            daemon.logged("said: One second")
        eventually(lambda: daemon.status()["state"] == wanted, 20)
        assert daemon.end() == 0
        assert "Traceback" not in daemon.log and "did not" not in daemon.log, daemon.log
        if saying is not None:
            saying.wait(5)
    assert not Path(os.environ["XDG_RUNTIME_DIR"], "avatard", "box.sock").exists()


def test_it_ends_during_a_reload(talking: Running) -> None:
    saying = talking.saying(LONG)
    talking.write(tts="{platform: espeak, rate: 250}", **DRAWN)
    talking.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert talking.status()["state"] == "responding", "the reload waits for the turn"
    assert talking.end() == 0
    assert "Traceback" not in talking.log, talking.log
    saying.wait(5)


def test_it_ends_with_a_child_that_hangs(talking: Running) -> None:
    saying = talking.saying(LONG)
    talking.voice().send_signal(signal.SIGSTOP)
    assert talking.end() == 0
    saying.wait(5)


@pytest.mark.long
def test_signals_without_end_do_no_harm(talking: Running) -> None:
    for number in (signal.SIGHUP, signal.SIGUSR1) * 5:
        talking.process.send_signal(number)
    assert talking.do("say", text="hello")["error"] == ""
    saying = talking.saying(LONG)
    talking.children()
    with contextlib.suppress(ProcessLookupError):
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1) * 3:
            talking.process.send_signal(number)
            time.sleep(0.01)
    assert talking.end() == 0
    saying.wait(5)


def test_offline_is_published_in_the_middle_of_a_sentence(tmp_path: Path, broker: Broker) -> None:
    with Running(tmp_path, **DRAWN, mqtt=mqtt(broker)) as daemon, Listener(broker, "avatard/#") as listener:
        listener.wait_for("avatard/box/availability", lambda m: m.text == "online")
        listener.publish("avatard/box/say/set", LONG)
        listener.wait_for("avatard/box/state", lambda m: m.text == "responding")
        assert daemon.end() == 0
        listener.wait_for("avatard/box/turn", lambda m: m.json()["interrupted"])
        listener.wait_for("avatard/box/availability", lambda m: m.text == "offline")
    assert "DISCONNECT" in broker.log


def test_it_ends_while_the_broker_hangs(tmp_path: Path, broker: Broker) -> None:
    with Running(tmp_path, mqtt=mqtt(broker)) as daemon, Listener(broker, "avatard/#") as listener:
        listener.wait_for("avatard/box/health", lambda m: m.payload)
        broker.pause()
        try:
            assert daemon.end() == 0
        finally:
            broker.resume()
        listener.wait_for("avatard/box/availability", lambda m: m.text == "offline")


def test_it_ends_while_it_looks_for_the_broker(tmp_path: Path, broker: Broker) -> None:
    with Running(tmp_path, mqtt=mqtt(broker)) as daemon:
        eventually(lambda: "avatard-box" in broker.log)
        broker.kill()
        eventually(lambda: "mqtt" in daemon.status()["problems"])
        assert daemon.end() == 0
        assert "Traceback" not in daemon.log, daemon.log


def test_a_killed_daemon_leaves_its_will_and_no_child(tmp_path: Path, broker: Broker) -> None:
    with Running(tmp_path, mqtt=mqtt(broker)) as daemon, Listener(broker, "avatard/#") as listener:
        listener.wait_for("avatard/box/availability", lambda m: m.text == "online")
        assert daemon.children()
        assert daemon.end(signal.SIGKILL) == -signal.SIGKILL
        listener.wait_for("avatard/box/availability", lambda m: m.text == "offline")
    with Running(tmp_path) as again:
        assert again.status()["state"] == "idle", "the dead one's socket is in nobody's way"
        assert again.end() == 0


# systemd.


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as at:
        at.bind(str(tmp_path / "notify"))
        yield at


def test_systemd_is_told(tmp_path: Path, systemd: socket.socket) -> None:
    env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}
    with Running(tmp_path, ready=False, env=env) as daemon:
        heard: list[str] = []

        def until(word: str) -> None:
            while not heard or not heard[-1].startswith(word):
                heard.append(notified(systemd))

        until("READY=1")
        until("STATUS=")
        until("WATCHDOG=1")
        until("WATCHDOG=1")
        assert not [word for word in heard if word.startswith(("RELOADING", "STOPPING"))]
        daemon.hang_up("nothing has changed", text="bad: yes\n")
        until("RELOADING=1\nMONOTONIC_USEC=")
        until("READY=1")
        daemon.hang_up(tts="{platform: espeak, rate: 250}")
        until("RELOADING=1\nMONOTONIC_USEC=")
        until("READY=1")
        assert daemon.end() == 0
        until("STOPPING=1")


def test_a_restart_is_no_end_for_systemd(tmp_path: Path, systemd: socket.socket, broker: Broker) -> None:
    env = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
    with Running(tmp_path, env=env, mqtt=mqtt(broker)) as daemon, Listener(broker, "avatard/#") as listener:
        listener.wait_for("avatard/box/availability", lambda m: m.text == "online")
        listener.publish("avatard/box/restart/set", "")
        daemon.logged("ready: ", 2)
        heard = [notified(systemd) for _ in range(5)]
        assert [word.partition("=")[0] for word in heard] == ["READY", "STATUS", "RELOADING", "READY", "STATUS"], heard


STUCK = """
import asyncio
from contextlib import asynccontextmanager


@asynccontextmanager
async def async_setup(context, config):
    async def job(pulse):
        for _ in range(4):
            pulse.beat(0.5)
            await asyncio.sleep(0.3)
        await asyncio.sleep(3600)

    context.run("job", job)
    yield
"""


def test_a_stuck_part_starves_the_watchdog(wheels: Path, tmp_path: Path, systemd: socket.socket) -> None:
    plugin(wheels, "stuck", "bridge", STUCK)
    env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
    with Running(tmp_path, env=env, stuck="{}") as daemon:
        daemon.logged("no life from stuck.job")
        while True:
            try:
                notified(systemd, 0.01)
            except TimeoutError:
                break
        with pytest.raises(TimeoutError):
            notified(systemd, 1.5)
        assert daemon.end() == 0, "what is stuck does not hold up the end"


# Children that die.


@pytest.mark.long
def test_a_voice_killed_between_two_sentences_is_not_missed(talking: Running) -> None:
    saying = talking.saying("One two three. Four five six. " * 2)
    talking.kill_voice()
    assert saying.wait(20) == 0
    talking.logged("said: One two three. Four five six. One two three. Four five six.  {")
    assert talking.status()["problems"] == {}
    assert talking.end() == 0


@pytest.mark.long
def test_a_voice_killed_in_a_sentence(talking: Running) -> None:
    # espeak's sound is taken as fast as it comes: what was made already is said to its end.
    saying = talking.saying("one two three four five six seven eight nine ten " * 6)
    talking.kill_voice()
    talking.logged("said: (one two three four five six seven eight nine ten ?){6}", seconds=40)
    assert saying.wait(10) == 0
    assert talking.do("say", text="hello")["error"] == "" and talking.status()["problems"] == {}
    assert talking.end() == 0


def test_a_voice_that_dies_again_and_again_is_given_up(daemon: Running) -> None:
    # What was said before would need no voice.
    for number in range(5):
        daemon.do("say", text=f"hello {number}")
        daemon.kill_voice()
    eventually(lambda: "its process died 5 times in 60 s" in daemon.do("say", text="hello")["error"])
    assert "its process died 5 times" in eventually(lambda: daemon.status()["problems"].get("turn"))
    assert daemon.end() == 0


@pytest.mark.long
def test_the_next_in_the_ranking_speaks_for_the_dead_one(tmp_path: Path) -> None:
    with Running(tmp_path, tts="[espeak, scripted]") as daemon:
        number = 0
        while daemon.status()["engines"]["tts"] == "espeak":
            assert daemon.do("say", text=f"hello {(number := number + 1)}")["error"] == ""
            if any("avatard.runtime.child" in c.cmdline() for c in daemon.children()):
                daemon.kill_voice()
        assert daemon.do("say", text="hello")["error"] == ""
        assert daemon.end() == 0


# Bridges that fail.

FAILS = """
from contextlib import asynccontextmanager
from pathlib import Path
from avatard.api import errors


@asynccontextmanager
async def async_setup(context, config):
    if not Path(config.until).exists():
        raise getattr(errors, config.error, RuntimeError)("not yet")
    yield
"""


@pytest.mark.parametrize("error", [pytest.param("NotReady", marks=pytest.mark.long), "RuntimeError"])
def test_a_bridge_that_fails_is_tried_again(wheels: Path, tmp_path: Path, error: str) -> None:
    plugin(wheels, "fails", "bridge", FAILS, "until: str\n    error: str")
    with Running(tmp_path, fails=f"{{until: {tmp_path}/there, error: {error}}}") as daemon:
        assert eventually(lambda: daemon.status()["problems"]) == {"fails": "not yet"}
        assert daemon.do("say", text="hello")["error"] == ""
        (tmp_path / "there").touch()
        assert eventually(lambda: daemon.status()["problems"] == {})
        assert daemon.end() == 0


def test_a_bridge_that_must_be_configured_differently(wheels: Path, tmp_path: Path) -> None:
    plugin(wheels, "fails", "bridge", FAILS, "until: str\n    error: str")
    with Running(tmp_path, ready=False, fails="{until: nothing, error: ConfigError}") as daemon:
        assert daemon.process.wait(15) == 78 and "not yet" in daemon.log
        assert "Traceback" not in daemon.log, daemon.log
