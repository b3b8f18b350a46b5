from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avatard.__main__ import main
from avatard.api.errors import ConfigError
from avatard.runtime.config import ConfigProblems, from_mapping, load
from avatard.runtime.config.schema import json_schema
from avatard.runtime.data import data_file


def problems(path: Path, text: str | bytes) -> list[str]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigProblems) as caught:
        load(path)
    return [str(p).replace(str(path), "F") for p in caught.value.problems]


def test_the_shipped_file_and_the_default_are_the_same() -> None:
    shipped, default = load(data_file("config", "avatard.yaml")), from_mapping({})
    platforms = [{d: [e.platform for e in s] for d, s in c.stages.items()} for c in (shipped, default)]
    assert platforms[0] == platforms[1]
    assert platforms[1]["stt"] == ["pocketsphinx"] and shipped.id == "living-room"


def test_every_error_at_once_with_its_place(tmp_path: Path) -> None:
    assert problems(tmp_path / "a.yaml", """name: X
microphne: file
listening:
  end_silence: 300
  max_seconds: 900
tts:
  - platform: espeek
  - platform: espeak
    rate: fast
wyoming:
  host: x
""") == [
        "F:2: microphne: unknown key; did you mean 'microphone'?",
        "F:4: listening.end_silence: unknown key; did you mean 'end_silence_ms'?",
        "F:5: listening.max_seconds: input should be less than or equal to 60",
        "F:7: tts.0.platform: no platform 'espeek' for tts; did you mean 'espeak'?; there are espeak, piper, scripted",
        "F:9: tts.1.rate: input should be a valid integer, unable to parse string as an integer",
        "F:10: wyoming: no installed plugin provides wyoming; remove it or install one",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (b"name: \xff", "F:1: not UTF-8"), ("a: [", "F:1: not YAML"), ("- a\n", "F:1: a mapping"),
        ("name: a\nname: b", "F:2: name: stands here twice"), ("\tname: a", "F:1: not YAML"),
        ("name: !secret nothing", "F:1: name: secret 'nothing'"),
        ("name: !env_var NO_SUCH_THING", "F:1: name: the env"),
        ("name: !include ../x.yaml", "F:1: name: !include ../x.yaml: lies outside"),
        ("name: !include a.yaml", "F:1: name: !include a.yaml: includes itself"),
        ("a: " + "[" * 3000, "F:1: n"), ("x: !python/object y", "F:1: x: unknown tag"), ("a\x00b: 1", "F:1: not YAML"),
        ("a: &a [1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n"
         "d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d]", "F:1: more than 20000 values"),
    ],
)  # fmt: skip
def test_bad_yaml(tmp_path: Path, text: str | bytes, where: str) -> None:
    assert problems(tmp_path / "a.yaml", text)[0].startswith(where)


def test_secrets_includes_and_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secrets.yaml").write_text("who: Kitchen Box\n")
    (tmp_path / "rooms.yaml").write_text("[Kitchen, Office]\n")
    (tmp_path / "a.yaml").write_text("name: !secret who\nrooms: !include rooms.yaml\nlanguage: !env_var L en\n")
    configuration = load(tmp_path / "a.yaml")
    assert (configuration.id, configuration.language) == ("kitchen-box", "en")
    assert configuration.rooms == ("kitchen", "office")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("mqtt:\n  username: a\n  password: 12345", "F:3: mqtt.password: text is needed; put it in quotes"),
        ("mqtt:\n  tls:\n    certificate: a", "F:2: mqtt.tls: certificate and key go together: give both, or none"),
        ("mqtt:\n  tls:\n    cca: a", "F:3: mqtt.tls.cca: unknown key; did you mean 'ca'?"),
        ("mqtt: {tls: }", "F:1: mqtt.tls: true, false, or a mapping of ca, certificate, key, check_name is needed"),
        ("memory: {budget_mb: lots}", "F:1: memory.budget_mb: input should be a valid integer, unable to parse string "
         "as an integer, or input should be 'auto'"),
        ("logging: debug", "F:1: logging: a mapping of options is needed"),
        ("rooms: kitchen", "F:1: rooms: a list is needed"),
    ],
)  # fmt: skip
def test_errors_speak_of_the_file_and_not_of_its_reader(tmp_path: Path, text: str, told: str) -> None:
    assert problems(tmp_path / "a.yaml", text) == [told]


@pytest.mark.parametrize("topic", ["$SYS", "/den", "den/", "a/#", "a/+"])
def test_topics_that_cannot_be(tmp_path: Path, topic: str) -> None:
    assert problems(tmp_path / "a.yaml", f"mqtt: {{base_topic: '{topic}'}}")[0].startswith("F:1: mqtt.base_topic: ")


def test_tls_is_never_switched_off_by_an_empty_mapping() -> None:
    tls = [from_mapping({"mqtt": {"tls": value}}).stages["bridge"][0].options.tls for value in ({}, True, False)]
    assert tls[0] == tls[1] is not None and tls[2] is None, tls


@pytest.mark.parametrize("value", ["0123", "yes", "1e5", "2024-01-01", "~", "'quoted'"])
def test_a_secret_is_what_is_written(tmp_path: Path, value: str) -> None:
    (tmp_path / "secrets.yaml").write_text(f"pw: {value}\n")
    (tmp_path / "a.yaml").write_text("mqtt: {username: a, password: !secret pw}\n")
    options = load(tmp_path / "a.yaml").stages["bridge"][0].options
    assert options.password.get_secret_value() == value.strip("'")


@pytest.mark.parametrize(("content", "line"), [(b"a: hunter2\nb: [hunter2\n", 3), (b"pw: hunter2\xff\n", 1)])
def test_a_secrets_file_that_cannot_be_read(tmp_path: Path, content: bytes, line: int) -> None:
    (tmp_path / "secrets.yaml").write_bytes(content)
    told = problems(tmp_path / "a.yaml", "name: !secret pw")
    assert any(t.startswith(f"{tmp_path}/secrets.yaml:{line}: cannot be read") for t in told), told
    assert "hunter2" not in "".join(told)


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "secrets.yaml").write_text("pw: hunter2hunter2\n")
    assert "hunter2" not in str(problems(tmp_path / "a.yaml", "language: !secret pw\nlistening: !secret pw"))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet="a:-[]{}&*!|>#'\" \n\t1", max_size=80).map(str.encode))
def test_nothing_but_a_config_error_escapes(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "fuzz.yaml"
    path.write_bytes(data)
    with contextlib.suppress(ConfigError):
        load(path)


def test_folders_and_missing_files(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(ConfigProblems, match="cannot be read"):
            load(path)


def test_check_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("nam: x\n")
    assert main(["check", "-c", str(path), "--json"]) == 78
    answer = json.loads(capsys.readouterr().out)
    assert answer["problems"] == [
        {"file": str(path), "line": 1, "key": "nam", "text": "unknown key; did you mean 'name'?"}]  # fmt: skip
    path.write_text("name: x\n")
    assert main(["check", "-c", str(path)]) == 0 and capsys.readouterr().out.startswith("OK")


def test_the_schema_knows_every_platform() -> None:
    schema = json_schema()
    assert "espeak" in json.dumps(schema["properties"]["tts"])
    assert schema["properties"]["listening"] and "drawn" in json.dumps(schema["properties"]["avatar"])
