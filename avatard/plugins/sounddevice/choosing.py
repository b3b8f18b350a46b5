"""Which microphone is meant by ``device:``, and the way to it: the sound server where there is one, else PortAudio."""

from __future__ import annotations

from avatard.api.errors import NotReady
from avatard.plugins.sounddevice import libpulse
from avatard.plugins.sounddevice.card import CardRecorder, DeviceList
from avatard.plugins.sounddevice.pulse import PulseRecorder, Server, Source
from avatard.plugins.sounddevice.recorder import Ended, Heard, Recorder

ANY = ("", "default", "pulse", "pulse:")
"""Names of what the sound server takes for its default."""


def opened(device: str, channel: int, devices: DeviceList, heard: Heard, ended: Ended) -> Recorder:
    """Open the microphone that is meant; blocks.

    Raises:
        NotReady: it is absent or busy; says which ones there are.
    """
    absent = ""
    if not device.startswith("alsa:"):
        server = _server()
        if server is not None:
            try:
                source = _found(server, device.removeprefix("pulse:").strip(), any_one=device in ANY)
            except BaseException:
                server.close()
                raise
            if isinstance(source, Source):
                return PulseRecorder(server, source.name, device not in ANY, channel, heard, ended)
            server.close()
            absent = source
            if device in ANY or device.startswith("pulse:"):
                raise NotReady(absent)
        elif device.startswith("pulse:"):
            raise NotReady(f"microphone {device}: no sound server (PulseAudio, PipeWire) answers; is it running?")
    try:
        return _card(device.removeprefix("alsa:").strip(), channel, devices, heard, ended)
    except NotReady as err:
        raise NotReady(f"{err}; {absent}" if absent else str(err)) from err


def _card(device: str, channel: int, devices: DeviceList, heard: Heard, ended: Ended) -> Recorder:
    try:
        return CardRecorder(device, channel, heard, ended)
    except NotReady:
        if not (devices.stale() and devices.reread()):
            raise
    return CardRecorder(device, channel, heard, ended)


def _server() -> Server | None:
    library = libpulse.library()
    if library is None:
        return None
    server = Server(library)
    if server.ready:
        return server
    server.close()
    return None


def _found(server: Server, part: str, any_one: bool) -> Source | str:
    """The source that is meant, or why there is none."""
    sink, default, sources = server.sources()
    if any_one:
        source = next((s for s in sources if s.name == default), None)
        if source is not None and source.name != f"{sink}.monitor":
            return source
        return "microphone: the sound server (PulseAudio) has none; is it plugged in?" + _names(sources)
    wanted = part.lower()
    ranked = sorted(sources, key=lambda s: (s.name != part, s.monitor))
    for source in ranked:
        if wanted in source.name.lower() or wanted in source.description.lower():
            return source
    return f"microphone {part}: the sound server (PulseAudio) has none of that name" + _names(sources)


def _names(sources: list[Source]) -> str:
    names = ", ".join(s.name for s in sources)
    return f"; it has: {names or 'none'}; choose one with 'device:'"
