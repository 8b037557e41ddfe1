#!/bin/sh
# tests/browser/get_browser.sh - makes sure that Chromium and what drives it are on this machine, and prints the folder of the latter:
# $DLVIZ_BROWSER_DIR, or else ${XDG_CACHE_HOME:-~/.cache}/dlviz/browser-VERSION. Chromium is Debian's; if playwright-core and axe-core
# are not there, npm fetches them, 4 MB, whose SHA-256 are checked; nothing of them is run meanwhile.
# Fails, saying why, where there is no node, no npm or no Chromium to be had.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=examples/common.sh
. "$here/../../examples/common.sh"

# The last version that runs on Debian 12's Node.js, 18.
version=1.61.0
packages='
b5ab14f09f3aaacdedbc2cb1431b0552cec8995fba35d841779a4ed535ce0200 playwright-core 1.61.0
e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745 axe-core 4.14.1'

has node || fail "there is no node"
if ! has chromium; then
    install_packages chromium fonts-dejavu-core || :
    has chromium || fail "there is no chromium, and it could not be installed"
fi

folder=${DLVIZ_BROWSER_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/dlviz/browser-$version}
if [ -d "$folder/node_modules/playwright-core" ] && [ -d "$folder/node_modules/axe-core" ]; then
    printf '%s\n' "$folder"
    exit
fi
has npm || fail "there is no npm, which would fetch playwright-core and axe-core"

unpack() { # sum name version
    printf '%s  %s\n' "$1" "$2-$3.tgz" | sha256sum --check --quiet >&2 || return 1
    mkdir -p "node_modules/$2" &&
        tar --no-same-owner -xzf "$2-$3.tgz" -C "node_modules/$2" --strip-components 1 &&
        rm -f "$2-$3.tgz"
}

fetch() {
    say "Fetching playwright-core and axe-core with npm"
    printf '%s\n' "$packages" | while read -r sum name number; do
        [ -n "$name" ] || continue
        npm pack "$name@$number" --ignore-scripts --cache "$scratch/cache" --loglevel error --fetch-retries 1 \
            --fetch-timeout 120000 </dev/null >&2 || exit 1
        unpack "$sum" "$name" "$number" || exit 1
    done
}

trap remove_scratch EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM
mkdir -p -- "$folder"
scratch=$(mktemp -d "$folder/.incoming-XXXXXX")
cd -- "$scratch"
fetch || fail "playwright-core and axe-core could not be fetched"
mv -- node_modules "$folder/" || [ -d "$folder/node_modules/playwright-core" ]
printf '%s\n' "$folder"
