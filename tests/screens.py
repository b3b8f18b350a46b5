"""What stands for a screen in tests: programs with the real ones' command lines, and sysfs as it is laid out."""

from __future__ import annotations

from pathlib import Path

WLOPM = """\
# wlopm(1): alone it lists NAME on|off; --on, --off take a name or *.
state={folder}/state
[ -f $state ] || echo 'DSI-1 on\nHDMI-A-1 on' > $state
case "$1" in
  --on|--off) echo "$1 $2" >> {folder}/asked
    sed -i "s/^\\($(echo "$2" | sed 's/\\*/[^ ]*/')\\) .*/\\1 ${{1#--}}/" $state;;
  "") cat $state;;
  *) echo "unknown option"; exit 1;;
esac
"""
WLR_RANDR = """\
# wlr-randr 0.2.0: names at the beginning of a line; --output NAME --on|--off, repeated.
state={folder}/randr
[ -f $state ] || echo 'HDMI-A-1 yes\nDSI-1 yes' > $state
while [ "$1" = --output ]; do
  grep -q "^$2 " $state || {{ echo "unknown output $2"; exit 1; }}
  case "$3" in --on) s=yes;; --off) s=no;; *) exit 1;; esac
  sed -i "s/^$2 .*/$2 $s/" $state; shift 3
done
[ -n "$s" ] || while read name on; do
  printf '%s "A monitor"\\n  Enabled: %s\\n  Modes:\\n    1280x720 px, 60.000000 Hz (current)\\n' $name $on
done < $state
"""
VCGENCMD = """\
# Raspberry Pi documentation: vcgencmd display_power [0|1].
[ "$1" = display_power ] || exit 1
[ -n "$2" ] && [ ! -f {folder}/kms ] && echo $2 > {folder}/power
echo display_power=$([ -f {folder}/kms ] && echo -1 || cat {folder}/power)
"""
XSET = """\
# xset(1), with a server that has the DPMS extension.
echo "$*" >> {folder}/words
case "$*" in
  q) printf 'Screen Saver:\\n  prefer blanking:  yes    allow exposures:  yes\\n  timeout:  600    cycle:  300\\n'
     printf 'DPMS (Energy Star):\\n  Standby: 601    Suspend: 602    Off: 603\\n'
     if [ -f {folder}/monitor ]; then printf '  DPMS is Enabled\\n  Monitor is %s\\n' "$(cat {folder}/monitor)"
     else echo '  DPMS is Disabled'; fi;;
  "dpms force on") echo On > {folder}/monitor;;
  "dpms force off") echo Off > {folder}/monitor;;
esac
"""


def script(folder: Path, name: str, text: str) -> Path:
    """Put a program into ``folder``, whose name in ``text`` is {folder}."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n" + text.format(folder=folder))
    path.chmod(0o755)
    return path


def backlight(
    root: Path, name: str = "panel", most: int = 255, level: int = 200, power: bool = True, kind: str = "raw"
) -> Path:
    """Lay out a backlight below ``root``."""
    folder = root / "sys/class/backlight" / name
    folder.mkdir(parents=True)
    files = {"max_brightness": most, "brightness": level, "actual_brightness": level, "type": kind}
    for file, value in (files | ({"bl_power": 0} if power else {})).items():
        (folder / file).write_text(f"{value}\n")
    return folder


def device(root: Path, event: str, name: str, **bits: str) -> Path:
    """Describe an input device below ``root``, and return where its device file belongs."""
    folder = root / "sys/class/input" / event / "device"
    (folder / "capabilities").mkdir(parents=True)
    (folder / "name").write_text(name + "\n")
    (folder / "properties").write_text(bits.pop("properties", "0") + "\n")
    for kind, words in bits.items():
        (folder / "capabilities" / kind).write_text(words + "\n")
    (root / "dev/input").mkdir(parents=True, exist_ok=True)
    return root / "dev/input" / event
