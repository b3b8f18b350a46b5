"""A model's folder: encoder, decoder, joiner, tokens. Standard library only."""

from __future__ import annotations

from pathlib import Path

from avatard.api.errors import NotReady

KIND = b"model_type"
"""What an encoder says of itself; the library ends its process over one that does not."""


def located(name: str, folder: Path) -> Path:
    """The folder of a model: named, or given as a path.

    Raises:
        NotReady: there is none.
    """
    for path in (folder / name, Path(name).expanduser()):
        if path.is_dir():
            return path
        if path.is_file():
            raise NotReady(f"sherpa_onnx: {path}: is a file; a model is a folder: unpack it")
    there = ", ".join(p.name for p in sorted(folder.glob("*")) if p.is_dir()) or "none"
    raise NotReady(f"sherpa_onnx: no model {name!r}; models in {folder}: {there}")


def parts(folder: Path, int8: bool) -> dict[str, str]:
    """The files that the library asks for, by what it calls them.

    Raises:
        NotReady: one is missing, or the encoder is none of a streaming transducer.
    """
    found = {"tokens": folder / "tokens.txt"} | {
        name: _part(folder, name, int8) for name in ("encoder", "decoder", "joiner")
    }
    for name, path in found.items():
        if not path.is_file():
            raise NotReady(f"sherpa_onnx: {folder}: no streaming transducer: {name} is missing; get the model again")
    if not _tokens(found["tokens"]):
        raise NotReady(f"sherpa_onnx: {found['tokens']}: no list of tokens; get the model again")
    if KIND not in found["encoder"].read_bytes():
        raise NotReady(f"sherpa_onnx: {found['encoder']}: no encoder of a streaming transducer, or cut short; "
                       "get the model again")  # fmt: skip
    return {name: str(path) for name, path in found.items()}


def _part(folder: Path, name: str, int8: bool) -> Path:
    files = sorted(folder.glob(f"{name}*.onnx"), key=lambda path: (("int8" in path.name) != int8, path.name))
    return files[0] if files else folder / f"{name}.onnx"


def _tokens(path: Path) -> bool:
    """Whether each line is a token and its number."""
    try:
        lines = [line.split() for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        return False
    return bool(lines) and all(line[-1].isdecimal() for line in lines)
