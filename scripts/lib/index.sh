# Let uv see the package index that pip is configured for: read at run time, written nowhere.
# shellcheck shell=bash

# Print the value of pip's setting $1 (index-url, cert, ...) from the listing $2, empty if not set.
_pip_setting() {
  # Environment first, then `pip install`'s own section, then the global one; several values become one line.
  local section
  for section in ':env:' install global; do
    sed -n "s/^${section}\.$1='\(.*\)'\$/\1/p" <<<"$2" | tail -n 1 | sed 's/\\n/ /g; s/^ *//; s/ *$//' | grep . && return 0
  done
  return 0
}

# Export $1=$2 unless the value is empty or the user has set it.
_default_export() {
  if [[ -n "$2" && -z "${!1:-}" ]]; then
    export "$1=$2"
  fi
}

# Translate pip's index settings into uv's. Options given to uv by the user win.
carry_over_index_settings() {
  local pip_python listing extra
  pip_python="$(python_with_pip)" || return 0
  listing="$("${pip_python}" -m pip config list 2>/dev/null)" || return 0
  _default_export UV_DEFAULT_INDEX "$(_pip_setting index-url "${listing}")"
  _default_export UV_INSECURE_HOST "$(_pip_setting trusted-host "${listing}")"
  _default_export SSL_CERT_FILE "$(_pip_setting cert "${listing}")"
  _default_export ALL_PROXY "$(_pip_setting proxy "${listing}")"
  # pip trusts the system's certificates where there are any, uv only when told to (older ones by the second name).
  if compgen -G '/etc/ssl/certs/*' >/dev/null; then
    _default_export UV_SYSTEM_CERTS true
    _default_export UV_NATIVE_TLS true
  fi
  # uv separates these by commas, pip by spaces.
  _default_export UV_FIND_LINKS "$(_pip_setting find-links "${listing}" | tr -s ' ' ',')"
  extra="$(_pip_setting extra-index-url "${listing}")"
  if [[ -n "${extra}" ]]; then
    _default_export UV_INDEX "${extra}"
    # pip takes the best version of all indexes, uv by default the first index that knows the name.
    # Every file is held to a hash from requirements/, so the choice of index decides nothing.
    _default_export UV_INDEX_STRATEGY unsafe-best-match
  fi
}
