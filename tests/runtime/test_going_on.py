"""Interrupted and asked to go on: the daemon as people run it, over its socket, with real engines."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import psutil
from daemons import Running, eventually
from modelserver import *  # noqa: F403
