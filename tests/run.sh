#!/bin/sh
# tests/run.sh - builds everything and runs every test. Needs no terminal; installs what is missing.
set -eu

usage() {
    cat <<'EOF'
Usage: tests/run.sh [options] [name of a test ...]

Installs what is missing (Debian packages, MNIST; where npm is there ONNX Runtime and a browser), builds into a folder of its own and runs the tests.
The last line counts test cases: "N passed, N failed, N skipped". Exits with 0 if none failed.

  --asan       with AddressSanitizer and UndefinedBehaviorSanitizer
  --tsan       with ThreadSanitizer
  --valgrind   under valgrind's memcheck (slow)
  --debug      with assertions
  --hardened   with -Dhardening=true
  --clang      compiled with clang
  --suite S    only that suite: unit, kernels, gradient, parity, random, faults, api, examples, browser, ...
  --coverage   which lines of lib/ the Check programs reach, by room and function (GCC; tests/coverage)
  --mutants N  breaks N lines of lib/ that tests reach, one at a time, and looks whether a test notices; hours
  --random N   only the random cases, N of each kind; DLVIZ_TEST_SEED=S begins with seed S (1)
  --fuzz H     only the fuzz targets, for H hours in all (0.5: half an hour), with the sanitizers
  --faults F   only calls that fail, F `all` (hours) or `sample` (a minute); more in tests/faults/faults.py
  --analyze    only what GCC's -fanalyzer, clang-tidy and cppcheck say of lib/
  --list       lists the tests and ends

BUILD_DIR names the build folder (default: build-test, build-test-asan, ...); DLVIZ_DATA_DIR the one with
MNIST (fetched into ~/.cache/dlviz/mnist when there is none). Without options each fuzz target has
DLVIZ_FUZZ_SECONDS (20; 0: they are left out), where clang is there or can be installed.
EOF
}

cd -- "$(dirname -- "$0")/.."
# shellcheck source=examples/common.sh
. examples/common.sh

mode=plain mutants=0 compiler='' suite='' faults='' list=no hours='' everything=yes
[ $# -eq 0 ] || everything=no
while [ $# -gt 0 ]; do
    case $1 in
    --asan | --tsan | --valgrind | --debug | --hardened) mode=${1#--} ;;
    --coverage) mode=coverage ;;
    --mutants)
        [ $# -ge 2 ] || { usage >&2 && exit 2; }
        mode=mutants mutants=$2
        shift
        ;;
    --clang) compiler=clang ;;
    --suite)
        [ $# -ge 2 ] || { usage >&2 && exit 2; }
        suite=$2
        shift
        ;;
    --random)
        [ $# -ge 2 ] || { usage >&2 && exit 2; }
        suite=random DLVIZ_TEST_RANDOM=$2
        export DLVIZ_TEST_RANDOM
        shift
        ;;
    --fuzz)
        [ $# -ge 2 ] || { usage >&2 && exit 2; }
        hours=$2
        shift
        ;;
    --faults)
        [ $# -ge 2 ] || { usage >&2 && exit 2; }
        faults=$2
        shift
        ;;
    --analyze) mode=analyze ;;
    --list) list=yes ;;
    -h | --help) usage && exit ;;
    -*) say "run.sh: unknown option $1" && usage >&2 && exit 2 ;;
    *) break ;;
    esac
    shift
done

polite='' # what makes a command wait for others
# fuzz FOLDER SANITIZERS [options of run.py]: builds the fuzz targets there, and becomes what runs them.
fuzz() {
    folder=$1
    # What files do not reach is left out, and so is what speed would need: building is most of the work.
    [ -f "$folder/build.ninja" ] ||
        CC=clang meson setup "$folder" --wrap-mode=nodownload -Dfuzz=true "-Db_sanitize=$2" -Db_lundef=false \
            -Doptimization=1 -Dc_args=-gline-tables-only -Db_ndebug=false -Ddefault_library=static \
            -Dplots=disabled -Dmpi=disabled </dev/null || return
    shift 2
    $polite ninja -C "$folder" fuzz </dev/null && exec $polite python3 tests/fuzz/run.py "$folder" "$@" </dev/null
}

if [ "$mode" = analyze ]; then
    require_packages "$build_needs$test_needs
command clang-tidy clang-tidy
command cppcheck cppcheck"
    build=${BUILD_DIR:-build-analysis}
    [ -f "$build/build.ninja" ] ||
        meson setup "$build" --wrap-mode=nodownload -Dtests=disabled -Dexamples=false </dev/null
    exec python3 tests/analysis/analyze.py "$build" "$@"
fi

if [ -n "$hours" ]; then
    require_packages "$build_needs$test_needs$fuzz_needs"
    fuzz "${BUILD_DIR:-build-fuzz}" address,undefined --hours "$hours"
    exit 1
fi

needs=$build_needs$test_needs
if [ -n "$compiler" ]; then
    export CC=clang CXX=clang++
    needs="$needs
command clang clang"
fi
[ "$mode" != valgrind ] || needs="$needs
command valgrind valgrind"
require_packages "$needs"

if DLVIZ_DATA_DIR=$(sh examples/get_mnist.sh --no-substitute); then
    export DLVIZ_DATA_DIR
else
    unset DLVIZ_DATA_DIR
    say "The tests that need MNIST will skip."
fi

# Only for its comparison, which else skips.
if has npm && ! sh tests/onnx/get_onnxruntime.sh >/dev/null; then
    say "The comparison with ONNX Runtime will skip."
fi
# Only for the report's page in a browser, which else skips.
if has npm && ! sh tests/browser/get_browser.sh >/dev/null; then
    say "The report in a browser will skip."
fi

build=build-test${compiler:+-$compiler}
set_up=
# Benchmarks are no tests, and MPI's libraries do not get on with sanitizers.
slow='-Dbenchmarks=false -Dmpi=disabled'
case "$mode" in
asan | tsan | valgrind) # tenfold the time, at least
    export CK_TIMEOUT_MULTIPLIER="${CK_TIMEOUT_MULTIPLIER:-20}" DLVIZ_TEST_SECOND="${DLVIZ_TEST_SECOND:-20}"
    ;;
esac
case "$mode" in
asan)
    build="$build-asan"
    set_up="-Db_sanitize=address,undefined -Db_lundef=false -Doptimization=2 -Ddebug=true $slow"
    export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_stack_use_after_return=1:allocator_may_return_null=1}"
    export UBSAN_OPTIONS="${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}"
    ;;
debug)
    build="$build-debug"
    set_up="-Dbuildtype=debugoptimized -Db_ndebug=false"
    ;;
hardened)
    build="$build-hardened"
    set_up="-Dhardening=true"
    ;;
tsan)
    build="$build-tsan"
    set_up="-Db_sanitize=thread -Db_lundef=false -Doptimization=2 -Ddebug=true $slow"
    # OpenBLAS is not instrumented; a test that forks does so after threads have started.
    export TSAN_OPTIONS="${TSAN_OPTIONS:-ignore_noninstrumented_modules=1:halt_on_error=1:die_after_fork=0}"
    export CK_FORK=no
    ;;
valgrind)
    build="$build-valgrind"
    set_up="-Ddebug=true $slow"
    ;;
esac
build=${BUILD_DIR:-$build}

# A comma-decimal locale for the tests that look whether numbers keep their point.
prepare_locale() {
    locale -a 2>/dev/null | grep -qi '^de_DE\.utf-\{0,1\}8$' && return
    LOCPATH=$(cd "$build" && pwd)/locale
    mkdir -p "$LOCPATH"
    [ -d "$LOCPATH/de_DE.UTF-8" ] ||
        localedef -i de_DE -f UTF-8 "$LOCPATH/de_DE.UTF-8" >/dev/null 2>&1 || :
    export LOCPATH
}

# The Check programs alone, compiled for coverage or to be broken: make_programs FOLDER OPTIONS
make_programs() {
    folder=$1
    shift
    [ -f "$folder/build.ninja" ] || meson setup "$folder" --wrap-mode=nodownload -Dmpi=disabled -Dbenchmarks=false \
        -Ddefault_library=static -Doptimization=1 -Db_ndebug=true "$@" </dev/null
    # shellcheck disable=SC2046 # a list of programs
    ninja -C "$folder" $(ninja -C "$folder" -t targets all | sed -n 's/^\(tests\/test_[^:]*\): c_LINKER.*/\1/p') </dev/null
}

case "$mode" in
coverage | mutants)
    [ -z "$compiler" ] || fail "--$mode is for GCC"
    build='build-test-coverage' broken=${BUILD_DIR:-build-test-mutants}
    [ "$mode" = mutants ] || build=${BUILD_DIR:-$build}
    # Counters that threads share must not lose what one of them counts: gcov computes some from others.
    make_programs "$build" -Ddebug=true -Db_coverage=true -Dc_args=-fprofile-update=atomic
    [ "$mode" = coverage ] || make_programs "$broken" -Ddebug=false
    prepare_locale
    status=0
    python3 tests/coverage/coverage.py "$build" --tests "$(IFS=, && printf %s "$*")" || status=$?
    [ "$mode" = coverage ] || python3 tests/coverage/mutate.py "$broken" --coverage "$build" --mutants "$mutants" || status=$?
    exit "$status"
    ;;
esac

# shellcheck disable=SC2086 # a list of options
if [ ! -f "$build/build.ninja" ]; then
    meson setup "$build" --wrap-mode=nodownload $set_up </dev/null
fi
[ "$list" = no ] || { meson test -C "$build" --list && exit; }
ninja -C "$build" </dev/null
[ -z "$faults" ] || exec python3 tests/faults/faults.py "$build" --faults "$faults"
prepare_locale

# Most tests have one thread for most of their time.
set -- "$@" --no-rebuild --print-errorlogs --num-processes 2
[ -z "$suite" ] || set -- "$@" --suite "$suite"
# Libraries that are loaded before all others get in each other's way.
[ "$mode" = plain ] || set -- "$@" --no-suite faults
# Scripts skip there, see memcheck.sh.
[ "$mode" != valgrind ] || set -- "$@" --timeout-multiplier 20 --wrapper "$PWD/tests/support/memcheck.sh"
case "$mode" in asan | tsan) set -- "$@" --timeout-multiplier 10 ;; esac
# Any number of cases may take any time.
[ -z "${DLVIZ_TEST_RANDOM:-}" ] || set -- "$@" --timeout-multiplier 0

# The fuzz targets run beside the tests, which leave much of the processors idle.
fuzz_log='' fuzz_job=''
if [ "$everything" = yes ] && [ "${DLVIZ_FUZZ_SECONDS:=20}" != 0 ]; then
    fuzz_log=$build-fuzz/testlog.json
    missing=$(printf '%s\n' "$fuzz_needs" | missing_packages)
    mkdir -p "$build-fuzz"
    rm -f "$fuzz_log"
    # shellcheck disable=SC2086 # a list of words
    if [ -n "$missing" ] && ! install_packages $missing; then
        say "The fuzz targets are left out: these are missing and could not be installed: $missing"
        echo '{"name": "fuzz", "result": "SKIP", "stdout": "SKIP: the fuzz targets need clang"}' >"$fuzz_log"
    else
        trap 'kill $fuzz_job 2>/dev/null || :' EXIT
        polite='nice -n 19' && fuzz "$build-fuzz" address --jobs 1 --seconds "$DLVIZ_FUZZ_SECONDS" --log "$fuzz_log" \
            >"$build-fuzz/output.txt" 2>&1 &
        fuzz_job=$!
    fi
fi

status=0
rm -f "$build/meson-logs/testlog.json"
meson test -C "$build" "$@" </dev/null || status=$?
if [ -n "$fuzz_job" ]; then
    wait "$fuzz_job" || status=1
    trap - EXIT
    [ -f "$fuzz_log" ] || say "The fuzz targets could not be built."
    tail -n 100 "$build-fuzz/output.txt"
fi
python3 tests/support/count.py "$build/meson-logs/testlog.json" ${fuzz_log:+"$fuzz_log"} || status=1
exit $status
