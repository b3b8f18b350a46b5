"""The H.264 encoders of ffmpeg that are known here, and the exact arguments for each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avatard.api.flow import SPEECH_RATE, Container
from avatard.plugins.ffmpeg.config import EncoderConfig

MUXERS: dict[Container, list[str]] = {
    "fmp4": ["-f", "mp4", "-movflags", "empty_moov+delay_moov+default_base_moof"],
    "mpegts": ["-f", "mpegts", "-muxdelay", "0", "-muxpreload", "0"],
    "mp4": ["-f", "mp4", "-movflags", "+faststart", "-y"],
}
"""With ``delay_moov`` the header has an edit list that takes AAC's 1024 samples of priming away, so that picture and
sound begin together, and it waits for what some encoders tell with their first picture only."""
COLOURS = "h264_metadata=video_full_range_flag=0:matrix_coefficients=6"
"""ITU-T H.264 annex E: BT.601's matrix. Untagged, each player guesses one by the picture's size."""
CRF = {"low": 28, "medium": 23, "high": 18}
BITS_PER_PIXEL = {"low": 0.06, "medium": 0.1, "high": 0.2}
SHIFT = 1.0
"""Seconds that MPEG-TS is put later, so that no time in it is negative."""


@dataclass(frozen=True, slots=True)
class Coder:
    """One of ffmpeg's H.264 encoders."""

    name: str
    """in the configuration"""
    codec: str
    """as ffmpeg calls it"""
    nodes: tuple[str, ...] = ()
    """device nodes, as patterns below /dev: without one of them it cannot work"""
    format: str = "yuv420p"
    """pixels that it takes"""
    options: tuple[str, ...] = ()
    upload: bool = False
    """whether pictures must be brought to the device first"""


SOFTWARE = Coder("libx264", "libx264")
CODERS: tuple[Coder, ...] = (
    Coder("nvmpi", "h264_nvmpi", ("nvhost-msenc", "nvhost-nvenc*", "v4l2-nvenc")),
    Coder("v4l2m2m", "h264_v4l2m2m", ("video*",)),
    Coder("rkmpp", "h264_rkmpp", ("mpp_service",), "nv12"),
    Coder("qsv", "h264_qsv", ("dri/renderD*",), "nv12", ("-preset", "veryfast", "-async_depth", "1", "-bf", "0")),
    Coder("vaapi", "h264_vaapi", ("dri/renderD*",), "nv12", ("-async_depth", "1", "-bf", "0"), upload=True),
    Coder("nvenc", "h264_nvenc", ("nvidia[0-9]*", "dxg"), "yuv420p",
          ("-preset", "p2", "-tune", "ll", "-zerolatency", "1", "-delay", "0", "-bf", "0")),
    SOFTWARE,
)  # fmt: skip
"""In the order in which they are tried."""


def fitted(width: int, height: int, config: EncoderConfig) -> tuple[int, int]:
    """The size of the encoded picture: within the limits, in proportion, even."""
    scale = min(1.0, (config.max_width or width) / width, (config.max_height or height) / height)
    return max(2, int(width * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2)


def nodes(coder: Coder, dev: Path) -> list[Path]:
    """The device nodes that it could use."""
    return sorted(node for pattern in coder.nodes for node in dev.glob(pattern))


def out_of_reach(coder: Coder, dev: Path) -> str:
    """Why it cannot work here, and what to do about it; empty where nothing speaks against it."""
    if not coder.nodes:
        return ""
    there = nodes(coder, dev)
    if not there:
        return f"there is no {' or '.join(str(dev / pattern) for pattern in coder.nodes)}"
    if any(os.access(node, os.R_OK | os.W_OK) for node in there):
        return ""
    groups = sorted({_group(node) for node in there})
    return (
        f"no permission for {there[0]}: add the user that runs avatard to the group {' and '.join(groups)} "
        f"(sudo usermod -aG {','.join(groups)} USER, then log in again or restart the service)"
    )


def command(
    program: str, coder: Coder, config: EncoderConfig, container: Container, size: tuple[int, int], origin: float = 0.0,
    output: Sequence[str] = ("pipe:1",), dev: Path = Path("/dev"),
) -> list[str]:
    """The whole command line: Matroska with BGR pictures and PCM sound on its input.

    Args:
        program: which ffmpeg.
        coder: the encoder.
        config: the user's wishes.
        container: what comes out.
        size: of the encoded picture.
        origin: presentation time of the first picture, seconds; MPEG-TS needs to be told.
        output: where it goes.
        dev: where device nodes lie.
    """
    filters = f"scale={size[0]}:{size[1]}:flags=area:out_color_matrix=bt601:out_range=tv,format={coder.format}"
    sound = ["-an"] if container == "mp4" else [
        "-map", "0:a", "-c:a", "aac", "-b:a", f"{config.audio_kbps}k", "-ar", str(SPEECH_RATE)
    ]  # fmt: skip
    timing = {
        "fmp4": ["-frag_duration", str(round(1_000_000 / config.fps))],
        "mpegts": ["-output_ts_offset", f"{origin + SHIFT:.6f}"],
        "mp4": [],
    }[container]
    return [
        program, "-hide_banner", "-nostdin", "-loglevel", "error", *_device(coder, config, dev),
        "-probesize", "32", "-analyzeduration", "0", "-f", "matroska", "-i", "pipe:0",
        "-map", "0:v", *sound, "-vf", filters + (",hwupload" if coder.upload else ""), "-c:v", coder.codec,
        *coder.options, *_rate(coder, config, size), "-g", str(round(config.fps)), "-fps_mode", "passthrough",
        # Every key picture brings its parameters along: who missed a second header can still go on.
        "-bsf:v", f"{COLOURS},dump_extra=freq=keyframe", "-flush_packets", "1", *MUXERS[container], *timing, *output,
    ]  # fmt: skip


def _device(coder: Coder, config: EncoderConfig, dev: Path) -> list[str]:
    if coder.name not in ("vaapi", "qsv"):
        return []
    node = config.device or next(iter(nodes(coder, dev)), dev / "dri/renderD128")
    if coder.name == "vaapi":
        return ["-vaapi_device", str(node)]
    return ["-init_hw_device", f"qsv=hw,child_device={node}"] if config.device else []


def _rate(coder: Coder, config: EncoderConfig, size: tuple[int, int]) -> list[str]:
    software = coder is SOFTWARE
    x264 = ["-preset", config.preset, "-tune", "zerolatency", "-bf", "0", "-threads:v", "1"] if software else []
    if software and config.bitrate_kbps is None:
        return [*x264, "-crf", str(config.crf if config.crf is not None else CRF[config.quality])]
    wanted = size[0] * size[1] * config.fps * BITS_PER_PIXEL[config.quality] / 1000
    kbps = config.bitrate_kbps or max(200, round(wanted))
    limits = ["-maxrate", f"{kbps * 3 // 2}k", "-bufsize", f"{kbps}k"]
    return [*x264, "-b:v", f"{kbps}k", *(limits if coder.name in ("libx264", "qsv", "vaapi", "nvenc") else [])]


def _group(node: Path) -> str:
    import grp

    try:
        return grp.getgrgid(node.stat().st_gid).gr_name
    except (KeyError, OSError):
        return "render" if "render" in node.name else "video"
