"""Importing and loading an engine asks nothing of the network."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from detectors import silero, wake
from ggml import whisper
from kaldi import kaldi
from pipervoice import voice
from zipformer import zipformer

SCRIPT = """
import importlib, json, sys

ASKS = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"}

def look(event, args):
    if event in ASKS:
        raise SystemExit(f"it asks the network: {event} {args}")

sys.addaudithook(look)
module, name = sys.argv[1].split(":")
getattr(importlib.import_module(f"avatard.plugins.{module}.engine"), name)(**json.loads(sys.argv[2]))
print("loaded")
"""
ENGINES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "piper:PiperEngine": lambda f: {"voice": str(voice(f)), "speed": 1, "noise": None, "rhythm": None, "threads": 1},
    "whisper:WhisperEngine": lambda f: {"model": str(whisper(f / "ggml-a.bin")), "language": "", "partials": 0,
                                        "threads": 1, "short_context": False, "rejection": 0.3},
    "vosk:VoskEngine": lambda f: {"model": str(kaldi(f / "k")), "phrases": ["low"], "wake": [], "rejection": 0.5},
    "sherpa_onnx:SherpaEngine": lambda f: {"model": str(zipformer(f / "z")), "threads": 1, "int8": True,
                                           "rejection": 0.3},
    "silero_onnx:SileroOnnxEngine": lambda f: {"model": str(silero(f / "vad.onnx"))},
    "openwakeword:OpenWakeWordEngine": lambda f: {"phrases": [["", str(wake(f / "hey.onnx", 1.0)), None]]},
}  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_is_downloaded(tmp_path: Path, engine: str) -> None:
    command = [sys.executable, "-c", SCRIPT, engine, json.dumps(ENGINES[engine](tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "loaded" and done.returncode == 0, done.stderr[-2000:]


def test_the_hook_sees_who_asks() -> None:
    script = SCRIPT.split("module, name")[0] + "import socket\nsocket.create_connection(('127.0.0.1', 9))\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "it asks the network" in done.stderr
