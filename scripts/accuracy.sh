#!/usr/bin/env bash
# Trains LeNet-5 on MNIST and its modern form on Fashion-MNIST with default settings, and prints the rows of the README's table.
#
#   scripts/accuracy.sh DATA [RUNS]     DATA holds mnist/ and fashion-mnist/, four IDX files each; RUNS gets the run directories
#
# The accuracy is that of the last epoch. The best epoch would be chosen by the test images themselves.
set -euo pipefail
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
	echo "usage: scripts/accuracy.sh DATA [RUNS]; DATA is a folder with mnist/ and fashion-mnist/" >&2
	exit 2
fi
root=$(cd "$(dirname "$0")/.." && pwd)
data=$(realpath "$1")
runs=${2:-}
if [ -z "$runs" ]; then
	runs=$(mktemp -d)
	trap 'rm -rf "$runs"' EXIT
fi
mkdir -p "$runs"
for set in mnist fashion-mnist; do
	[ -d "$data/$set" ] || {
		echo "accuracy.sh: $data holds no folder $set, wanted the four IDX files of the set there" >&2
		exit 5
	}
done
(cd "$root" && go build -o bin/ ./cmd/cnnctl)

# row TITLE SET MODEL trains and prints a row: data, command, top-1 of the last epoch, seconds of training.
row() {
	local dir
	dir=$(mktemp -d "$runs/$2-XXXX")
	"$root/bin/cnnctl" train "$3" --data "$data/$2" --epochs 10 --project "$dir" >&2
	tail -1 "$dir/$3/results.csv" | awk -F, -v title="$1" -v command="cnnctl train $3 --data $2 --epochs 10" \
		'{ printf "| %s | `%s` | %.2f %% | %.0f s |\n", title, command, 100 * $4, $2 }'
}

echo "commit $(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown), $(go version | cut -d' ' -f3-4), $(getconf _NPROCESSORS_ONLN) processors," \
	"$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)"
echo "| data | command | test accuracy | time |"
echo "| --- | --- | --- | --- |"
row MNIST mnist lenet5
row Fashion-MNIST fashion-mnist lenet5_relu
