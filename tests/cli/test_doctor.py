"""``avatard doctor`` on a virtual sound card, with a real broker, and where parts are missing."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from broker import Broker
from soundcard import SoundCard, soundcard

__all__ = ["soundcard"]

QUICK = "avatar: {render: [scripted]}\nencoder: scripted\n"
"""What is not asked about is quick."""
SLOW = "stt: scripted\nconversation: scripted\n"
"""Two looks of a second each."""
BARE = QUICK + "".join(f"{key}: null\n" for key in ("microphone", "wake_word", "vad", "stt", "conversation")) \
    + "display: {platform: none, pace: fast}\necho: none\n"
"""It only speaks, and to nobody."""


def doctor(config: Path, *args: str, env: dict[str, str] | None = None) -> tuple[int, dict[str, Any], str]:
    """Exit status, the rows by their part, and what a person saw."""
    done = subprocess.run(
        [sys.executable, "-m", "avatard", "doctor", "-c", str(config), "--json", *args], capture_output=True,
        text=True, timeout=240, check=False, env=env,
    )  # fmt: skip
    rows = json.loads(done.stdout)
    for row in rows:
        assert set(row) == {"part", "state", "what", "fix", "figures"} and row["state"] in ("ok", "warning", "failed")
        assert row["what"] and (row["state"] == "ok") == (row["fix"] == ""), row
    assert done.returncode == (1 if any(row["state"] == "failed" for row in rows) else 0) or done.returncode == 78, done
    return done.returncode, {row["part"]: row for row in rows}, done.stderr


def written(folder: Path, text: str) -> Path:
    path = folder / "avatard.yaml"
    path.write_text(f"name: patient\n{text}")
    return path


def joined(card: SoundCard, milliseconds: int = 150) -> str:
    """Let the microphone hear the loudspeaker; return the number of that stream."""
    card.pactl("load-module", "module-loopback", "source=speaker.monitor", "sink=mic", f"latency_msec={milliseconds}")
    return streams(card, "mic", "module-loopback")[0]


def streams(card: SoundCard, sink: str, of: str = "") -> list[str]:
    """The numbers of what plays on a sink, by a driver ``of`` this name."""
    number = next(line.split("\t")[0] for line in card.pactl("list", "short", "sinks").splitlines() if sink in line)
    rows = [line.split("\t") for line in card.pactl("list", "short", "sink-inputs").splitlines()]
    return [row[0] for row in rows if row[1] == number and of in row[3]]


def noise(path: Path, seconds: float = 60) -> Path:
    """A room in which nobody speaks."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.random.default_rng(4).normal(0, 12, int(seconds * 16_000)).astype(np.int16).tobytes())
    return path


@pytest.fixture
def room(soundcard: SoundCard, tmp_path: Path) -> Iterator[SoundCard]:
    """A microphone in a quiet room."""
    path = str(noise(tmp_path / "noise.wav"))
    playing = subprocess.Popen(["paplay", "--device=mic", path], env=soundcard.env)
    yield soundcard
    playing.kill()
    playing.wait()


@pytest.mark.long
def test_a_sound_card_whose_loudspeaker_is_heard(room: SoundCard, tmp_path: Path) -> None:
    joined(room)
    status, rows, seen = doctor(written(tmp_path, QUICK), env=room.env)
    assert status == 0, rows
    assert rows["sound in"]["state"] == rows["sound out"]["state"] == "ok"
    loop = rows["loop"]["figures"]
    assert loop["missing_ms"] == 0 and 60 <= loop["handed_to_heard_ms"] < 1500 and loop["clarity"] > 20, loop
    echo = rows["echo"]
    assert echo["state"] == "ok" and set(echo["figures"]["taken_db"]) == {"webrtc", "linear"}, echo
    assert max(echo["figures"]["taken_db"].values()) > 15, echo
    assert rows["wake word"]["state"] == "ok" and set(rows["wake word"]["figures"]["heard"]) == {
        "okay_nabu", "hey_jarvis", "alexa"}  # fmt: skip
    assert rows["tts espeak"]["figures"]["real_time_factor"] > 0
    assert "loop" in seen and "\x1b" not in seen, "no colours where nobody watches"


@pytest.mark.long
def test_a_loudspeaker_that_nobody_hears_and_a_dead_microphone(soundcard: SoundCard, tmp_path: Path) -> None:
    status, rows, seen = doctor(written(tmp_path, QUICK), env=soundcard.env)
    assert status == 1
    assert rows["sound in"]["state"] == "failed" and "only zeros" in rows["sound in"]["what"]
    assert "alsamixer" in rows["sound in"]["fix"]
    assert rows["sound out"]["state"] == "ok"
    assert rows["loop"]["state"] == "failed" and "does not hear the loudspeaker" in rows["loop"]["what"], rows
    assert rows["echo"]["state"] == "warning" and "not measured" in rows["echo"]["what"]
    assert rows["wake word"]["state"] == "ok", "one part's failure never stops the others"
    assert "→" in seen and "✗ loop" in seen


@pytest.mark.long
def test_a_loudspeaker_that_is_late_gets_its_line_of_configuration(room: SoundCard, tmp_path: Path) -> None:
    joined(room, 700)
    _, rows, _ = doctor(written(tmp_path, f"{QUICK}echo: none\n"), env=room.env)
    loop = rows["loop"]
    assert loop["state"] == "warning" and loop["figures"]["delay_ms"] > 400, loop
    value = round(loop["figures"]["delay_ms"] / 10) * 10
    assert loop["figures"]["missing_ms"] == 0 and "lead_in_ms" not in loop["fix"], loop
    assert f"    delay_ms: {value}" in loop["fix"] and "  - platform: speaker" in loop["fix"], loop
    config = written(tmp_path, f"{QUICK}echo: none\ndisplay:\n  - platform: speaker\n    delay_ms: {value}\n")
    _, rows, _ = doctor(config, env=room.env)
    assert rows["loop"]["state"] == "ok", (loop, rows["loop"])


@pytest.mark.long
def test_an_amplifier_that_swallows_the_beginning_gets_its_lead_in(room: SoundCard, tmp_path: Path) -> None:
    way = joined(room)
    room.pactl("set-sink-input-mute", way, "1")

    def wake() -> None:
        """Let through what comes 0.4 s after something plays."""
        for _ in range(1000):
            if streams(room, "speaker"):
                break
            time.sleep(0.02)
        time.sleep(0.4)
        room.pactl("set-sink-input-mute", way, "0")

    waking = threading.Thread(target=wake)
    waking.start()
    _, rows, _ = doctor(written(tmp_path, f"{QUICK}echo: none\n"), env=room.env)
    waking.join()
    loop = rows["loop"]
    missing = loop["figures"]["missing_ms"]
    assert loop["state"] == "warning" and 80 <= missing <= 1500, loop
    written_for_it = int(loop["fix"].split("lead_in_ms: ")[1].split()[0])
    assert missing + 100 <= written_for_it <= missing + 150, loop


def test_without_a_sound_card_the_rest_is_looked_at(tmp_path: Path) -> None:
    config = written(tmp_path, "microphone: {platform: sounddevice, device: nothing such}\n"
                     "display: {platform: speaker, device: nothing such}\n" + QUICK + SLOW)  # fmt: skip
    status, rows, _ = doctor(config)
    assert status == 1
    assert rows["sound in"]["state"] == rows["sound out"]["state"] == "failed"
    assert "device:" in rows["sound in"]["fix"] and "arecord -l" in rows["sound in"]["fix"]
    assert rows["wake word"]["state"] == rows["tts espeak"]["state"] == rows["memory"]["state"] == "ok"


def silent(folder: Path) -> str:
    """No sound card."""
    path = noise(folder / "room.wav", 5)
    ears = f"microphone: {{platform: file, path: {path}, loop: true, pace: fast}}\n"
    return f"{ears}display: {{platform: none, pace: fast}}\necho: none\n"


def test_a_model_file_that_is_none(tmp_path: Path) -> None:
    model = tmp_path / "wrong.onnx"
    model.write_bytes(b"this is no network" * 100)
    render = f"render: [{{platform: wav2lip, model: {model}}}]"
    status, rows, _ = doctor(written(tmp_path, BARE.replace("render: [scripted]", render)))
    row = rows["render wav2lip"]
    assert status == 1 and row["state"] == "failed" and row["fix"], row
    assert rows["tts espeak"]["state"] == "ok"


@pytest.mark.pair
def test_the_real_engines_have_their_speeds(tmp_path: Path) -> None:
    status, rows, _ = doctor(written(tmp_path, silent(tmp_path)))
    assert status == 0, rows
    assert rows["stt pocketsphinx"]["figures"]["heard"] == "what time is it"
    assert rows["conversation intents"]["figures"]["reply"].startswith("It is")
    assert rows["vad"]["figures"]["ms_per_frame"] > 0
    assert rows["render drawn"]["figures"]["ms_per_picture"] > 0
    assert rows["encoder ffmpeg"]["figures"]["encoder"]


def test_memory_is_told_for_each_process_and_engine(tmp_path: Path) -> None:
    status, rows, _ = doctor(written(tmp_path, QUICK + SLOW + silent(tmp_path)), "--memory")
    assert status == 0, rows
    total = rows["memory"]["figures"]["pss_mb"]
    weighed = {part.strip(): row["figures"].get("pss_mb") for part, row in rows.items() if part != "memory"}
    processes = {part: megabytes for part, megabytes in weighed.items() if megabytes is not None}
    assert {"daemon", "tts.espeak"} <= set(processes), processes
    assert sum(processes.values()) == pytest.approx(total, abs=2)
    engines = {part.strip() for part, row in rows.items() if row["figures"].get("engine_mb", -1) >= 0}
    assert engines == {"wake_word.microwakeword", "vad.silero"}, rows


def test_a_broker_that_is_there_and_one_that_is_not(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker:
        config = written(tmp_path, f"{BARE}tts: scripted\nmqtt: {{host: 127.0.0.1, port: {broker.port}}}\n")
        status, rows, _ = doctor(config)
        assert status == 0, rows
        assert rows["broker"]["state"] == "ok" and "comes back" in rows["broker"]["what"], rows["broker"]
    status, rows, _ = doctor(config)
    assert status == 1 and rows["broker"]["state"] == "failed" and str(broker.port) in rows["broker"]["what"]
    assert "mosquitto_pub" in rows["broker"]["fix"]


def test_a_broker_that_gives_no_rights(tmp_path: Path) -> None:
    with Broker(tmp_path, users={"box": "word"}, acl="user box\ntopic write avatard/patient/#\n") as broker:
        bridge = f"mqtt: {{host: 127.0.0.1, port: {broker.port}, username: box, password: word}}\n"
        config = written(tmp_path, BARE + "tts: scripted\n" + bridge)
        status, rows, _ = doctor(config)
    assert status == 1 and rows["broker"]["state"] == "failed" and "do not come through" in rows["broker"]["what"]
    assert "ACL" in rows["broker"]["fix"]


def test_a_wrong_configuration(tmp_path: Path) -> None:
    status, rows, _ = doctor(written(tmp_path, "displai: none\n"))
    assert status == 78 and rows["configuration"]["state"] == "failed"
    assert "avatard.yaml:2: displai" in rows["configuration"]["what"]


@pytest.mark.pair
def test_the_level_meter_hears_nothing_but_zeros(soundcard: SoundCard, tmp_path: Path) -> None:
    status, rows, _ = doctor(written(tmp_path, QUICK), "--level", "--seconds", "1", env=soundcard.env)
    assert status == 1 and set(rows) == {"sound in"} and "only zeros" in rows["sound in"]["what"]
