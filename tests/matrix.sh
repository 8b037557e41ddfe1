#!/bin/sh
# tests/matrix.sh - the whole suite in every build that tells something of its own.
set -u

usage() {
    cat <<'EOF'
Usage: tests/matrix.sh [variant ...]

Runs the whole suite, example programs included, in each of these builds, one after another, and prints a table; that takes
hours. The output of each is in build-matrix/<variant>.txt. Exits with 0 if no case failed.

  debug          with assertions
  asan           AddressSanitizer and UndefinedBehaviorSanitizer
  tsan           ThreadSanitizer
  valgrind       memcheck
  hardened       -Dhardening=true
  clang, clang-debug, clang-asan, clang-tsan
                 the same compiled with clang
EOF
}

case "${1:-}" in -h | --help) usage && exit ;; esac
cd -- "$(dirname -- "$0")/.."
[ $# -gt 0 ] || set -- debug asan tsan valgrind hardened clang clang-debug clang-asan clang-tsan

mkdir -p build-matrix
table=
failed=0
for variant in "$@"; do
    options=
    case $variant in clang*) options=--clang ;; esac
    case $variant in
    clang | debug | asan | tsan | valgrind | hardened | clang-debug | clang-asan | clang-tsan) ;;
    *) printf 'matrix.sh: there is no variant %s\n' "$variant" >&2 && usage >&2 && exit 2 ;;
    esac
    case ${variant#clang-} in clang) ;; *) options="$options --${variant#clang-}" ;; esac
    start=$(date +%s)
    # shellcheck disable=SC2086 # a list of options
    ./tests/run.sh $options >"build-matrix/$variant.txt" 2>&1
    status=$?
    [ $status -eq 0 ] || failed=1
    line=$(printf '%-12s %-44s %5d min' "$variant" "$(tail -n 1 "build-matrix/$variant.txt")" $((($(date +%s) - start) / 60)))
    printf '%s\n' "$line"
    table="$table$line
"
done
printf '\n%s' "$table"
exit $failed
