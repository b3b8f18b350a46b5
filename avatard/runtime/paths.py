"""Where avatard keeps what: the socket, the state, the cache."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders of one avatard; none is created here."""

    socket: Path
    state: Path
    cache: Path

    @classmethod
    def for_id(cls, id: str) -> Paths:
        """Systemd's folders where it runs us, the user's (XDG base directories) otherwise."""
        home = Path.home()
        env = os.environ
        runtime = env.get("RUNTIME_DIRECTORY") or os.path.join(
            env.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}", "avatard"
        )
        if not Path(runtime).parent.is_dir():
            runtime = str(home / ".cache" / "avatard" / "run")
        state = env.get("STATE_DIRECTORY") or os.path.join(
            env.get("XDG_STATE_HOME") or home / ".local" / "state", "avatard", id
        )
        cache = env.get("CACHE_DIRECTORY") or os.path.join(env.get("XDG_CACHE_HOME") or home / ".cache", "avatard")
        return cls(Path(runtime) / f"{id}.sock", Path(state), Path(cache))
