# Sourced by the run scripts: `need PACKAGE ...` installs those Debian or Ubuntu packages that are missing, and says so first.
need() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing: ${missing[*]}"
  local sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  export DEBIAN_FRONTEND=noninteractive
  $sudo apt-get update -qq >/dev/null || { echo "apt-get update failed; is there a network?" >&2; exit 1; }
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || { echo "the installation of ${missing[*]} failed" >&2; exit 1; }
}
need_library() { need g++ cmake ninja-build pkg-config libeigen3-dev libxsimd-dev libxtensor-dev zlib1g-dev libstb-dev libtiff-dev libhdf5-dev; }
# Configures a preset once; ninja does so again when a CMake file changes.
configure() {
  local preset=$1; shift
  [ -e "build/$preset/build.ninja" ] && [ $# -eq 0 ] && return 0
  echo "configuring build/$preset"
  cmake --preset "$preset" "$@" >"build-$preset.log" 2>&1 || { cat "build-$preset.log" >&2; rm -f "build-$preset.log"; exit 1; }
  rm -f "build-$preset.log"
}
