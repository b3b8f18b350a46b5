"""The control page's past, and what programs ask: status, health, metrics, previews."""

from __future__ import annotations

import logging
import re
from typing import Any

import cv2
import numpy as np
import pytest
from web import TOKEN, configured, paged

from avatard.api.news import Health, Problem, TurnFinished, TurnReport

HEALTH = Health(100.5, 400.0, "normal", 25.0, 300.0, 2.0, 60.0, 3, 48.5)


async def test_a_page_that_is_opened_late_has_the_past() -> None:
    async with paged(configured(display={"platform": "none", "pace": "fast"})) as pages:
        for number in range(60):
            pages.foundation.feed.publish(TurnFinished(TurnReport(number, "mqtt", reply="Hello.")))
        for number in range(200):
            pages.foundation.feed.publish(Health(number, 400.0, "normal", 25.0, None, 2.0, number * 30.0, 0))
        logging.getLogger("avatard.test").warning("a line of the log, %s", 7)
        logging.getLogger("avatard.test").debug("not this one")
        async with pages.viewer(page="control", stream="none") as desk:
            welcome = await desk.until("welcome")
            await desk.command("volume", percent=90)
            logging.getLogger("avatard.test").warning("and another")
            live = await desk.until(lambda m: m["type"] == "log" and "another" in m["text"])
    past = [t for t in desk.texts if t.get("past")]
    turns = [t for t in past if t["type"] == "turn"]
    reports = [t for t in past if t["type"] == "health"]
    assert welcome["page"] == "control" and welcome["stream"] == "none" and not welcome["sound"]
    assert [t["turn"] for t in turns] == list(range(10, 60)) and all(t["at_time"] > 1.6e9 for t in turns)
    assert 150 <= len(reports) <= 180 and reports[-1]["memory_mb"] in (199, pytest.approx(reports[-1]["memory_mb"]))
    lines = [t["text"] for t in past if t["type"] == "log"]
    assert any("a line of the log, 7" in line for line in lines) and not any("not this one" in line for line in lines)
    assert "past" not in live and live["level"] == "warning"


async def test_room_pages_get_no_log_and_no_past() -> None:
    async with paged(configured()) as pages, pages.viewer() as viewer:
        await viewer.until("welcome")
        logging.getLogger("avatard.test").warning("a line of the log")
        pages.foundation.feed.publish(HEALTH)
        pages.foundation.feed.publish(Problem("mqtt", "no broker"))
        await viewer.until("problem")
    assert [t["memory_mb"] for t in viewer.texts if t["type"] == "health"][-1] == 100.5  # a sign of life
    assert not [t for t in viewer.texts if t["type"] == "log" or "past" in t]


async def test_no_secret_in_the_log_tail() -> None:
    async with paged(configured(web={"token": TOKEN})) as pages:
        logging.getLogger("avatard.test").warning("somebody logged %s here", TOKEN)
        async with pages.viewer(page="control", headers={"Authorization": f"Bearer {TOKEN}"}) as desk:
            await desk.command("volume", percent=90)
    text = "".join(t["text"] for t in desk.texts if t["type"] == "log")
    assert "somebody logged … here" in text and TOKEN not in text


async def test_a_log_of_any_thread_and_any_shape_ends_nothing() -> None:
    async with paged(configured()) as pages, pages.viewer(page="control") as desk:
        await desk.until("welcome")
        log = logging.getLogger("avatard.test")
        log.warning("\x00\ud800 strange \U0001f600 %s", b"\xff")
        await desk.until(lambda m: m["type"] == "log" and "strange" in m["text"])
        for number in range(1000):
            log.warning("x" * 3000 + " %d", number)
        await desk.command("volume", percent=50)
    assert all(len(t["text"]) <= 500 for t in desk.texts if t["type"] == "log")


async def test_the_control_page_can_be_switched_off() -> None:
    async with paged(configured(web={"control": False})) as pages:
        async with pages.session.get(f"{pages.url}/control") as answer:
            assert answer.status == 404
        async with pages.viewer(page="control") as desk:
            assert (await desk.end())[0] == 1008


async def test_status_and_health() -> None:
    async with paged(configured()) as pages, pages.viewer() as viewer:
        await viewer.until("welcome")
        pages.foundation.feed.publish(HEALTH)
        await viewer.command("volume", percent=40)
        async with pages.session.get(f"{pages.url}/api/status") as answer:
            status = await answer.json()
        assert (status["id"], status["ready"], status["state"], status["volume"]) == ("test", True, "idle", 40)
        assert status["clients"]["room"] == 1 and status["health"]["drops"] == 3 and status["engines"]["tts"]
        async with pages.session.get(f"{pages.url}/healthz") as answer:
            assert answer.status == 200 and (await answer.json())["ok"] is True
        pages.foundation.feed.publish(Health(1, 2, "normal", 25, None, 1, 1, 0, None, ("listening",)))
        await viewer.command("volume", id=2, percent=41)
        async with pages.session.get(f"{pages.url}/healthz") as answer:
            told = await answer.json()
            assert answer.status == 503 and "listening" in told["why"]
        household, pages.house.door.household = pages.house.door.household, None
        async with pages.session.get(f"{pages.url}/healthz") as answer, pages.session.get(
            f"{pages.url}/api/status"
        ) as status_answer:
            assert answer.status == 503 and "starting" in (await answer.json())["why"]
            assert (await status_answer.json())["ready"] is False
        async with pages.viewer() as other:
            assert (await other.until("welcome"))["ready"] is False
        pages.house.door.household = household


LINE = re.compile(r'[a-z_]+(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? -?[0-9.e+]+')


async def test_metrics_are_prometheus_text() -> None:
    async with paged(configured(display={"platform": "none", "pace": "fast"})) as pages, pages.viewer() as viewer:
        await viewer.until("welcome")
        await viewer.command("say", text="one two three")
        await viewer.until("turn")
        pages.foundation.feed.publish(HEALTH)
        await viewer.command("volume", id=2, percent=40)
        async with pages.session.get(f"{pages.url}/metrics") as answer:
            kind, text = answer.headers["Content-Type"], await answer.text()
    assert kind.startswith("text/plain; version=0.0.4")
    samples: dict[str, float] = {}
    described = set()
    for line in text.splitlines():
        if line.startswith("#"):
            described.add(line.split()[2])
            continue
        assert LINE.fullmatch(line), line
        name, value = line.rsplit(" ", 1)
        assert name.partition("{")[0] in described, line
        samples[name] = float(value)
    assert samples["avatard_up"] == 1 and samples["avatard_turns_total"] == 1 and samples["avatard_fps"] == 25
    assert samples["avatard_memory_bytes"] == 100.5e6 and samples["avatard_latency_seconds"] == 0.3
    assert samples['avatard_web_clients{page="room"}'] == 1 and samples["avatard_volume_percent"] == 40
    assert samples['avatard_state{state="idle"}'] == 1 and samples["avatard_drops_total"] == 3


async def test_previews_of_faces() -> None:
    config = configured(avatar={"render": ["drawn"]}, encoder={"platform": "scripted"})
    async with paged(config) as pages, pages.viewer() as viewer:
        # The renderer is opened for who looks; then the faces are known.
        welcome = await viewer.until(lambda m: m["type"] == "welcome" and m["faces"])
        before = welcome["idle"] or next((t for t in viewer.texts if t["type"] == "idle"), None)
        before = before or await viewer.until("idle")
        pictures: dict[str, Any] = {}
        for name in welcome["faces"]:
            async with pages.session.get(f"{pages.url}/preview/face/{name}.png") as answer:
                assert answer.status == 200 and answer.headers["Content-Type"] == "image/png"
                pictures[name] = await answer.read()
        assert (await viewer.command("face", name=welcome["faces"][-1]))["ok"]
        film = await viewer.until("idle")
    shapes = {cv2.imdecode(np.frombuffer(p, np.uint8), cv2.IMREAD_COLOR).shape[0] for p in pictures.values()}
    assert len(pictures) > 1 and shapes <= {192, 256} and len(set(pictures.values())) == len(pictures)
    assert film["film"] != before["film"]


async def test_a_taken_port_is_a_clear_error_and_the_daemon_lives() -> None:
    async with paged(configured()) as pages:
        port = int(pages.url.rsplit(":", 1)[1])
        async with paged(configured(display={"platform": "none"}, web={"port": port})) as other:
            problem = other.house.door.status().problems.get("web", "")
            for _ in range(100):
                if problem:
                    break
                async with pages.session.get(f"{pages.url}/healthz"):
                    problem = other.house.door.status().problems.get("web", "")
            assert str(port) in problem and "choose another 'port:'" in problem
            assert not (await (await other.house.door.say("one")).finished).error
