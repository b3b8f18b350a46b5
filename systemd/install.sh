#!/bin/sh
# Installs avatard as a service: for the whole system (as root), or with --user for one user's session with PipeWire.
# It says what it will do, then does it; run again, it updates and keeps the configuration.
# shellcheck disable=SC2317 # do_ calls the functions that do the work
set -eu

usage() {
    cat <<'END'
usage: install.sh [--user] [--wheel FILE.whl] [--with EXTRAS] [--dry-run]
       install.sh --uninstall [--user] [--keep-config] [--dry-run]

  --user         for this user alone: a service of the session, where PipeWire has the sound card
  --wheel FILE   install this wheel; without it the checkout that this script lies in
  --with EXTRAS  optional parts too, separated by commas: --with openwakeword
  --no-start     do not enable and start the service
  --uninstall    remove everything: program, service, account, configuration, state, credential
  --keep-config  with --uninstall: keep the configuration, the state and the credential
  --dry-run      only say what would be done
END
}

die() {
    printf 'install.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

# do_ WHAT COMMAND…: says what, and does it unless this is a dry run.
do_() {
    printf '  - %s\n' "$1"
    shift
    [ "$dry" = 1 ] || "$@"
}

read_arguments() {
    user=0 dry=0 uninstall=0 keep=0 start=1 wheel="" extras=""
    while [ $# -gt 0 ]; do
        case $1 in
            --user) user=1 ;;
            --wheel) [ $# -ge 2 ] || die "--wheel needs a file" 2; wheel=$2; shift ;;
            --with) [ $# -ge 2 ] || die "--with needs the names of extras" 2; extras=$2; shift ;;
            --no-start) start=0 ;;
            --uninstall) uninstall=1 ;;
            --keep-config) keep=1 ;;
            --dry-run) dry=1 ;;
            -h | --help) usage; exit 0 ;;
            *) usage >&2; die "unknown argument: $1" 2 ;;
        esac
        shift
    done
}

set_places() {
    here=$(cd "$(dirname "$0")" && pwd)
    if [ "$user" = 1 ]; then
        [ "$(id -u)" != 0 ] || die "--user is for a user's session: run it as that user, without sudo" 2
        data=${XDG_DATA_HOME:-$HOME/.local/share}/avatard
        link=$HOME/.local/bin/avatard
        config=${XDG_CONFIG_HOME:-$HOME/.config}/avatard
        units=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user
        state=${XDG_STATE_HOME:-$HOME/.local/state}/avatard
        cache=${XDG_CACHE_HOME:-$HOME/.cache}/avatard
        runtime=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/avatard
    else
        [ "$dry" = 1 ] || [ "$(id -u)" = 0 ] || die "a system service needs root: sudo $0 (or, for you alone, --user)" 2
        data=/usr/local/lib/avatard link=/usr/local/bin/avatard config=/etc/avatard units=/etc/systemd/system
        state=/var/lib/avatard cache=/var/cache/avatard runtime=/run/avatard
        sysusers=/etc/sysusers.d/avatard.conf
        tmpfiles=/etc/tmpfiles.d/avatard.conf
        rules=/etc/udev/rules.d/99-avatard.rules
        credential=/etc/credstore/avatard.mqtt_password
    fi
    venv=$data/venv
    unit=$units/avatard.service
    # The service manager answers only where systemd runs, and not from within a chroot.
    running=0
    if [ -d /run/systemd/system ] && ! systemd-detect-virt --quiet --chroot 2>/dev/null &&
        manager show-environment >/dev/null 2>&1; then running=1; fi
}

manager() {
    if [ "$user" = 1 ]; then systemctl --user "$@"; else systemctl "$@"; fi
}

# ---- installing

check_machine() {
    python=$(command -v python3) || die "python3 is missing: sudo apt install python3 python3-venv"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "avatard needs Python 3.11 or newer; $python is older"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || die "python3-venv is missing: sudo apt install python3-venv"
    command -v systemctl >/dev/null || die "systemd is missing; without it, avatard run can be started by hand"
    if [ -n "$wheel" ]; then
        [ -f "$wheel" ] || die "$wheel: no such file" 2
    else
        [ -f "$here/../pyproject.toml" ] || die "$here lies in no checkout: give a wheel with --wheel FILE" 2
    fi
    if [ -z "$(find /usr/lib /usr/local/lib -name 'libportaudio.so.2*' 2>/dev/null)" ]; then
        echo "note: without libportaudio2 there is no microphone and no speaker: sudo apt install libportaudio2"
    fi
}

install_all() {
    check_machine
    work=$(mktemp -d)
    trap finish EXIT
    echo "Installing avatard$([ "$user" = 0 ] || echo " for $(id -un)"):"
    # The system's own Python is left alone (PEP 668): avatard has a virtual environment of its own.
    do_ "a virtual environment in $venv" make_venv
    do_ "avatard in it, from ${wheel:-the checkout $(dirname "$here")}" install_package
    do_ "the command $link" make_link
    if [ -e "$config/avatard.yaml" ]; then
        echo "  - $config/avatard.yaml is there and stays as it is"
    else
        do_ "the configuration $config/avatard.yaml" place "../config/avatard.yaml" "$config/avatard.yaml"
    fi
    if [ "$user" = 0 ]; then
        do_ "the account avatard, by $sysusers" install_account
        do_ "the rights of its files, by $tmpfiles" install_tmpfiles
        do_ "the rights of a backlight, by $rules" install_rules
        do_ "the service $unit" place avatard.service "$unit"
    else
        do_ "the service $unit" place user/avatard.service "$unit"
    fi
    start_service
    [ "$dry" = 1 ] || echo "Done. The configuration is $config/avatard.yaml; after a change: avatard check"
}

# Runs at every end: what was made is remembered for --uninstall even when a step failed.
finish() {
    if [ -d "$data" ] && [ -f "$work/folders" ]; then cat "$work/folders" >>"$data/folders"; fi
    rm -rf "$work"
}

# Makes a folder and those above it.
folder() {
    [ ! -d "$1" ] || return 0
    folder "$(dirname "$1")"
    mkdir "$1"
    echo "$1" >>"$work/folders"
}

make_venv() {
    folder "$data"
    if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        "$python" -m venv --clear "$venv" || die "$venv: the virtual environment could not be made"
    fi
}

pip() {
    "$venv/bin/python" -m pip --quiet --disable-pip-version-check --no-cache-dir "$@"
}

install_package() {
    if [ -z "$wheel" ]; then
        # Built from a copy, so that nothing in the checkout comes to belong to root.
        mkdir "$work/source"
        for part in pyproject.toml setup.py MANIFEST.in README.md LICENSE avatard config models systemd; do
            [ ! -e "$here/../$part" ] || cp -R "$here/../$part" "$work/source/"
        done
        pip wheel --no-deps --wheel-dir "$work" "$work/source" || die "the wheel could not be built"
        wheel=$(echo "$work"/*.whl)
    fi
    path=$(cd "$(dirname "$wheel")" && pwd)/$(basename "$wheel")
    pip install "$path${extras:+[$extras]}" || die "what avatard requires could not be installed"
    # Another build of the same version replaces what is there too.
    pip install --no-deps --force-reinstall "$path" || die "avatard could not be installed"
    files=$("$venv/bin/python" -c 'from avatard.runtime.data import data_file; print(data_file("systemd"))')
    cp "$files/install.sh" "$data/install.sh"
}

# place NAME PATH: a file that travels with the package.
place() {
    folder "$(dirname "$2")"
    cp "$files/$1" "$2"
    chmod 0644 "$2"
}

make_link() {
    folder "$(dirname "$link")"
    ln -sfn "$venv/bin/avatard" "$link"
}

install_account() {
    place avatard.sysusers "$sysusers"
    systemd-sysusers "$sysusers"
}

install_tmpfiles() {
    place avatard.tmpfiles "$tmpfiles"
    systemd-tmpfiles --create "$tmpfiles"
}

install_rules() {
    place 99-avatard.rules "$rules"
    if [ "$running" = 1 ] && command -v udevadm >/dev/null; then
        udevadm control --reload && udevadm trigger --action=add --subsystem-match=backlight
    fi
}

start_service() {
    if [ "$start" = 0 ]; then
        [ "$running" = 0 ] || do_ "systemd reads its units again" manager daemon-reload
    elif [ "$running" = 1 ]; then
        do_ "systemd reads its units again" manager daemon-reload
        do_ "the service starts with the machine" manager --quiet enable avatard.service
        do_ "the service starts" start_or_tell
    elif [ "$user" = 0 ]; then
        do_ "the service starts with the machine (systemd does not run here, so it does not start)" \
            manager --quiet enable avatard.service
    else
        echo "note: no systemd runs this user's session; in one: systemctl --user enable --now avatard"
    fi
}

start_or_tell() {
    manager restart avatard.service ||
        echo "note: it did not start; see: $([ "$user" = 0 ] && echo journalctl -u || echo journalctl --user -u) avatard"
}

# ---- uninstalling

uninstall_all() {
    echo "Removing avatard$([ "$user" = 0 ] || echo " of $(id -un)"):"
    made=""
    [ ! -f "$data/folders" ] || made=$(cat "$data/folders")
    # In a fresh home it was the daemon that made these.
    [ "$user" = 0 ] || made="$made
$(dirname "$cache")
$(dirname "$state")"
    if [ -e "$unit" ]; then do_ "the service stops, and no longer starts with the machine" disable_service; fi
    remove "$unit"
    [ "$keep" = 1 ] || remove "$unit.d"
    if [ "$running" = 1 ]; then do_ "systemd reads its units again" manager daemon-reload; fi
    if [ "$(readlink "$link" 2>/dev/null)" = "$venv/bin/avatard" ]; then remove "$link"; fi
    if [ "$user" = 0 ]; then
        if getent passwd avatard >/dev/null; then do_ "the account avatard" remove_account; fi
        remove "$sysusers"
        remove "$tmpfiles"
        remove "$rules"
    fi
    remove "$runtime"
    remove "$cache"
    if [ "$keep" = 1 ]; then
        echo "  - kept: $config, $state${credential:+, $credential}"
    else
        remove "$config"
        remove "$state"
        [ "$user" = 1 ] || remove "$credential"
    fi
    if [ "$keep" = 1 ] && [ -d "$data/models" ]; then
        echo "  - kept: $data/models"
        remove "$venv"
        remove "$data/install.sh"
        remove "$data/folders"
    else
        remove "$data"
    fi
    [ "$dry" = 1 ] || remove_folders
}

disable_service() {
    [ "$running" = 0 ] || manager stop avatard.service || true
    [ "$user$running" = 10 ] || manager --quiet disable avatard.service
}

remove_account() {
    userdel avatard
    ! getent group avatard >/dev/null || groupdel avatard
}

remove() {
    [ -e "$1" ] || [ -L "$1" ] || return 0
    do_ "$1" rm -rf "$1"
}

# The folders that the installation made go too, innermost first, unless something else lies in them by then.
remove_folders() {
    printf '%s\n' "$made" | sort -r -u | while IFS= read -r made_folder; do
        [ -z "$made_folder" ] || rmdir "$made_folder" 2>/dev/null || true
    done
}

umask 022
read_arguments "$@"
set_places
if [ "$uninstall" = 1 ]; then uninstall_all; else install_all; fi
exit 0
