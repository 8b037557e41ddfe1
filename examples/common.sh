# shellcheck shell=sh
# examples/common.sh - read by examples/reproduce.sh, examples/get_mnist.sh and tests/run.sh.

# Cron jobs and containers may leave these out.
PATH=${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}
if [ -z "${HOME:-}" ]; then
    HOME=$(getent passwd "$(id -u)" 2>/dev/null | cut -d: -f6) || HOME=
    HOME=${HOME:-/tmp}
fi
export PATH HOME

say() {
    printf '%s\n' "$*" >&2
}

fail() {
    say "${0##*/}: $*"
    exit 1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# Prints those Debian packages of the list on stdin whose purpose is not met yet. A line is
#     command NAME PACKAGE   a program on the PATH
#     library NAME PACKAGE   a pkg-config module
#     file PATH PACKAGE      a file
#     fuzzer NAME PACKAGE    a compiler that has libFuzzer
missing_packages() {
    while read -r kind name package; do
        case $kind in
        command) has "$name" ;;
        library) has pkg-config && pkg-config --exists "$name" ;;
        file) [ -e "$name" ] ;;
        fuzzer)
            has "$name" && echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' |
                "$name" -fsanitize=fuzzer -x c -o /dev/null - >/dev/null 2>&1
            ;;
        *) continue ;;
        esac || printf '%s ' "$package"
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif ! has sudo; then
        return 127
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
        -o Dpkg::Use-Pty=0 -qq -y \
        --no-install-recommends install "$@" </dev/null >&2
}

# Installs the packages given; the lists are brought up to date when the first attempt fails.
install_packages() {
    has apt-get || return 1
    say "Installing $*"
    apt_install "$@" && return
    as_root apt-get -o DPkg::Lock::Timeout=300 -qq update </dev/null >&2
    apt_install "$@"
}

# What a build needs.
# shellcheck disable=SC2034 # used by the scripts that read this one
build_needs='
command cc build-essential
command c++ build-essential
command meson meson
command ninja ninja-build
command pkg-config pkg-config
library openblas libopenblas-dev
library lapacke liblapacke-dev
library zlib zlib1g-dev
library jansson libjansson-dev
library libpng libpng-dev
library libjpeg libjpeg62-turbo-dev
library cairo libcairo2-dev
library pangocairo libpango1.0-dev'
# What only the tests need: Debian's openblas.pc names gfortran's library for static linking.
# shellcheck disable=SC2034
test_needs='
library check check
library ompi-c libopenmpi-dev
command mpiexec.openmpi openmpi-bin
library mpich libmpich-dev
command mpiexec.mpich mpich
command gfortran gfortran
file /usr/share/i18n/locales/de_DE locales'

# What the fuzz targets need besides.
# shellcheck disable=SC2034
fuzz_needs='
command clang clang
fuzzer clang libclang-rt-dev'

# require_packages LIST: installs what is missing of the list, or says what is and ends.
require_packages() {
    missing=$(printf '%s\n' "$1" | missing_packages)
    [ -z "$missing" ] && return
    # shellcheck disable=SC2086 # a list of words
    install_packages $missing || :
    missing=$(printf '%s\n' "$1" | missing_packages)
    [ -z "$missing" ] || fail "these are missing and could not be installed: $missing
On Debian, as root: apt-get install $missing"
}

# Removes what was set aside when the script ends, however it ends.
scratch=
remove_scratch() {
    [ -z "$scratch" ] || rm -rf -- "$scratch"
}
