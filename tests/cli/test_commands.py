"""The program as people run it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from daemons import AVATARD, eventually

from avatard.__main__ import MODULES, main
from avatard.api.errors import NotReady
from avatard.cli import remote


def avatard(*args: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*AVATARD, *args], capture_output=True, text=True, timeout=120, check=False, **more)  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A running daemon with a silent microphone."""
    config = tmp_path / "avatard.yaml"
    config.write_text("name: box\nmicrophone: scripted\ndisplay: none\n")
    process = subprocess.Popen([*AVATARD, "run", "-c", str(config)], stderr=subprocess.PIPE, text=True)
    socket = Path(os.environ["XDG_RUNTIME_DIR"]) / "avatard" / "box.sock"
    for _ in range(200):
        if socket.exists() or process.poll() is not None:
            break
        time.sleep(0.05)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.alone
def test_the_demo_is_a_conversation(tmp_path: Path) -> None:
    done = avatard("demo", "--out", str(tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [t["heard"] for t in report["turns"]] == ["what time is it", "turn on the kitchen lights", "what can you do"]
    assert report == json.loads((tmp_path / "report.json").read_text())
    assert report["engines"] == {
        "wake_word": "microwakeword", "vad": "silero", "conversation": "intents", "stt": "pocketsphinx",
        "tts": "espeak", "render": "drawn", "encoder": "libx264",
    }  # fmt: skip
    count = sum(t["frames"]["count"] for t in report["turns"])
    with av.open(str(tmp_path / "demo.mp4")) as media:
        assert (media.streams.video[0].codec.name, media.streams.audio[0].codec.name) == ("h264", "aac")
        frames = [(float(f.pts * f.time_base), f.to_ndarray(format="bgr24")) for f in media.decode(video=0)]
    assert len(frames) == count and np.allclose(np.diff([t for t, _ in frames]), 0.04, atol=0.001)
    mouths = np.stack([f[300:400, 200:312].astype(int) for _, f in frames])
    assert np.abs(np.diff(mouths, axis=0)).mean(axis=(1, 2, 3)).max() > 4
    assert (tmp_path / "demo.png").stat().st_size > 20_000


def test_alexa_and_a_recorded_command(tmp_path: Path, recordings: Path) -> None:
    from avatard.cli.conversation import write_wav
    from avatard.plugins.file.wav import read_wav

    path = tmp_path / "request.wav"
    write_wav(path, np.concatenate([read_wav(recordings / "alexa.wav"), np.zeros(8000, np.int16),
                                    read_wav(recordings / "turn_on_the_office_lights_03.wav")]))  # fmt: skip
    done = avatard("demo", "--wav", str(path), "--out", str(tmp_path), "--json")
    turns = json.loads(done.stdout)["turns"]
    assert [(t["wake"]["phrase"], t["heard"]) for t in turns] == [("alexa", "turn on the office lights")]
    assert turns[0]["reply"] == "No house is connected yet, so I cannot switch the office lights."


def test_a_missing_recording(tmp_path: Path) -> None:
    done = avatard("demo", "--wav", "nowhere.wav", "--out", str(tmp_path))
    assert done.returncode == 78 and "recording nowhere.wav: No such file" in done.stderr


def test_say_to_a_file(tmp_path: Path) -> None:
    out = tmp_path / "said.mp4"
    assert avatard("say", "Dinner is ready. Come down!", "--out", str(out)).returncode == 0
    with av.open(str(out)) as media:
        assert 1.5 < len(list(media.decode(video=0))) / 25 < 6
    assert avatard("say", "...", "--out", str(out)).stderr.strip().endswith("nothing to say")
    raw = subprocess.run([*AVATARD, "say", "-", "--out", str(out)], input=b"caf\xff\xfe here", capture_output=True,
                         check=False, timeout=60)  # fmt: skip
    assert raw.returncode == 0


def test_commands_to_the_running_daemon_and_its_end(daemon: subprocess.Popen[str]) -> None:
    assert avatard("ask", "who are you").stdout.startswith("I am avatard.")
    assert avatard("say", "Hello.").returncode == 0
    assert avatard("volume", "30").returncode == 0
    assert avatard("mute", "on").returncode == 0
    status = json.loads(avatard("status", "--json").stdout)
    assert (status["volume"], status["muted"], status["state"]) == (30, True, "idle")
    assert "0 to 100" in avatard("volume", "300").stderr
    assert "muted" in avatard("listen").stderr
    assert avatard("ask", "sing me a song").stdout == "Sorry, I did not understand that.\n"
    # It ends at once, in the middle of a sentence, and leaves nothing.
    talking = subprocess.Popen([*AVATARD, "say", "one two three four five six seven. " * 20], stderr=subprocess.PIPE)
    eventually(lambda: list(remote.command({"do": "status"}, "box"))[-1]["state"] == "responding")
    children = psutil.Process(daemon.pid).children(recursive=True)
    assert children
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(10) == 0
    assert not [c for c in children if c.is_running() and c.status() != psutil.STATUS_ZOMBIE]
    talking.communicate(timeout=10)


def test_children_die_with_a_killed_daemon(daemon: subprocess.Popen[str]) -> None:
    children = psutil.Process(daemon.pid).children(recursive=True)
    daemon.kill()
    daemon.wait()
    assert children and psutil.wait_procs(children, timeout=5)[1] == []


def test_no_daemon_runs() -> None:
    done = avatard("status")
    assert done.returncode == 1 and "avatard run" in done.stderr


def test_a_command_to_the_daemon_needs_nothing_of_the_house() -> None:
    code = "import sys\nfrom avatard.__main__ import main\nend = main(sys.argv[1:])\nprint(*sys.modules)\nsys.exit(end)"
    for words in (["status"], ["say", "hello"]):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 1 and "avatard run" in done.stderr
        loaded = set(done.stdout.split())
        assert "avatard.cli.remote" in loaded and not loaded & {"numpy", "pydantic", "avatard.runtime.house"}


def test_help_knows_every_command_and_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    def help_(*words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main([*words, "--help"])
        assert ended.value.code == 0
        return capsys.readouterr().out

    assert [line.split()[0] for line in help_().splitlines() if re.match(r"    \w", line)] == list(MODULES)
    for command in MODULES:
        assert help_(command).startswith(f"usage: avatard {command} ")


def test_a_broken_configuration_exits_with_78(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("microphone: {platform: file, path: nowhere.wav}\ndisplay: none\n")
    done = avatard("run", "-c", str(path))
    assert done.returncode == 78 and "nowhere.wav" in done.stderr


def test_the_system_service_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setattr(remote, "SYSTEM_FOLDER", folder)
    with pytest.raises(NotReady, match=str(folder)):
        remote.find_socket(None)
    with socket.socket(socket.AF_UNIX) as system, socket.socket(socket.AF_UNIX) as own:
        system.bind(str(folder / "box.sock"))
        assert remote.find_socket(None) == remote.find_socket("box") == folder / "box.sock"
        mine = Path(os.environ["XDG_RUNTIME_DIR"]) / "avatard" / "mine.sock"
        mine.parent.mkdir()
        own.bind(str(mine))
        assert remote.find_socket(None) == remote.find_socket("mine") == mine
        assert remote.find_socket("box") == folder / "box.sock"
