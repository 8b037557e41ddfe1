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
why=
case ${1##*/} in
test_small_stacks) why='it reads how far a stack was used, which is below where memcheck lets one read' ;;
test_limits) why='limits would be those of memcheck' ;;
esac
if [ -n "$why" ]; then
    echo "SKIP: $why"
    exit 77
fi
export DLVIZ_TEST_MEMCHECK=1
exec valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
    --suppressions="$(dirname -- "$0")/memcheck.supp" "$@"
