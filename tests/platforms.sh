#!/bin/sh
# tests/platforms.sh - builds and tests the library on other platforms than this machine's, in chroots.
set -eu

usage() {
    cat <<'EOF'
Usage: tests/platforms.sh [options] [platform ...]

Builds the library for other platforms, runs their tests and prints a table; exits with 0 if everything
compiled without a warning and no test failed. Needs root on an x86-64 Linux with Debian's packages in
reach: it installs debootstrap here, everything else in chroots, which it keeps for the next time.

  trixie       Debian 13 (GCC 14, cairo 1.18), x86-64: every test
  no-plots     Debian 12 without figures (-Dplots=disabled): every test
  arm64        Debian 12, 64-bit ARM (NEON) under QEMU: every test but of the installation and the examples
  armhf        Debian 12, 32-bit ARM under QEMU: the tests named below
  i386         Debian 12, 32-bit x86, run by this machine's kernel: the tests named below
  s390x        Debian 12, IBM Z (big-endian) under QEMU: the tests named below

Without names, all of them, one after the other. On armhf, i386 and s390x these run: what lies under
everything (memory, threads, files, text), tensors and file formats, data sets, PCA, t-SNE and parity.

  --full       every test that can run everywhere (under QEMU that takes hours)
  --tests T    only these tests, by Meson's names: --tests "npy pca"
  --build      compiles and runs nothing
  --jobs N     compiles N files at a time (all processors)
  --clean      removes the chroots and build folders, and ends

DLVIZ_DEBIAN_MIRROR names another mirror of Debian than debootstrap's own.
DLVIZ_PLATFORMS names the folder of the chroots (about 3 GB; default: ${XDG_CACHE_HOME:-~/.cache}/dlviz/platforms),
DLVIZ_DATA_DIR the one with MNIST. Logs: logs/PLATFORM.build and logs/PLATFORM.test in the former.
EOF
}

cd -- "$(dirname -- "$0")/.."
# shellcheck source=examples/common.sh
. examples/common.sh

all='trixie no-plots arm64 armhf i386 s390x'
common_tests='base file tensor npy safetensors idx dataset loader linalg pca pca_handling affinities
neighbors repulsion convolution tsne tsne_handling quality parity_layers parity_optimizers parity_report'
chosen='' tests='' full=no build_only=no jobs=$(getconf _NPROCESSORS_ONLN) clean=no
while [ $# -gt 0 ]; do
    case $1 in
    --tests | --jobs)
        [ $# -ge 2 ] || { usage >&2 && exit 2; }
        [ "$1" = --tests ] && tests=$2 || jobs=$2
        shift
        ;;
    --full) full=yes ;;
    --build) build_only=yes ;;
    --clean) clean=yes ;;
    -h | --help) usage && exit ;;
    trixie | no-plots | arm64 | armhf | i386 | s390x) chosen="$chosen $1" ;;
    *) say "platforms.sh: unknown argument $1" && usage >&2 && exit 2 ;;
    esac
    shift
done
chosen=${chosen:-$all}

[ "$(id -u)" -eq 0 ] || fail "needs root, to fill chroots and to enter them"
[ "$(uname -m)" = x86_64 ] || fail "this machine is $(uname -m); the chroots are made for x86_64"
place=${DLVIZ_PLATFORMS:-${XDG_CACHE_HOME:-$HOME/.cache}/dlviz/platforms}
if [ "$clean" = yes ]; then
    rm -rf -- "$place"
    exit
fi
mkdir -p "$place/logs"
place=$(cd "$place" && pwd)
source=$(pwd)
require_packages 'command debootstrap debootstrap
command unshare util-linux'
if data=$(sh examples/get_mnist.sh --no-substitute); then
    data=$(cd "$data" && pwd)
else
    data=
    say "The tests that need MNIST will skip."
fi

# inside CHROOT COMMAND: runs it there as root, with the source (not writable) in /dlviz/source and MNIST in
# /dlviz/mnist. What is mounted belongs to that process and goes with it. The root is moved, not changed: some
# tests make a name space of their own, which a changed root forbids.
inside() {
    mkdir -p "$place/$1/dlviz/source" "$place/$1/dlviz/mnist"
    # shellcheck disable=SC2016 # expanded by the inner shell
    root=$place/$1 source=$source data=$data unshare --mount sh -euc '
        mount --bind "$root" "$root"
        cd "$root"
        mount -t proc proc proc
        mount -t sysfs sysfs sys
        mount --rbind /dev dev
        mount --bind "$source" dlviz/source
        mount -o remount,ro,bind dlviz/source
        if [ -n "$data" ]; then
            mount --bind "$data" dlviz/mnist
            mount -o remount,ro,bind dlviz/mnist
        fi
        pivot_root . mnt
        umount -l /mnt
        exec chroot . /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C \
            DEBIAN_FRONTEND=noninteractive ${data:+DLVIZ_DATA_DIR=/dlviz/mnist} sh -euc "cd /dlviz/source; $0"
        ' "$2" </dev/null
}

libraries='libopenblas-dev liblapacke-dev zlib1g-dev libjansson-dev libpng-dev libjpeg-dev libcairo2-dev libpango1.0-dev check'

# prepare CHROOT ARCHITECTURE: makes Debian's release of that name, with what building for the architecture
# needs.
prepare() {
    done_mark=$place/$1/dlviz/prepared-$2
    [ ! -e "$done_mark" ] || return 0
    if [ ! -e "$place/$1/dlviz" ]; then
        rm -rf -- "${place:?}/$1"
        # shellcheck disable=SC2086 # nothing, or one word
        debootstrap --variant=minbase "$1" "$place/$1" ${DLVIZ_DEBIAN_MIRROR:-} || return 1
        mkdir -p "$place/$1/dlviz"
    fi
    packages="build-essential meson ninja-build pkg-config python3 gfortran locales $libraries"
    if [ "$2" != amd64 ]; then
        packages="$packages qemu-user crossbuild-essential-$2"
        for library in $libraries; do
            packages="$packages $library:$2"
        done
        inside "$1" "dpkg --add-architecture $2" || return 1
    fi
    inside "$1" "apt-get -q update && apt-get -q -y --no-install-recommends install $packages &&
        localedef -i de_DE -f UTF-8 de_DE.UTF-8" || return 1
    : >"$done_mark"
}

# try PLATFORM CHROOT ARCHITECTURE COMPILER OPTIONS TESTS: builds and tests; adds a line to the table.
try() {
    name=$1 chroot=$2 build=/dlviz/build-$1
    log=$place/logs/$name
    say "== $name"
    if ! prepare "$chroot" "$3" >"$log.prepare" 2>&1; then
        row "$name" - 'not prepared' - "$(grep -E '^(E|W|dpkg): ' "$log.prepare" | tail -n 1)"
        say "platforms.sh: $name could not be prepared; the end of $log.prepare:"
        tail -n 5 "$log.prepare" >&2
        return 1
    fi
    version=$(inside "$chroot" "$4 -dumpfullversion" 2>/dev/null) || version='?'
    rm -f "$log.test"
    if ! inside "$chroot" "rm -rf $build; meson setup $build --wrap-mode=nodownload $5
        ninja -C $build -k 0 -j $jobs" >"$log.build" 2>&1; then
        row "$name" "$4 $version" 'FAILED' - '-'
        say "platforms.sh: $name does not build; see $log.build:"
        grep -E 'error|ERROR' "$log.build" | head -n 5 >&2
        return 1
    fi
    warnings=$(grep -c 'warning:' "$log.build") || :
    compiled="yes, $warnings warnings"
    if [ "$build_only" = yes ]; then
        row "$name" "$4 $version" "$compiled" 0 'not run'
        [ "$warnings" -eq 0 ]
        return
    fi
    # Each program's own limits hold for a machine that runs it itself.
    status=0
    inside "$chroot" "export CK_TIMEOUT_MULTIPLIER=1000
        status=0
        meson test -C $build --no-rebuild --timeout-multiplier 0 --print-errorlogs $6 || status=\$?
        python3 tests/support/count.py $build/meson-logs/testlog.json || status=1
        exit \$status" >"$log.test" 2>&1 || status=1
    programs=$(grep -cE '^ *[0-9]+/[0-9]+ .*[0-9.]+s' "$log.test") || :
    row "$name" "$4 $version" "$compiled" "$programs" "$(tail -n 1 "$log.test")"
    [ "$status" -eq 0 ] || say "platforms.sh: $name: tests failed; see $log.test"
    [ "$status" -eq 0 ] && [ "$warnings" -eq 0 ]
}

# The x87 unit's extra digits are refused, with a sentence.
refuses_x87() {
    log=$place/logs/x87
    if inside bookworm "rm -rf /dlviz/build-x87
        meson setup /dlviz/build-x87 --wrap-mode=nodownload $1 -Dc_args=-mfpmath=387" >"$log" 2>&1 ||
        ! grep -q 'ERROR: .*FLT_EVAL_METHOD' "$log"; then
        say "platforms.sh: i386: -mfpmath=387 is not refused as it should be; see $log"
        return 1
    fi
}

row() {
    printf '%-9s | %-31s | %-17s | %8s | %s\n' "$@" >>"$place/logs/table"
}

: >"$place/logs/table"
row platform compiler 'compiled' programs 'test cases'
failed=0
for platform in $chosen; do
    names=$tests
    case $platform in
    armhf | i386 | s390x) [ -n "$tests" ] || [ "$full" = yes ] || names=$common_tests ;;
    esac
    names=$(printf '%s' "$names" | tr '\n' ' ')
    cross="--cross-file /dlviz/source/tests/api"
    case $platform in
    trixie) try trixie trixie amd64 gcc '' "$names" ;;
    no-plots) try no-plots bookworm amd64 gcc -Dplots=disabled "$names" ;;
    arm64) try arm64 bookworm arm64 aarch64-linux-gnu-gcc "$cross/aarch64-linux-gnu.ini" "$names" ;;
    armhf) try armhf bookworm armhf arm-linux-gnueabihf-gcc "$cross/arm-linux-gnueabihf.ini" "$names" ;;
    i386)
        try i386 bookworm i386 i686-linux-gnu-gcc "$cross/i686-linux-gnu.ini" "$names" &&
            refuses_x87 "$cross/i686-linux-gnu.ini"
        ;;
    s390x) try s390x bookworm s390x s390x-linux-gnu-gcc "$cross/s390x-linux-gnu.ini" "$names" ;;
    esac || failed=$((failed + 1))
done
cat "$place/logs/table"
[ "$failed" -eq 0 ] || fail "$failed of the platforms failed"
