#!/bin/sh
# tests/support/memcheck.sh PROGRAM [argument ...] - runs one test under valgrind's memcheck, for `meson test --wrapper`.
# What scripts start is not watched, and looking at their interpreter tells nothing: they are left out.
set -eu
case ${1##*/} in
python* | node | sh)
    echo 'SKIP: a script, which memcheck does not look into'
    exit 77
    ;;
esac
exec valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
    --suppressions="$(dirname -- "$0")/memcheck.supp" "$@"
