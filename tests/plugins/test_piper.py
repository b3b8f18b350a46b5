"""The real piper-tts on voices that are made here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import psutil
import pytest
from daemon import Daemon
from pipervoice import HOP, voice

from avatard.api.errors import NotReady, Refused
from avatard.api.flow import Sentence, SpeechAudio
from avatard.api.news import EngineChanged
from avatard.plugins.piper import voices
from avatard.plugins.piper.config import TtsConfig
from avatard.plugins.piper.engine import PiperEngine, cut
from avatard.plugins.piper.tts import PiperSynthesizer, gathered
from avatard.runtime.config import Configuration
from avatard.runtime.house import open_house
from avatard.runtime.model import Granting
from avatard.runtime.process import memory_mb
from avatard.runtime.worker import ChildModel

LONG = "First the lamp in the kitchen, then the lamp in the bedroom, after that the heating, and then the radio."


@asynccontextmanager
async def synthesizer(folder: Path, **options: Any) -> AsyncIterator[PiperSynthesizer]:
    """A voice in its child, as the plugin opens it."""
    config = TtsConfig(**({"voice": "en_US-tone-low"} | options))
    cards, chosen = gathered(voices.located(config.voice, folder), folder)
    how = {"voice": str(cards[chosen].path), "speed": config.speed, "noise": None, "rhythm": None, "threads": 1}
    model = ChildModel(PiperEngine, how, 40, "tts", "piper", Granting())
    try:
        yield PiperSynthesizer(model, cards, chosen, None, "en")
    finally:
        await model.unload()


async def said(stage: PiperSynthesizer, text: str, language: str = "en") -> list[SpeechAudio]:
    return [piece async for piece in stage.speak(Sentence(text, 0, language))]


def pitch(piece: SpeechAudio) -> float:
    """Hz"""
    spectrum = np.abs(np.fft.rfft(piece.audio.astype(float)))
    return float(np.argmax(spectrum)) * piece.rate / len(piece.audio)


async def test_a_sentence_comes_clause_by_clause(tmp_path: Path) -> None:
    voice(tmp_path)
    async with synthesizer(tmp_path) as stage:
        pieces = await said(stage, LONG)
        assert len(pieces) == 5 and [len(p.audio) > 0 for p in pieces] == [True] * 4 + [False]
        heard = [(pitch(p), int(np.abs(p.audio).max())) for p in pieces[:-1]]
        assert all(abs(hertz - 220) < 5 and peak >= 31_990 for hertz, peak in heard), heard
        assert {p.rate for p in pieces} == {22_050} and all(len(p.audio) % HOP == 0 for p in pieces)


async def test_speed(tmp_path: Path) -> None:
    voice(tmp_path)
    lengths = []
    for speed in (1.0, 2.0):
        async with synthesizer(tmp_path, speed=speed) as stage:
            lengths.append(sum(len(p.audio) for p in await said(stage, LONG)))
    assert abs(lengths[0] / lengths[1] - 2) < 0.01, lengths


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 37_123, 48_000])
async def test_any_sample_rate(tmp_path: Path, rate: int) -> None:
    voice(tmp_path, rate=rate)
    async with synthesizer(tmp_path) as stage:
        piece = (await said(stage, "Hello."))[0]
    assert piece.rate == rate and abs(pitch(piece) - 220) < 5


async def test_voices_are_chosen_by_name_and_by_language(tmp_path: Path) -> None:
    voice(tmp_path)
    voice(tmp_path, "de_DE-tone-low", hertz=440, language="de")
    voice(tmp_path, "en_GB-broken-low", audio={"sample_rate": "much"})
    async with synthesizer(tmp_path) as stage:
        assert (stage.choices, stage.chosen) == (("en_US-tone-low", "de_DE-tone-low"), "en_US-tone-low")
        assert abs(pitch((await said(stage, "Guten Tag.", "de"))[0]) - 440) < 5
        assert abs(pitch((await said(stage, "Bonjour.", "fr"))[0]) - 220) < 5
        await stage.choose("de_DE-tone-low")
        assert abs(pitch((await said(stage, "Hello."))[0]) - 440) < 5
        with pytest.raises(Refused, match="no voice 'nobody'; there are en_US-tone-low, de_DE-tone-low"):
            await stage.choose("nobody")
        (tmp_path / "en_US-tone-low.onnx").write_bytes(b"gone bad")
        with pytest.raises(Refused, match=r"en_US-tone-low\.onnx: no ONNX network"):
            await stage.choose("en_US-tone-low")
        assert stage.chosen == "de_DE-tone-low" and len(await said(stage, "Still here.")) == 2


async def test_speakers(tmp_path: Path) -> None:
    from avatard.plugins.piper.voices import read, speaker_of

    path = voice(tmp_path, speakers=3)
    card = read(path)
    assert [speaker_of(card, s) for s in (None, "speaker2", 1, "0")] == [None, 2, 1, 0]
    for wrong in ("nobody", 3, "-1"):
        with pytest.raises(NotReady, match=r"no speaker .* there are speaker0, speaker1, speaker2"):
            speaker_of(card, wrong)
    engine = PiperEngine(str(path), 1.0, None, None, 1)
    numbers = engine.clauses("Hello.", str(path))[0]
    for speaker, hertz in ((None, 220), (1, 440), (2, 660)):
        data, _ = engine.sound(numbers, str(path), speaker, 0)
        piece = SpeechAudio(Sentence("", 0), np.frombuffer(data, np.int16), 22_050, True)
        assert abs(pitch(piece) - hertz) < 5


def shortened(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def mislabelled(path: Path) -> None:
    path.write_bytes(b"GGUF" + bytes(1000))


def another_network(path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    put = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "other", put[:1], put[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)


def without_card(path: Path) -> None:
    Path(f"{path}.json").unlink()


def broken_card(path: Path) -> None:
    Path(f"{path}.json").write_text('{"audio": {"sample')


def changed_card(**changes: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        file = Path(f"{path}.json")
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return change


@pytest.mark.parametrize("rate", [0, -1, 1_000_000_000, 22_050.5, "22050", True, None, float("inf"), [22_050]])
def test_an_absurd_sample_rate_is_told(tmp_path: Path, rate: Any) -> None:
    path = voice(tmp_path, audio={"sample_rate": rate})
    with pytest.raises(NotReady, match=r"tone-low\.onnx\.json: audio: sample_rate: .* is none; 4000 to 192000 Hz"):
        voices.read(path)


@pytest.mark.parametrize("rate", [4_000, 11_025, 44_100, 192_000])
async def test_any_sample_rate_is_heard_as_it_should_sound(
    tmp_path: Path, scripted: Callable[..., Configuration], rate: int
) -> None:
    """Through the whole daemon, to the display's 48 kHz."""
    path = voice(tmp_path, rate=rate)
    async with open_house(scripted(tts={"platform": "piper", "voice": str(path)})) as house:
        assert (await (await house.door.say("A lamp in the kitchen.")).finished).error == ""
        screen: Any = house.place.displays._own[0][1]
        sound = np.concatenate([frame.audio for frame in screen.played])
    loud = np.flatnonzero(np.abs(sound) > 1000)
    piece = SpeechAudio(Sentence("", 0), sound[loud[0] : loud[-1]], 48_000, True)
    phonemes = sum(map(len, PiperEngine(str(path), 1.0, None, None, 1).clauses("A lamp in the kitchen.", str(path))))
    assert abs(pitch(piece) - 220) < 5 and abs(len(piece.audio) / 48_000 - phonemes * HOP / rate) < 0.02


@pytest.mark.parametrize(("damage", "message"), [
    (shortened, r"tone-low\.onnx: no ONNX network, or cut short"),
    (emptied, r"tone-low\.onnx: no ONNX network, or cut short"),
    (mislabelled, r"tone-low\.onnx: no ONNX network, or cut short"),
    (another_network, r"tone-low\.onnx: an ONNX network, but no Piper voice"),
    (without_card, r"tone-low\.onnx\.json: No such file or directory; it comes with the voice"),
    (broken_card, r"tone-low\.onnx\.json: no description of a Piper voice"),
    (changed_card(audio={"sample_rate": 3}), r"sample_rate: 3 is none"),
    (changed_card(audio=[]), "no description of a Piper voice"),
    (changed_card(phoneme_id_map={}), "no description of a Piper voice"),
    (changed_card(phoneme_type="pinyin"), "phoneme_type pinyin needs more than piper-tts brings"),
    (changed_card(phoneme_type="runes"), r"tone-low\.onnx: does not speak \('runes' is not a valid PhonemeType\)"),
    (changed_card(num_speakers=4), r"tone-low\.onnx: does not speak"),
    (changed_card(espeak={"voice": "klingon-x"}), r"tone-low\.onnx: does not speak"),
])  # fmt: skip
async def test_what_is_no_voice_is_named_and_the_next_engine_speaks(
    tmp_path: Path, scripted: Callable[..., Configuration], damage: Callable[[Path], None], message: str
) -> None:
    path = voice(tmp_path)
    damage(path)
    with pytest.raises(NotReady, match=message):
        PiperEngine(str(path), 1.0, None, None, 1)
    tts = [{"platform": "piper", "voice": str(path)}, {"platform": "scripted"}]
    async with open_house(scripted(tts=tts)) as house:
        assert (await (await house.door.say("Hello there.")).finished).reply == "Hello there."
        assert house.engines()["tts"] == "scripted"


async def test_a_name_that_is_not_there(tmp_path: Path) -> None:
    voice(tmp_path)
    with pytest.raises(NotReady, match=r"no voice .*en_US-lessac-low\.onnx; voices in .*: en_US-tone-low"):
        gathered(voices.located("en_US-lessac-low", tmp_path), tmp_path)


class Struck:
    """A synthesizer whose child is killed when its first sound is there."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def speak(self, sentence: Sentence) -> AsyncIterator[SpeechAudio]:
        async with aclosing(self._inner.speak(sentence)) as pieces:
            async for piece in pieces:
                yield piece
                for child in psutil.Process().children():
                    if "avatard.runtime.child" in child.cmdline():
                        child.kill()


async def test_a_child_that_dies_in_mid_sentence(tmp_path: Path, scripted: Callable[..., Configuration]) -> None:
    """The next engine says the sentence, and the answer goes on with it."""
    path = voice(tmp_path)
    tts = [{"platform": "piper", "voice": str(path)}, {"platform": "espeak"}]
    text = "A first lamp in the kitchen, a second one in the bedroom. The end."
    async with open_house(scripted(tts=tts)) as house:
        ranking: Any = house.faculties.tts
        ranking._opened[0] = Struck(await ranking.engine())
        with house.feed.subscribe(256) as news:
            report = await (await house.door.say(text)).finished
            changed = [e for e in news.waiting() if isinstance(e, EngineChanged) and e.stage == "tts"]
        screen: Any = house.place.displays._own[0][1]
        sound = np.concatenate([frame.audio for frame in screen.played]).astype(float)
        assert [kept.seconds < 2 for kept in house.faculties.phrases._kept.values()] == [True], "two voices were kept"
    assert [e.engine for e in changed] == ["espeak"] and "its process ended" in changed[0].why
    assert (report.reply, report.interrupted) == (text, False)
    spectra = np.abs(np.fft.rfft(sound[: len(sound) // 24_000 * 24_000].reshape(-1, 24_000)))
    pure = spectra[:, 106:115].sum(1) > 0.5 * spectra.sum(1)
    assert pure[:3].all() and not pure[-6:].any() and len(pure) > 12, pure  # a tone, then a voice: the whole text


async def test_espeak_that_dies_hands_the_sentence_over(
    tmp_path: Path, scripted: Callable[..., Configuration]
) -> None:
    """Its child hangs over the sentence and is killed; the voice behind it says it."""
    tts = [{"platform": "espeak"}, {"platform": "piper", "voice": str(voice(tmp_path))}]
    async with open_house(scripted(tts=tts)) as house:
        (child,) = (p for p in psutil.Process().children() if "avatard.runtime.child" in p.cmdline())
        child.suspend()
        ticket, other = await house.door.say("A lamp in the kitchen."), await house.door.say("The end.")
        while house.door.status().state != "processing":
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        child.kill()
        report = await ticket.finished
        assert (report.reply, report.error) == ("A lamp in the kitchen.", "") and report.frames["count"] > 10
        assert (await other.finished).reply == "The end." and house.engines()["tts"] == "piper"


def test_cutting() -> None:
    def parts(text: str) -> list[str]:
        return ["".join(part) for part in cut(list(text))]

    assert parts("") == [] and parts(".") == ["."]
    assert parts("well, no, it is not.") == ["well, no, it is not."]
    assert parts("the first of the two clauses, and then the second one.") == [
        "the first of the two clauses, ", "and then the second one."]  # fmt: skip
    assert parts("a clause that is long enough, yes.") == ["a clause that is long enough, yes."]
    assert max(map(len, parts("word " * 200))) <= 205 and "".join(parts("word " * 200)) == "word " * 200


def test_the_whole_daemon_with_a_voice_stays_small(tmp_path: Path) -> None:
    """Real ears, a drawn face, pocketsphinx and piper; measured while it answers, with all its children.

    An encoder beside them is not in it: with a film of the answer it took 229–244 MB in four runs.
    """
    daemon = Daemon(tmp_path, tts=[{"platform": "piper", "voice": str(voice(tmp_path))}, {"platform": "espeak"}])
    for stage in ("wake_word", "vad", "stt", "avatar", "display"):
        del daemon.config[stage]
    daemon.config |= {"display": {"platform": "none"}, "sounds": {"wake": False}}
    daemon.start()
    try:
        assert "piper" in daemon.command("status")
        asking = Thread(target=daemon.command, args=("ask", "what time is it"))
        asking.start()
        peak = memory_mb(daemon.pid)
        while asking.is_alive():
            peak = max(peak, memory_mb(daemon.pid))
            asking.join(0.1)
        assert "Traceback" not in daemon.log and "does not serve" not in daemon.log, daemon.log
    finally:
        daemon.stop()
    assert 100 < peak <= 250, peak
