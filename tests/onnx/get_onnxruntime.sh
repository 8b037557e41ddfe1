#!/bin/sh
# tests/onnx/get_onnxruntime.sh - makes sure that ONNX Runtime for node is on this machine and prints the folder
# that it lies in: $DLVIZ_ONNXRUNTIME_DIR, or else ${XDG_CACHE_HOME:-~/.cache}/dlviz/onnxruntime-VERSION. If it is not
# there, npm fetches two packages into it, 114 MB, whose SHA-256 are checked; nothing of them is run meanwhile.
# Fails, saying why, where there is no node, no npm or no such package for this machine.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=examples/common.sh
. "$here/../../examples/common.sh"

version=1.30.0
packages='
6e3390d6b783e7be946fad629292799da28d0b42f84856e50d2c1b0383291e75 onnxruntime-node
7906c439e0d3e0f4048caa23b64cdfadc0f455c377f579ce1ab2a4b778f07d5f onnxruntime-common'

has node || fail "there is no node"
platform=$(node --print 'process.platform + "/" + process.arch')
case $platform in
linux/x64 | linux/arm64) ;;
*) fail "there is no ONNX Runtime for $platform" ;;
esac

folder=${DLVIZ_ONNXRUNTIME_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/dlviz/onnxruntime-$version}
if [ -d "$folder/node_modules/onnxruntime-node" ]; then
    printf '%s\n' "$folder"
    exit
fi
has npm || fail "there is no npm, which would fetch ONNX Runtime"

# Of the libraries, only this machine's.
unpack() { # sum name
    printf '%s  %s\n' "$1" "$2-$version.tgz" | sha256sum --check --quiet >&2 || return 1
    mkdir -p "node_modules/$2" &&
        tar --no-same-owner -xzf "$2-$version.tgz" -C "node_modules/$2" --strip-components 1 \
            --exclude 'package/bin/napi-v6/darwin' --exclude 'package/bin/napi-v6/win32' &&
        rm -f "$2-$version.tgz"
}

fetch() {
    say "Fetching ONNX Runtime $version with npm"
    npm pack "onnxruntime-node@$version" "onnxruntime-common@$version" --ignore-scripts --cache "$scratch/cache" \
        --loglevel error --fetch-retries 1 --fetch-timeout 120000 </dev/null >&2 || return 1
    printf '%s\n' "$packages" | while read -r sum name; do
        [ -z "$name" ] || unpack "$sum" "$name" || exit 1
    done
}

trap remove_scratch EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM
mkdir -p -- "$folder"
scratch=$(mktemp -d "$folder/.incoming-XXXXXX")
cd -- "$scratch"
fetch || fail "ONNX Runtime could not be fetched"
mv -- node_modules "$folder/" || [ -d "$folder/node_modules/onnxruntime-node" ]
printf '%s\n' "$folder"
