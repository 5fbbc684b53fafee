# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# For scripts to source: configuring and building a preset.

root=$(cd "$(dirname "$0")/.." && pwd)

# build PRESET [TARGET...]: into build/PRESET, through ccache where there is one.
build() {
    if [ -z "${CMAKE_C_COMPILER_LAUNCHER:-}" ] && command -v ccache >/dev/null; then
        export CMAKE_C_COMPILER_LAUNCHER=ccache
    fi
    preset=$1
    shift
    echo "== building build/$preset"
    (cd "$root" && cmake --preset "$preset" --log-level=WARNING >/dev/null &&
        cmake --build --preset "$preset" ${1:+--target "$@"})
}
