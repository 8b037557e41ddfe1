#!/bin/sh
# examples/reproduce.sh - from nothing to the report's three experiments and their figures.
set -eu

# The epochs of the short version, about four minutes on two cores; it uses all images. --full takes the
# report's own: 1, 20 and 23.
SHORT_EPOCHS_LR1E6=1
SHORT_EPOCHS_LR1E3=3
SHORT_EPOCHS_ADAPTIVE=4
SHORT_TRAIN_LIMIT=
SHORT_TEST_LIMIT=

usage() {
    cat <<EOF
Usage: examples/reproduce.sh [options] [-- options for the programs]

Installs what is missing, fetches MNIST, builds the library and runs the three experiments: learning
rate 1e-6 for 1 epoch, 1e-3 for 20 epochs, and an adaptive rate for 23 epochs.

  --full            all epochs on all images (default: a short version of some minutes)
  --data DIR        the folder with MNIST's four IDX files, plain or .gz
  --out DIR         results, one folder an experiment (default: report)
  --epochs N        epochs of each experiment
  --threads N       threads (default: one a processor)
  --train-limit N   only the first N training images
  --test-limit N    only the first N test images
  -h, --help        this text

What follows -- is handed to the three programs as it is. BUILD_DIR names the build folder (default: build).
EOF
}

wrong_usage() {
    printf 'reproduce.sh: %s\n' "$1" >&2
    usage >&2
    exit 2
}

full=no data='' out='' epochs='' train_limit='' test_limit='' threads=''
while [ $# -gt 0 ]; do
    name=${1%%=*}
    case $1 in
    --full)
        full=yes
        shift
        continue
        ;;
    -h | --help) usage && exit ;;
    --)
        shift
        break
        ;;
    --data=* | --out=* | --epochs=* | --train-limit=* | --test-limit=* | --threads=*) value=${1#*=} ;;
    --data | --out | --epochs | --train-limit | --test-limit | --threads)
        [ $# -ge 2 ] || wrong_usage "$1 needs a value"
        value=$2
        shift
        ;;
    *) wrong_usage "unknown option $1" ;;
    esac
    shift
    [ -n "$value" ] || wrong_usage "$name needs a value"
    case $name in
    --data) data=$value ;;
    --out) out=$value ;;
    *)
        case $value in
        0* | *[!0-9]*) wrong_usage "$name $value: a number from 1 up is needed" ;;
        esac
        ;;
    esac
    case $name in
    --epochs) epochs=$value ;;
    --train-limit) train_limit=$value ;;
    --test-limit) test_limit=$value ;;
    --threads) threads=$value ;;
    esac
done

# Folders are the caller's, seen from where the caller stands.
absolute() {
    case $1 in /*) printf '%s\n' "$1" ;; *) printf '%s/%s\n' "$(pwd)" "$1" ;; esac
}
[ -z "$data" ] || data=$(absolute "$data")
[ -z "$out" ] || out=$(absolute "$out")

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd -- "$root"
# shellcheck source=examples/common.sh
. examples/common.sh
out=${out:-$root/report}
build=${BUILD_DIR:-build}

if [ "$full" = no ]; then
    train_limit=${train_limit:-$SHORT_TRAIN_LIMIT}
    test_limit=${test_limit:-$SHORT_TEST_LIMIT}
fi

require_packages "$build_needs"
data=$(sh examples/get_mnist.sh ${data:+"$data"})
say "Data: $data"

if [ ! -f "$build/build.ninja" ]; then
    meson setup "$build" --buildtype=release --wrap-mode=nodownload -Dtests=disabled -Dbenchmarks=false \
        </dev/null >&2
fi
ninja -C "$build" </dev/null >&2

# summary_value FILE KEY...: the number at that path of a JSON file, or "-".
summary_value() {
    python3 - "$@" 2>/dev/null <<'EOF' || printf '%s\n' -
import json, sys
value = json.load(open(sys.argv[1], encoding="utf-8"))
for key in sys.argv[2:]:
    value = value[key]
print(value)
EOF
}

rows=
# experiment NAME SHORT_EPOCHS [options]
experiment() {
    name=$1 short_epochs=$2
    shift 2
    [ "$full" = yes ] || set -- --epochs "$short_epochs" "$@"
    set -- --data "$data" --out "$out/$name" "$@"
    [ -z "$epochs" ] || set -- "$@" --epochs "$epochs"
    [ -z "$train_limit" ] || set -- "$@" --train-limit "$train_limit"
    [ -z "$test_limit" ] || set -- "$@" --test-limit "$test_limit"
    [ -z "$threads" ] || set -- "$@" --threads "$threads"
    say "" "== $name"
    mkdir -p -- "$out/$name"
    started=$(date +%s)
    status=0
    "$build/examples/report_$name" "$@" </dev/null || status=$?
    if [ $status -ne 0 ]; then
        say "report_$name ended with status $status; its output lies in $out/$name"
        exit $status
    fi
    seconds=$(($(date +%s) - started))
    rows="$rows$(printf '%-18s %8s %8s  %s' "$name" "$(accuracy "$out/$name/summary.json")" "$seconds" \
        "$out/$name")
"
}

accuracy() {
    value=$(summary_value "$1" test accuracy)
    case $value in
    -) printf '%s' - ;;
    *) LC_ALL=C awk -v value="$value" 'BEGIN { printf "%.2f %%", 100 * value }' ;;
    esac
}

experiment lr1e-6_1epoch $SHORT_EPOCHS_LR1E6 "$@"
experiment lr1e-3_20epochs $SHORT_EPOCHS_LR1E3 "$@"
experiment adaptive_23epochs $SHORT_EPOCHS_ADAPTIVE "$@"

printf '\n%-18s %8s %8s  %s\n%s' experiment accuracy seconds figures "$rows"
if [ "$full" = no ]; then
    printf '\nThis was the short version; %s --full does what the report did.\n' "$0"
fi
