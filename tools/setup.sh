#!/bin/sh
# Install what is missing: system packages, a virtual environment in .venv, the pinned Python packages
# and this project. Run it as often as you like: with nothing to do it takes some ten milliseconds.
#
#   PYTHON=…           the interpreter for .venv (default: a python3 of 3.11 to 3.13)
#   TESTBED_NO_APT=1   never install system packages, only say which are missing
set -eu
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"   # an ordinary user's PATH often lacks nft and tc

say() { echo "setup: $*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Words are split on purpose in lists of packages.
# shellcheck disable=SC2086

# --- Python -----------------------------------------------------------------------------------------

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if have "$candidate" && fits "$candidate"; then command -v "$candidate"; return; fi
    done
    return 1
}

# Debian splits venv and the C headers from the interpreter; each version has its own packages.
python_packages() {
    if ! python=$(find_python); then
        [ -n "${PYTHON:-}" ] || echo python3 python3-venv python3-dev
        return
    fi
    name=python3
    case $(readlink -f "$python") in
        /usr/bin/python3.*) [ "$(readlink -f /usr/bin/python3)" = "$(readlink -f "$python")" ] || name=$(basename "$python") ;;
    esac
    "$python" -c 'import ensurepip, venv' 2>/dev/null || echo "$name-venv"
    "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' || echo "$name-dev"
}

# --- System packages --------------------------------------------------------------------------------

header() { echo "#include <$1>" | cc -E -x c - >/dev/null 2>&1; }

needed_to_run() {
    have nft || echo nftables
    { have ip && have tc; } || echo iproute2
}

needed_to_build() {
    python_packages
    have cc || echo gcc
    header stdlib.h || echo libc6-dev
    header libnetfilter_queue/libnetfilter_queue.h || echo libnetfilter-queue-dev
}

# Clients that tests and examples run as a subscriber; without one, what needs it is skipped by its name.
good_to_have() {
    have iptables-nft || echo iptables
    have curl || echo curl
    have openssl || echo openssl
    have dig || echo dnsutils
    have traceroute || echo traceroute
    have ping || echo iputils-ping
    have tcpdump || echo tcpdump
    have iperf3 || echo iperf3
    [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
}

# Real clients of the slow tests.
slow_clients() {
    have openvpn || echo openvpn
    have wireguard-go || echo wireguard-go
    have wg || echo wireguard-tools
    have sshd || echo openssh-server
    have ssh || echo openssh-client
    have chromium || echo chromium
}

as_root=
may_install() {
    have apt-get && [ -z "${TESTBED_NO_APT:-}" ] || return 1
    [ "$(id -u)" = 0 ] && return
    have sudo && sudo -n true 2>/dev/null && as_root="sudo -n"
}

apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" >&2
}

install() { apt install -y --no-install-recommends "$@"; }

lacking() { for kind; do "$kind"; done | sort -u | tr '\n' ' '; }

# system_packages KIND…: install what is missing; stop if something is needed and still missing.
# What is good to have is only looked for when there is more to set up, and never stops anything.
system_packages() {
    needed=$(lacking "$@")
    useful=$(ready || lacking good_to_have)
    [ -n "$needed$useful" ] || return 0
    if may_install; then
        say "installing $needed$useful"
        apt update || say "apt-get update failed; trying with the lists that are here"
        install $needed $useful || [ -z "$needed" ] || install $needed || true
    fi
    needed=$(lacking "$@")
    useful=$(ready || lacking good_to_have)
    [ -n "$needed$useful" ] || return 0
    say "an administrator installs what is missing with:  sudo apt-get install -y $needed$useful"
    [ -z "$needed" ] || die "cannot go on without: $needed"
    say "going on without: $useful(what needs them will be skipped)"
}

# --- The virtual environment ------------------------------------------------------------------------

stamp=.venv/.ready
# A moved checkout needs a new environment, because its programs carry their path.
place="$(pwd -P)"
contents="$(cat requirements.lock pyproject.toml | sha256sum | cut -d' ' -f1)"
slow=.venv/.ready-slow
ready() { [ "$(cat $stamp 2>/dev/null)" = "$place $contents" ] && .venv/bin/python -c '' 2>/dev/null; }

make_environment() {
    python=$(find_python) || die "no Python 3.11, 3.12 or 3.13 found${PYTHON:+ at PYTHON=$PYTHON}; install one, or name it: make PYTHON=/path/to/python3.12 …"
    [ ! -e $stamp ] || [ "$(cut -d' ' -f1 $stamp)" = "$place" ] || rm -rf .venv
    [ -x .venv/bin/python ] && fits .venv/bin/python || "$python" -m venv --clear .venv
    rm -f $stamp
    say "installing the pinned Python packages into .venv ($(.venv/bin/python --version)); some minutes the first time"
    # The lock is complete, so pip need not resolve; it could not, for oonidata's pins (pyproject.toml).
    locked_packages requirements.lock
    .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
    # Byte code once, not at each start: where Python may not write it, a start takes twice as long.
    .venv/bin/python -m compileall -q .venv/lib testbed >/dev/null 2>&1 || true
    echo "$place $contents" > $stamp
    say "done; the program is .venv/bin/testbed (plain 'testbed' after: . .venv/bin/activate)"
}

# locked_packages FILE: install what a lock names, and say every few seconds how far it is.
locked_packages() {
    log=.venv/pip.log
    all=$(grep -c '^[a-zA-Z0-9].*==' "$1")
    .venv/bin/python -m pip install --progress-bar off --disable-pip-version-check --require-hashes --no-deps \
        -r "$1" > $log 2>&1 &
    pip=$!
    trap 'kill $pip 2>/dev/null || true' INT TERM HUP
    seconds=0 before=
    while kill -0 $pip 2>/dev/null; do
        sleep 1
        seconds=$((seconds + 1))
        step=$(grep -oE '^ *(Collecting|Building wheel for|Installing collected) *[a-zA-Z0-9._-]*' $log | tail -1)
        case $step in *Collecting*) step="downloading $(grep -c '^ *Collecting' $log) of $all packages" ;; esac
        # What changed every five seconds, what did not every half minute.
        [ $((seconds % 30)) = 0 ] || { [ $((seconds % 5)) = 0 ] && [ "$step" != "$before" ]; } || continue
        before=$step
        say "$seconds s: $(echo ${step:-starting} | tr '[:upper:]' '[:lower:]')"
    done
    trap - INT TERM HUP
    wait $pip || { cat $log >&2; die "pip failed; the lines above say why (behind a proxy that opens TLS, set PIP_CERT)"; }
}

# Two set-ups of one checkout wait for each other; another checkout has its own file.
exec 9< requirements.lock
have flock && flock 9

if ready; then
    system_packages needed_to_run
else
    system_packages needed_to_run needed_to_build
    make_environment
fi

# setup.sh slow: the clients and fuzzers of the slow tests as well.
if [ "${1:-}" = slow ] && [ "$(cat $slow 2>/dev/null)" != "$(sha256sum < requirements-slow.lock)" ]; then
    missing=$(lacking slow_clients)
    if [ -n "$missing" ] && may_install; then
        say "installing $missing"
        install $missing || say "going on without some of: $missing"
    elif [ -n "$missing" ]; then
        say "slow tests of these programs are skipped without: sudo apt-get install -y $missing"
    fi
    say "installing the clients and fuzzers of the slow tests"
    locked_packages requirements-slow.lock
    if have npm; then
        # The accessibility checker of the report's tests. No package may run a script of its own.
        (cd tests/htmlreport/axe && npm ci --ignore-scripts --no-audit --no-fund --silent) ||
            say "going on without axe-core"
    else
        say "the accessibility checks of pages are skipped without npm"
    fi
    sha256sum < requirements-slow.lock > $slow
fi
