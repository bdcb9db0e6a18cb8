# Shared by every script here: messages, the cache folder, one way to fail.
# shellcheck shell=bash

say() { printf '%s\n' "$*" >&2; }

# One sentence that names the cause and the next step, then stop.
die() {
  printf 'scripts/%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# A tilde of its own: it is known also where HOME is not set.
home_dir=~
# Outside the checkout, so that a second clean clone downloads nothing.
# shellcheck disable=SC2034 # the files that source this one use it
cache_dir="${XDG_CACHE_HOME:-${home_dir}/.cache}/snapshotter"
mkdir -p "${cache_dir}" 2>/dev/null ||
  die "cannot write to ${cache_dir}; set XDG_CACHE_HOME to a folder that you may write to"

# True when interpreter $1 runs, is CPython $2 (such as 3.14) and has what snap and its tests import.
# Not one of a virtual environment: that may be ours, active in the caller's shell.
is_usable_python() {
  "$1" -I -c '
import sys
wanted = tuple(int(part) for part in sys.argv[1].split("."))
if sys.implementation.name != "cpython" or sys.version_info[:2] != wanted:
    sys.exit(1)
if sys.prefix != sys.base_prefix:
    sys.exit(1)
import _remote_debugging, compression.zstd, ctypes, sqlite3, ssl, zlib
' "$2" >/dev/null 2>&1
}

# Run "$@" while holding the lock file $1: two checkouts may fill the cache at the same time.
with_lock() {
  local lock="$1"
  shift
  if have flock; then
    (
      flock 9
      "$@"
    ) 9>"${lock}"
  else
    "$@"
  fi
}
