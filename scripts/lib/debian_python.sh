# CPython from Debian's own binary packages, unpacked into a private folder.
# Nothing of the system is changed: apt works on its own lists, status and cache.
# shellcheck shell=bash

# Debian suites that carry new interpreters, the calmer first.
debian_suites=(forky sid)

# Print "URI KEYRING" of a Debian mirror that this machine already uses.
debian_mirror() {
  local uri keyring
  # Both formats of apt's sources; the path tells Debian's main archive from security and third parties.
  # Cloud images name a list of mirrors (mirror+file:.../debian.list), which apt takes just as well.
  uri="$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null |
    sed -nE '/^[[:space:]]*#/d; s#^(.*[[:space:]])?([a-z+]+:[^[:space:]]*/debian(/|\.list)?)([[:space:]].*)?$#\2#p' |
    head -n 1)"
  [[ -n "${uri}" ]] || return 1
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [[ -r "${keyring}" ]] || keyring=/usr/share/keyrings/debian-archive-keyring.pgp
  [[ -r "${keyring}" ]] || return 1
  printf '%s %s\n' "${uri}" "${keyring}"
}

# Write a private apt configuration for suite $2 under folder $1.
_write_apt_config() {
  local root="$1" suite="$2" uri keyring
  read -r uri keyring <<<"$(debian_mirror)"
  mkdir -p "${root}"/{lists/partial,archives/partial,etc/none}
  : >"${root}/status"
  printf 'deb [signed-by=%s] %s %s main\n' "${keyring}" "${uri}" "${suite}" >"${root}/etc/sources.list"
  {
    # Proxies and certificates of this machine hold for us too; its hooks do not.
    apt-config dump Acquire
    cat <<CONFIG
Dir::State "${root}";
Dir::State::lists "${root}/lists";
Dir::State::status "${root}/status";
Dir::State::extended_states "${root}/extended_states";
Dir::Cache "${root}";
Dir::Cache::archives "${root}/archives";
Dir::Etc::sourcelist "${root}/etc/sources.list";
Dir::Etc::sourceparts "${root}/etc/none";
Dir::Etc::parts "${root}/etc/none";
Dir::Etc::main "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "${root}/etc/none";
APT::Sandbox::User "";
Acquire::Languages "none";
APT::Update::Error-Mode "any";
CONFIG
  } >"${root}/apt.conf"
}

_apt() { APT_CONFIG="$1/apt.conf" DEBIAN_FRONTEND=noninteractive "${@:2}" >>"$1/log" 2>&1; }

# Point the unpacked interpreter $2 in folder $1 at the loader and libraries that came with it.
_relocate() {
  local folder="$1" program="$2" patchelf loader libraries
  patchelf="$(tool patchelf)" || return 1
  loader="$(find "${folder}/usr/lib" "${folder}/usr/lib64" "${folder}/lib" "${folder}/lib64" \
    -name 'ld-linux*.so.*' 2>/dev/null | head -n 1)"
  libraries="$(dirname "$(find "${folder}/usr/lib" -name libc.so.6 | head -n 1)")"
  # RPATH, not RUNPATH: only RPATH also serves libraries of libraries (_ssl would take the system's older libcrypto).
  "${patchelf}" --set-interpreter "${loader}" --force-rpath --set-rpath "${libraries}" "${program}"
}

# Download and unpack CPython $1 of suite $2 into folder $3.
_unpack_debian_python() {
  local version="$1" suite="$2" folder="$3" apt package multiarch
  apt="${folder}/apt"
  _write_apt_config "${apt}" "${suite}"
  _apt "${apt}" apt-get update || return 1
  # libstdc++6: many wheels need it and a bare machine may have an older one or none.
  _apt "${apt}" apt-get -d -y --no-install-recommends install \
    "python${version}" "python${version}-venv" libstdc++6 || return 1
  # Headers let packages without a wheel compile; their dependencies (libc6-dev) come from the system's gcc.
  (cd "${apt}/archives" && _apt "${apt}" apt-get download "libpython${version}-dev") || return 1
  for package in "${apt}/archives"/*.deb; do
    dpkg-deb -x "${package}" "${folder}" || return 1
  done
  # apt's lists and the static libraries are two thirds of the folder, and nothing needs them any more.
  rm -rf "${apt}/lists" "${apt}/archives" "${apt}"/*.bin
  find "${folder}/usr/lib" -name 'libpython*.a' -delete
  # Debian's pyconfig.h includes <multiarch/...> and expects it in the compiler's default path.
  for multiarch in "${folder}"/usr/include/*-linux-*; do
    ln -s "../${multiarch##*/}" "${folder}/usr/include/python${version}/" || return 1
  done
  _relocate "${folder}" "${folder}/usr/bin/python${version}"
}

# Make CPython $1 in the cache and print its path; say why not and fail otherwise.
fetch_debian_python() {
  local version="$1" suite folder fresh
  if ! have apt-get || ! have dpkg-deb || ! debian_mirror >/dev/null; then
    say "This machine has no apt with a Debian mirror to take python${version} from."
    return 1
  fi
  folder="${cache_dir:?}/python/debian-${version}"
  for suite in "${debian_suites[@]}"; do
    fresh="${folder}.new"
    rm -rf "${fresh}"
    mkdir -p "${fresh}"
    say "Unpacking Debian's python${version} (${suite}) into ${folder} ..."
    # Paths are baked in by patchelf: unpack at the final place, and remove a failed try.
    rm -rf "${folder}"
    mv "${fresh}" "${folder}"
    if _unpack_debian_python "${version}" "${suite}" "${folder}" &&
      is_usable_python "${folder}/usr/bin/python${version}" "${version}"; then
      printf '%s\n' "${folder}/usr/bin/python${version}"
      return 0
    fi
    say "Debian ${suite} did not give a working python${version}:"
    tail -n 3 "${folder}/apt/log" >&2 || true
    rm -rf "${folder}"
  done
  return 1
}
