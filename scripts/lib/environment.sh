# Virtual environments in the repository's root, made by uv from pinned, hashed requirements.
# shellcheck shell=bash

# Print a hash of all that decides what environment $1 contains.
_environment_key() {
  cat "${repo_dir:?}/pyproject.toml" "${repo_dir}/scripts/lib/environment.sh" "${@:2}" |
    { cksum; printf '%s\n' "$1"; } | tr '\n' ' '
}

# True when environment $1 runs and was made with key $2.
_is_fresh() {
  [[ -x "$1/bin/python" && -r "$1/complete" && "$(cat "$1/complete")" == "$2" ]]
}

# Install the pins of requirement file $2 into environment $1; further arguments go to uv.
_sync() {
  "${uv:?}" pip sync --quiet --require-hashes --python "$1/bin/python" "${@:3}" "${repo_dir}/requirements/$2"
}

# Install this checkout itself, editable, into environment $1; its build tools are among the pins.
_install_checkout() {
  "${uv}" pip install --quiet --no-deps --no-build-isolation --offline --python "$1/bin/python" --editable "${repo_dir}"
}

# make_environment FOLDER PYTHON INSTALL REQUIREMENTS...
# Make FOLDER with interpreter PYTHON by calling `INSTALL FOLDER`, unless nothing has changed since.
make_environment() {
  local folder="${repo_dir}/$1" python="$2" install="$3" key
  key="$(_environment_key "${python}" "${@:4}")"
  if _is_fresh "${folder}" "${key}"; then
    return 0
  fi
  say "Installing into $1 ..."
  uv="$(tool uv)" || return 1
  carry_over_index_settings
  rm -f "${folder}/complete"
  # A changed interpreter needs a new environment; else keep it, others may be running from it.
  if [[ "$("${folder}/bin/python" -c 'import sys; print(sys._base_executable)' 2>/dev/null)" != "${python}" ]]; then
    "${uv}" venv --quiet --no-project --clear --python "${python}" "${folder}" || return 1
  fi
  "${install}" "${folder}" || return 1
  printf '%s' "${key}" >"${folder}/complete"
}
