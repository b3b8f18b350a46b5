"""``avatard models``: what can be had, and what is installed."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, get_args

from avatard.cli.progress import Progress
from avatard.runtime.catalog import adding, entries, pulling, store
from avatard.runtime.catalog.entries import MB, Entry, Kind
from avatard.runtime.catalog.store import Installed

EPILOG = """examples:
  avatard models list --kind tts-piper
  avatard models pull en_US-ljspeech-medium        # goes on where it was interrupted
  avatard models pull vosk-small-en --from /media/usb    # without a network: vosk-model-small-en-us-0.15.zip lies there
  avatard models add wav2lip.onnx                  # a file of your own
  avatard models verify                            # reads all of them again
Models lie in $AVATARD_MODELS, else in systemd's state folder, else in ~/.local/share/avatard/models.
"""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "models", help="models to download: list, pull, add, verify", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    kinds = parser.add_subparsers(metavar="list|pull|add|verify", required=True)
    every = kinds.add_parser("list", help="the catalogue, and what is installed")
    every.add_argument("--installed", action="store_true", help="only what is installed")
    every.add_argument("--kind", choices=get_args(Kind), help="only models for this")
    every.set_defaults(run=run_list)
    get = kinds.add_parser("pull", help="download a model of the catalogue")
    get.add_argument("name", metavar="NAME")
    get.add_argument("--from", dest="source", type=Path, metavar="DIR", help="take the files from here: no network")
    get.add_argument("--mirror", default="", metavar="URL", help="try URL/NAME/FILE and URL/FILE first; http too")
    get.add_argument("--replace", action="store_true", help="get it again; take another file than the pinned one")
    get.set_defaults(run=run_pull)
    own = kinds.add_parser("add", help="install a model file of your own")
    own.add_argument("file", type=Path, metavar="FILE", help=".onnx, .gguf, ggml .bin, .tflite, a vosk .zip")
    own.add_argument("--name", default="", help="what it is called; default: the file's name")
    own.add_argument("--kind", choices=get_args(Kind), help="what it is for, where the file does not tell")
    own.add_argument("--replace", action="store_true", help="take the place of one of the same name")
    own.set_defaults(run=run_add)
    again = kinds.add_parser("verify", help="read every installed file again and compare its SHA-256")
    again.set_defaults(run=run_verify)
    for command in (every, get, own, again):
        command.add_argument("--json", action="store_true", help="print the result as JSON")
    for command in (every, get, own):
        command.add_argument("--catalog", type=Path, metavar="FILE", help="another catalogue than avatard's")


def run_list(args: argparse.Namespace) -> int:
    """Print a table."""
    there = store.installed()
    rows = [_row(entry, there.get(entry.name)) for entry in entries.load(args.catalog).entries.values()]
    known = {row["name"] for row in rows}
    rows += [_own_row(model) for name, model in there.items() if name not in known]
    rows = [r for r in rows if (r["installed"] or not args.installed) and args.kind in (None, r["kind"])]
    if args.json:
        print(json.dumps(rows))
        return 0
    if not rows:
        print("none: avatard models list shows what there is", file=sys.stderr)
        return 0
    wide = max(len(row["name"]) for row in rows)
    print(f"{'name':{wide}}  {'kind':17}  {'languages':14}  {'MB':>5}  {'memory':>7}  {'licence':27}  installed")
    for row in rows:
        memory = f"~{row['memory_mb']:.0f} MB" if row["memory_mb"] else ""
        print(f"{row['name']:{wide}}  {row['kind']:17}  {' '.join(row['languages']):14}  {row['size_mb']:>5.0f}  "
              f"{memory:>7}  {row['licence']:27}  {row['problem'] or row['path'] or '-'}")  # fmt: skip
    return 0


def run_pull(args: argparse.Namespace) -> int:
    """Say what the licence forbids, then get it."""
    catalog = entries.load(args.catalog)
    entry = catalog.entry(args.name)
    print("\n".join(describe(entry)), file=sys.stderr)
    begin = time.monotonic()
    progress = Progress()
    way = pulling.Way(args.source, args.mirror, args.replace)
    try:
        model = pulling.pull(catalog, args.name, progress, way)
    except KeyboardInterrupt:
        progress.end()
        print("stopped; the next pull goes on from here", file=sys.stderr)
        return 130
    finally:
        progress.end()
    return _done(model, args.json, f"{time.monotonic() - begin:.0f} s" if progress.moved else "it was there already")


def run_add(args: argparse.Namespace) -> int:
    """Copy it."""
    progress = Progress()
    try:
        model = adding.add(entries.load(args.catalog), args.file, progress, args.name, args.kind, args.replace)
    finally:
        progress.end()
    return _done(model, args.json, f"as {model.kind}; its licence is yours to know")


def run_verify(args: argparse.Namespace) -> int:
    """Read everything again; 1 where something is damaged."""
    rows, bad = [], False
    for model, wrong in store.verify():
        bad = bad or bool(wrong)
        rows.append({"name": model.name, "path": str(model.path), "files": len(model.files), "damaged": wrong})
        if not args.json:
            print(f"{model.name:28} " + (f"{len(model.files)} files, whole" if not wrong else "DAMAGED"))
            for text in wrong:
                print(f"  {text}")
            if wrong:
                print(f"  {store.repair(model)}")
    if args.json:
        print(json.dumps(rows))
    elif not rows:
        print("none is installed", file=sys.stderr)
    return 1 if bad else 0


def describe(entry: Entry) -> list[str]:
    """A model's card: what it is, and plainly what its licence forbids."""
    lines = [f"{entry.name}: {entry.kind} for {entry.engine}, {entry.size_mb:.0f} MB, needs about "
             f"{entry.memory_mb:.0f} MB of memory",
             f"  licence   {entry.licence}", f"  forbids   {entry.forbids}"]  # fmt: skip
    return [*lines, *([f"  note      {entry.note}"] if entry.note else []), f"  source    {entry.source}"]


def _done(model: Installed, as_json: bool, said: str) -> int:
    if as_json:
        size = sum(file["size"] for file in model.files.values())
        print(json.dumps({"name": model.name, "kind": model.kind, "path": str(model.path), "bytes": size,
                          "licence": model.licence, "checksum": model.by, "files": model.files}))  # fmt: skip
    else:
        print(f"{model.name}: installed ({said}; checksum: {model.by})\n  {model.path}")
    return 0


def _row(entry: Entry, there: Installed | None) -> dict[str, Any]:
    told = entry.model_dump(include={"name", "kind", "engine", "size_mb", "memory_mb", "licence", "forbids", "note",
                                     "source"})  # fmt: skip
    return told | {"languages": list(entry.languages)} | _state(there)


def _own_row(model: Installed) -> dict[str, Any]:
    size = sum(file["size"] for file in model.files.values()) / MB
    return {"name": model.name, "kind": model.kind, "engine": "", "size_mb": size, "memory_mb": None,
            "licence": model.licence, "forbids": "", "note": "", "source": model.source,
            "languages": []} | _state(model)  # fmt: skip


def _state(there: Installed | None) -> dict[str, Any]:
    wrong = there.damaged() if there is not None else ""
    return {"installed": there is not None and not wrong, "path": str(there.path) if there is not None else None,
            "problem": f"damaged: {wrong}" if wrong else None}  # fmt: skip
