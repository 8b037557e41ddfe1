#!/bin/sh
# examples/reproduce.sh - from nothing to the report's three experiments and the page that compares them.
set -eu

# The short version, some minutes on two cores, trains for all of the report's epochs, 1, 20 and 23, but the
# second and the third experiment on fewer images: so the adaptive rate falls several times, and the two
# differ. All test images are used. --full takes all images.
SHORT_TRAIN_LIMIT=8000

usage() {
    cat <<EOF
Usage: examples/reproduce.sh [options] [-- options for the programs]

Installs what is missing, fetches MNIST, builds the library, runs the three experiments (learning rate
1e-6 for 1 epoch, 1e-3 for 20 epochs, and an adaptive rate for 23 epochs) and writes a page that shows and
compares what they learned: index.html.

  --full            all images (default: a short version of some minutes, in which the second and the third
                    experiment take the first $SHORT_TRAIN_LIMIT of 60,000)
  --data DIR        the folder with MNIST's four IDX files, plain or .gz
  --out DIR         results, one folder an experiment (default: report/short, or report/full); an earlier
                    run's are replaced in the default folders, and elsewhere with -- --force
  --epochs N        epochs of each experiment
  --threads N       threads (default: one a processor)
  --train-limit N   only the first N training images
  --test-limit N    only the first N test images
  -h, --help        this text

What follows -- is handed to the three programs as it is. BUILD_DIR names the build folder, seen from where
you stand (default: build beside examples).
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
[ -z "${BUILD_DIR:-}" ] || BUILD_DIR=$(absolute "$BUILD_DIR")

# Behind --, these would be of all three experiments in one folder, or lose to what the script sets.
# The programs take options by their beginnings too.
may_replace=no
for word; do
    name=${word%%=*}
    [ "$name" != -h ] || name=--help
    case $name in --?*) ;; *) continue ;; esac
    for option in --full --data --out --epochs --train-limit --test-limit --threads; do
        case $option in "$name"*) wrong_usage "$name is an option of this script's: before --" ;; esac
    done
    for option in --help --version; do
        case $option in "$name"*) wrong_usage "$name: the programs would run no experiment" ;; esac
    done
    for option in --force --resume; do
        case $option in "$name"*) may_replace=yes ;; esac # the page of all three too
    done
done

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd -- "$root"
# shellcheck source=examples/common.sh
. examples/common.sh
build=${BUILD_DIR:-build}

# The script's own folders hold nothing but what it has written.
force=''
if [ -z "$out" ]; then
    out=$root/report/short
    [ "$full" = no ] || out=$root/report/full
    force=--force
    [ ! -e "$out" ] || say "An earlier run's results in $out are replaced."
elif [ $may_replace = no ] && [ -e "$out/index.html" ]; then
    fail "'$out/index.html' is there already; -- --force replaces it"
fi

require_packages "$build_needs"
data=$(sh examples/get_mnist.sh ${data:+"$data"})
say "Data: $data"
trained="the second and the third experiment" lasting="all epochs"
[ -z "$train_limit" ] || trained="the experiments"
[ -z "$epochs" ] || lasting="epochs of each experiment: $epochs"
[ "$full" = yes ] || say "The short version: $lasting, and of 60,000 images $trained take the
first ${train_limit:-$SHORT_TRAIN_LIMIT}; --full takes all."

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

# percent FILE KEY...: that number, a share, as a percentage.
percent() {
    value=$(summary_value "$@")
    case $value in
    - | None) printf '%s' - ;;
    *) LC_ALL=C awk -v value="$value" 'BEGIN { printf "%.2f %%", 100 * value }' ;;
    esac
}

rows=
# experiment NAME [options]
experiment() {
    name=$1
    shift
    set -- --data "$data" --out "$out/$name" ${force:+"$force"} "$@"
    [ -z "$epochs" ] || set -- "$@" --epochs "$epochs"
    if [ -n "${train_limit:-$short_limit}" ]; then
        set -- "$@" --train-limit "${train_limit:-$short_limit}"
    fi
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
    summary=$out/$name/summary.json
    rows="$rows$(printf '%-18s %9s %9s %9s %9s %8s' "$name" "$(percent "$summary" test accuracy)" \
        "$(percent "$summary" tsne quality neighbor_accuracy)" "$(percent "$summary" tsne untrained neighbor_accuracy)" \
        "$(percent "$summary" tsne pixels neighbor_accuracy)" "$seconds")
"
}

short_limit=''
experiment lr1e-6_1epoch "$@"
rm -f -- "$out/index.html" # of an earlier run, whose pages are being replaced
[ "$full" = yes ] || short_limit=$SHORT_TRAIN_LIMIT
experiment lr1e-3_20epochs "$@"
experiment adaptive_23epochs "$@"
"$build/examples/dlviz-compare" --quiet "$out/index.html" "$out/lr1e-6_1epoch/report.html" \
    "$out/lr1e-3_20epochs/report.html" "$out/adaptive_23epochs/report.html"

printf '\n%-18s %9s %9s %9s %9s %8s\n%s' experiment accuracy 'map' untrained pixels seconds "$rows"
printf '\naccuracy is that of the test images; map, untrained and pixels are the shares of them whose neighbors in a
t-SNE map are of the right class: of the features, of those before the training, and of the pixels themselves.\n'
if [ "$full" = no ]; then
    printf 'This was the short version: %s, and %s saw the first %s images; %s --full does
what the report did.\n' "$lasting" "$trained" "${train_limit:-$SHORT_TRAIN_LIMIT}" "$0"
fi
printf '\nThe experiments side by side, in any browser:\n  %s\n' "$out/index.html"
