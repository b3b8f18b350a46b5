#!/bin/sh
# Debian packages that tests use; without root or passwordless sudo the tests that miss one are skipped by name.
need=""
command -v ffprobe >/dev/null || need="$need ffmpeg"
command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || need="$need mosquitto"
command -v pulseaudio >/dev/null || need="$need pulseaudio"
command -v pactl >/dev/null || need="$need pulseaudio-utils"
ldconfig -p 2>/dev/null | grep -q libportaudio.so.2 || need="$need libportaudio2"
ls /usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so >/dev/null 2>&1 || need="$need libasound2-plugins"
command -v systemd-analyze >/dev/null || need="$need systemd"
command -v shellcheck >/dev/null || need="$need shellcheck"
command -v debootstrap >/dev/null || [ -x /usr/sbin/debootstrap ] || need="$need debootstrap"
command -v Xvfb >/dev/null || need="$need xvfb"
command -v mpv >/dev/null || need="$need mpv"
command -v xset >/dev/null || need="$need x11-xserver-utils"
command -v wlr-randr >/dev/null || need="$need wlr-randr"
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || need="$need chromium"
[ -n "$(fc-list 2>/dev/null)" ] || need="$need fontconfig fonts-dejavu-core"
[ -z "$need" ] && exit 0
command -v apt-get >/dev/null || exit 0
if [ "$(id -u)" = 0 ]; then as=""; elif sudo -n true 2>/dev/null; then as="sudo"; else
  echo "these packages would let more tests run: sudo apt install$need"; exit 0; fi
echo "installing for the tests:$need"
$as apt-get update -qq && $as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $need >/dev/null
exit 0
