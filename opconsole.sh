#!/bin/sh
# Set opconsole up in this checkout and run it. Needs Python 3.11 or newer, and nothing else.
#
#   ./opconsole.sh demo        set everything up and open the demo
#   ./opconsole.sh test [...]  set everything up and run the tests; what follows goes to pytest
#   ./opconsole.sh setup       set everything up with the developers' tools, and run nothing
#   ./opconsole.sh uv ...      the uv that this checkout is set up with
#   ./opconsole.sh audit-dependencies   look the locked dependencies up among known vulnerabilities
#   ./opconsole.sh ...         anything else is opconsole's own command line
#
# All it makes lies in .venv here. Nothing goes into the system's Python or the home directory's programs.
# PYTHON names the Python to use, UV the uv to use (default: one on PATH, else a private copy).
set -eu

UV_VERSION=0.13.9 # the version that wrote uv.lock
UV_OLDEST=0.9     # what a uv found on PATH must at least be, to read uv.lock
CERTIFICATES="If a certificate is refused: are the system's there (on Debian or Ubuntu: sudo apt install
ca-certificates)? Behind a proxy with an authority of its own, name a file of certificates that has it:
SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt $0 ..."

self=$(readlink -f -- "$0" 2>/dev/null || printf '%s' "$0")
root=$(CDPATH='' cd -- "$(dirname -- "$self")" && pwd -P)
venv=$root/.venv

main() {
    case ${1:-} in
        test)
            shift
            prepare dev
            cd "$root"
            unset PYTHONDONTWRITEBYTECODE # the tests start hundreds of programs
            exec "$venv/bin/python" -m pytest -n auto --dist worksteal "$@"
            ;;
        setup) prepare dev ;;
        uv)
            shift
            prepare dev
            find_python
            find_uv
            use_only_this_python
            exec "$uv" "$@"
            ;;
        audit-dependencies)
            shift
            audit_dependencies "$@"
            ;;
        setup-alone) # what prepare calls while it holds the lock
            set_up "$2"
            ;;
        *)
            prepare run
            # So that the commands it suggests can be typed as this one was.
            case $0 in
                */*) OPCONSOLE_PROGRAM=$0 ;;
                *) OPCONSOLE_PROGRAM=$(command -v "$0" || printf './%s' "$0") ;;
            esac
            export OPCONSOLE_PROGRAM
            exec "$venv/bin/opconsole" "$@"
            ;;
    esac
}

# Make .venv what the lock file says: "run" for opconsole alone, "dev" with the developers' tools too.
prepare() {
    if ready "$1"; then return; fi
    case $(uname -s) in
        MINGW* | MSYS* | CYGWIN*) fail 'Windows is not supported: use WSL, the Windows Subsystem for Linux' ;;
    esac
    [ -w "$root" ] || fail "$root cannot be written to by $(id -un): use a checkout of your own"
    # Two at once would undo each other's work: the later one waits, where there is flock, and finds it done.
    if command -v flock >/dev/null 2>&1; then
        flock "$root/uv.lock" sh "$root/opconsole.sh" setup-alone "$1" || exit
    else
        set_up "$1"
    fi
}

# A stamp tells that .venv is as wanted already. Whatever has the developers' tools can run opconsole as well.
ready() {
    wanted="$(cksum <"$root/uv.lock") $(cksum <"$root/pyproject.toml") $root"
    stamp=$venv/opconsole-stamp
    for kind in "$1" dev; do
        if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp-$kind" 2>/dev/null)" = "$wanted" ]; then return 0; fi
    done
    return 1
}

set_up() {
    if ready "$1"; then return; fi
    find_python
    say "Setting up opconsole in $venv with $python: the first time takes a minute, and needs the network."
    # A folder that was moved still holds its old path in every program, and an upgraded system may have taken
    # the Python away: both begin anew.
    was=$(cat "$venv/opconsole-root" 2>/dev/null || printf '%s' "$root")
    if [ "$was" != "$root" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
        "$python" -m venv --without-pip --clear "$venv" || fail "$python could not make $venv"
    fi
    printf '%s\n' "$root" >"$venv/opconsole-root"
    rm -f "$stamp-run" "$stamp-dev"
    find_uv
    use_only_this_python
    if [ "$1" = dev ]; then groups='--group=dev'; else groups='--no-default-groups'; fi
    if [ -t 2 ]; then quiet=''; else quiet='--quiet'; fi
    # Compiled once: every step of a deployment starts programs, and each would compile its libraries anew.
    UV_COMPILE_BYTECODE=1 "$uv" sync --project "$root" --locked "$groups" ${quiet:+"$quiet"} ||
        fail "uv could not install what uv.lock names; its message is above. $CERTIFICATES"
    printf '%s\n' "$wanted" >"$stamp-$1"
}

# Exit status: 0 nothing is known against them, 1 something is, 2 it could not be looked up.
audit_dependencies() {
    prepare dev
    cd "$root"
    find_python
    find_uv
    use_only_this_python
    status=0
    "$uv" audit --preview-features audit-command --locked "$@" || status=$?
    if [ "$status" -gt 1 ]; then
        fail "the dependencies of uv.lock were NOT audited: the database could not be asked (the reason is above).
It is https://api.osv.dev; another one is named by --service-url URL"
    fi
    exit "$status"
}

# uv is to use the Python found here, and neither one of its own nor an environment that happens to be active.
use_only_this_python() {
    export UV_PROJECT_ENVIRONMENT="$venv" UV_PYTHON="$python" UV_PYTHON_DOWNLOADS=never UV_PYTHON_PREFERENCE=only-system
    unset VIRTUAL_ENV
    [ -w "${HOME:-/nonexistent}" ] || export UV_NO_CACHE=1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; else set -- python3 python3.14 python3.13 python3.12 python3.11; fi
    for python in "$@"; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            # A program that chooses a Python by the folder it is called in, or a virtual environment, is resolved.
            python=$("$python" -c 'import os, sys; print(os.path.realpath(sys.executable))')
            for module in venv sqlite3 ssl zlib ctypes; do
                "$python" -c "import $module" >/dev/null 2>&1 ||
                    fail "$python lacks its module $module. On Debian or Ubuntu: sudo apt install python3-full"
            done
            return
        fi
    done
    found=$("$1" --version 2>/dev/null || printf 'no %s' "$1")
    fail "Python 3.11 or newer is needed; found $found. On Debian 12, Ubuntu 24.04 and newer: sudo apt install python3;
on Ubuntu 22.04: sudo apt install python3.11. Another one can be named: PYTHON=/path/to/python3.12 $0 ..."
}

find_uv() {
    private=$venv/uv-$UV_VERSION/uv
    for uv in "${UV:-}" "$private" "$(command -v uv || true)"; do
        if [ -n "$uv" ] && new_enough "$uv"; then return; fi
    done
    uv=$private
    fetch_uv
    new_enough "$uv" || fail "$uv does not run on this machine; install uv yourself, then: UV=/path/to/uv $0 ..."
}

new_enough() {
    "$1" --version 2>/dev/null | "$python" -c '
import re, sys
found = re.match(r"uv (\d+)\.(\d+)", sys.stdin.read())
oldest = tuple(map(int, sys.argv[1].split(".")))
sys.exit(not found or tuple(map(int, found.groups())) < oldest)' "$UV_OLDEST"
}

# With pip where this Python has it, since pip knows about mirrors and proxies; else straight from the package
# index with Python alone, checked against the index's own checksum.
fetch_uv() {
    scratch=$(mktemp -d "$venv/uv-XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 130' INT TERM
    if "$python" -m pip --version >/dev/null 2>&1 && "$python" -m pip download --quiet --no-deps \
        --only-binary :all: --disable-pip-version-check --dest "$scratch" "uv==$UV_VERSION"; then
        wheel=$(echo "$scratch"/uv-*.whl)
    else
        wheel=$scratch/uv.whl
        download_wheel "$wheel" || fail "uv $UV_VERSION could not be fetched; is there a network? $CERTIFICATES
Or name a uv of your own: UV=/path/to/uv $0 ..."
    fi
    mkdir -p "${private%/*}"
    "$python" - "$wheel" "$scratch/uv" <<'PYTHON'
import re, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel, open(sys.argv[2], "wb") as program:
    program.write(wheel.read(next(name for name in wheel.namelist() if re.fullmatch(r"uv-[^/]+/scripts/uv", name))))
PYTHON
    chmod 755 "$scratch/uv"
    mv "$scratch/uv" "$private"
    rm -rf "$scratch"
    trap - EXIT INT TERM
}

download_wheel() {
    "$python" - "$UV_VERSION" "$1" <<'PYTHON'
import hashlib, json, platform, re, sys, urllib.parse, urllib.request

index = "https://pypi.org/simple/uv/"
version, wheel = sys.argv[1:]
machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
if sys.platform == "darwin":
    tags = r"macosx_\d+_\d+_" + {"aarch64": "arm64"}.get(machine, machine)
elif platform.libc_ver()[0] == "glibc":
    tags = r"manylinux(?:_\d+_\d+|\d+)_" + machine
else:
    tags = r"musllinux_\d+_\d+_" + machine
pattern = re.compile(rf"uv-{re.escape(version)}-py3-none-(?:\w+\.)*{tags}(?:\.\w+)*\.whl")
try:
    asked = urllib.request.Request(index, headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        files = json.load(answer)["files"]
    chosen = next((one for one in files if pattern.fullmatch(one["filename"])), None)
    if chosen is None:
        sys.exit(f"{index} has no uv {version} for {sys.platform} on {machine}")
    with urllib.request.urlopen(urllib.parse.urljoin(index, chosen["url"]), timeout=300) as answer:
        data = answer.read()
except (OSError, ValueError) as problem:
    sys.exit(f"{index}: {problem}")
if hashlib.sha256(data).hexdigest() != chosen["hashes"]["sha256"]:
    sys.exit(f"{chosen['url']}: the checksum is wrong")
with open(wheel, "wb") as file:
    file.write(data)
PYTHON
}

say() { printf '%s\n' "$*" >&2; }

fail() {
    printf 'opconsole.sh: %s\n' "$*" >&2
    exit "${status:-1}"
}

main "$@"
