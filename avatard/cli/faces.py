"""``avatard faces``: import a picture or film, list what there is, look at one."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from avatard.api.errors import ConfigError
from avatard.cli.progress import Bar
from avatard.face import bundle
from avatard.face.bundle import Box
from avatard.face.preview import preview
from avatard.runtime.catalog import store

EPILOG = """examples:
  avatard faces import me.jpg                          # finds the face and its mouth
  avatard faces import us.jpg --box 420,130,210,260    # which one, forehead to chin: left,top,width,height
  avatard faces import me.jpg --mouth 480,300,90,40    # the lips, where they were found wrongly
  avatard faces preview me --out me.png
  avatard say "Hello." --face me --out hello.mp4
"""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "faces", help="photographs that talk: import, list, preview", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    kinds = parser.add_subparsers(metavar="import|list|preview", required=True)
    new = kinds.add_parser("import", help="make a face of a picture or a film")
    new.add_argument("source", type=Path, metavar="PICTURE-OR-VIDEO", help="of a film the first 4 seconds serve")
    new.add_argument("--name", help="what it is called; default: the file's name")
    new.add_argument("--box", type=_box, metavar="x,y,w,h", help="the face, forehead to chin, pixels")
    new.add_argument("--mouth", type=_box, metavar="x,y,w,h", help="around the lips, pixels")
    new.add_argument("--replace", action="store_true", help="take the place of a face of the same name")
    new.set_defaults(run=run_import)
    every = kinds.add_parser("list", help="the faces that can be had")
    every.add_argument("--json", action="store_true", help="print them as JSON")
    every.set_defaults(run=run_list)
    look = kinds.add_parser("preview", help="draw a face and what was found in it")
    look.add_argument("name", metavar="NAME", help="the face, or its file")
    look.add_argument("--out", type=Path, required=True, metavar="FILE.png", help="write it here")
    look.set_defaults(run=run_preview)


def run_import(args: argparse.Namespace) -> int:
    """Import; nothing is left behind where it fails."""
    from avatard.face.importing import import_face

    name = args.name if args.name is not None else re.sub(r"[^a-z0-9]+", "-", args.source.stem.lower()).strip("-")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", name):
        raise ConfigError(f"{name!r} is no name for a face: up to 40 of a-z, 0-9, - and _; give one with --name")
    target = bundle.folders()[0] / f"{name}{bundle.SUFFIX}"
    if target.exists() and not args.replace:
        raise ConfigError(f"{target}: there is one already; add --replace, or another --name")
    bar = Bar()
    try:
        network = None if args.box else _network()
        by, _ = import_face(args.source, target, args.box, args.mouth, bar.show, network)
    finally:
        bar.end()
    print(f"{name}: found by {by}\n  {target}")
    try:
        _write(target.with_suffix(".png"), target)
        print(f"  look at    {target.with_suffix('.png')}")
    except ConfigError as err:
        print(f"the face is there, a picture of it is not: {err}", file=sys.stderr)
    print(f'  try it:    avatard say "Hello." --face {name} --out hello.mp4')
    print(f"  keep it:   avatar: {{face: {name}, render: [warp, drawn]}}")
    return 0


def _network() -> Path | None:
    """What finds faces in OpenCV, where it was pulled or added."""
    name = next((model.name for model in store.installed().values() if model.kind == "face-detector"), None)
    return None if name is None else store.model_path(name, "face-detector")


def run_list(args: argparse.Namespace) -> int:
    """Print every face; a broken one is named with what is wrong."""
    rows: list[dict[str, Any]] = []
    for name, path in bundle.names().items():
        try:
            face = bundle.load(path)
        except ConfigError as err:
            rows.append({"name": name, "file": str(path), "problem": str(err)})
        else:
            rows.append({"name": name, "file": str(path), "size": face.size, "frames": len(face.frames)})
    if args.json:
        print(json.dumps(rows))
        return 0
    for row in rows:
        print(f"{row['name']:20} " + (row.get("problem") or f"{row['size']} px, {row['frames']} frames  {row['file']}"))
    if not rows:
        print("none yet: avatard faces import PICTURE", file=sys.stderr)
    return 0


def run_preview(args: argparse.Namespace) -> int:
    """Draw it."""
    _write(args.out, bundle.find(args.name))
    print(args.out)
    return 0


def _write(out: Path, path: Path) -> None:
    import cv2

    good, data = cv2.imencode(".png", preview(bundle.load(path)))
    assert good
    with bundle.whole(out) as part:
        part.write_bytes(data.tobytes())


def _box(text: str) -> Box:
    numbers = re.fullmatch(r"\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*", text)
    if numbers is None:
        raise argparse.ArgumentTypeError(f"{text!r}: four whole numbers are needed: left,top,width,height")
    x, y, w, h = (int(number) for number in numbers.groups())
    return x, y, w, h
