#!/bin/sh
# tests/support/memcheck.sh PROGRAM [argument ...] - runs one test under valgrind's memcheck, for `meson test --wrapper`.
# Looking at an interpreter tells nothing. The test of the example programs runs each of them by way of this script, what
# other scripts start is not watched: they are left out.
set -eu
case ${1##*/} in
python* | node | sh)
    case ${2:-} in
    */examples/test_programs.py) exec "$@" --through "$0" ;;
    esac
    echo 'SKIP: a script, which memcheck does not look into'
    exit 77
    ;;
esac
case ${1##*/} in
test_small_stacks)
    echo 'SKIP: it reads how far a stack was used, which is below where memcheck lets one read'
    exit 77
    ;;
test_limits)
    echo 'SKIP: limits would be those of memcheck'
    exit 77
    ;;
esac
export DLVIZ_TEST_MEMCHECK=1
exec valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
    --suppressions="$(dirname -- "$0")/memcheck.supp" "$@"
