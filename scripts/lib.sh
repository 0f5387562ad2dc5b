# shellcheck shell=bash
# Sourced by the scripts of this folder: progress lines, Debian packages, the virtual environment.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=$ROOT/.venv

if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then
    _bold=$'\e[1m' _red=$'\e[31m' _plain=$'\e[0m'
else
    _bold='' _red='' _plain=''
fi

# Progress goes to stderr: stdout belongs to what the script was asked for.
step() { printf '%s==> %s%s\n' "$_bold" "$*" "$_plain" >&2; }
note() { printf '    %s\n' "$*" >&2; }
fail() {
    printf '%s%s: %s%s\n' "$_red" "${0##*/}" "$1" "$_plain" >&2
    shift
    [ $# -eq 0 ] || printf '    %s\n' "$@" >&2
    exit 1
}

# quietly COMMAND...: its output is shown only where it fails.
quietly() {
    local log status=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null || status=$?
    [ "$status" -eq 0 ] || tail -n 40 "$log" >&2
    rm -f "$log"
    return "$status"
}

is_root() { [ "$(id -u)" -eq 0 ]; }

# Debian, or what is made from it: Ubuntu says ID_LIKE=debian.
is_debian() {
    [ -r /etc/os-release ] && command -v apt-get >/dev/null &&
        (. /etc/os-release && [[ " ${ID:-} ${ID_LIKE:-} " == *" debian "* ]])
}

# --- Debian packages ----------------------------------------------------------

is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# ensure_packages NAME...: installs those that are missing, and nothing that they recommend.
ensure_packages() {
    local name missing=()
    for name in "$@"; do
        is_installed "$name" || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    is_debian || fail "needed, and this is no Debian or Ubuntu: ${missing[*]}" \
        "install what these Debian packages hold, then run ${0##*/} again"
    is_root || fail "needed: ${missing[*]}" "run as root: apt-get install ${missing[*]}"
    step "installing ${missing[*]}"
    # The package lists of a machine may be missing or too old: only then they are fetched.
    apt_install "${missing[@]}" >/dev/null 2>&1 ||
        { quietly apt-get update && quietly apt_install "${missing[@]}"; } ||
        fail "apt-get could not install ${missing[*]}" "see above for what it said"
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# --- the virtual environment --------------------------------------------------

# ensure_venv [--dev]: .venv with the locked packages and this clone, editable. It is left alone
# while neither the lock nor the project file has changed.
ensure_venv() {
    local want=run lock stamp
    [ "${1:-}" != --dev ] || want=dev
    stamp="$want $(cat "$ROOT/requirements.lock" "$ROOT/pyproject.toml" | sha256sum | cut -d' ' -f1)"
    # What develops bluegreen also runs it.
    if [ -x "$VENV/bin/bluegreen" ] && [ -x "$VENV/bin/python" ] &&
        grep -qxF -e "$stamp" -e "dev ${stamp#* }" "$VENV/.made-from" 2>/dev/null; then
        return 0
    fi

    step "making $VENV"
    local python
    python=$(find_python)
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        ensure_packages python3-venv
    fi
    rm -rf "$VENV"
    quietly "$python" -m venv "$VENV" || fail "$python could not make $VENV"

    lock=$(mktemp)
    if [ "$want" = dev ]; then
        cp "$ROOT/requirements.lock" "$lock"
    else
        sed '/^# --- for development/,$d' "$ROOT/requirements.lock" >"$lock"
    fi
    quietly "$VENV/bin/pip" install --disable-pip-version-check --require-hashes -r "$lock" ||
        fail "the locked packages could not be installed" "see above for what pip said"
    rm -f "$lock"
    # The build backend came with the lock: nothing is fetched here.
    quietly "$VENV/bin/pip" install --disable-pip-version-check --no-deps --no-build-isolation \
        --editable "$ROOT" || fail "bluegreen itself could not be installed"
    printf '%s\n' "$stamp" >"$VENV/.made-from"
}

# The first Python that is new enough, and not that of the environment which is to be made anew.
find_python() {
    local python PATH=${PATH//"$VENV/bin:"/}
    for python in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$python"
            return 0
        fi
    done
    if is_debian; then
        ensure_packages python3 python3-venv
        /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' &&
            echo /usr/bin/python3 && return 0
    fi
    fail "Python 3.11 or newer is needed" "install it, or name it: PYTHON=/path/to/python ${0##*/}"
}
