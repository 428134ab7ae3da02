#!/usr/bin/env bash
# Fine-tunes SqueezeNet 1.1 by every strategy on two sets of photographs, and prints the table of the README.
#
#   scripts/transfer-table.sh DATA [RUNS]     DATA holds weights/, hymenoptera/ and flowers128/; RUNS gets the run directories, and a run
#                                             that has ended there is not repeated
#   scripts/transfer-table.sh -w DATA [RUNS]  also replaces the table between the markers of README.md
#
# One run each, seed 0, default settings but for what is said below the table. The accuracy is that of the last epoch: the best epoch would be
# chosen by the validation images themselves. Go's decoder reads the photographs, so that the table is the same where libjpeg-turbo is not installed. The
# features of the row "features" are computed anew.
set -euo pipefail
write=
if [ "${1:-}" = -w ]; then
	write=yes
	shift
fi
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
	echo "usage: scripts/transfer-table.sh [-w] DATA [RUNS]; DATA is a folder with weights/, hymenoptera/ and flowers128/" >&2
	exit 2
fi
root=$(cd "$(dirname "$0")/.." && pwd)
data=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
runs=${2:-$work/runs}
mkdir -p "$runs"
runs=$(realpath "$runs")
weights=$data/weights/squeezenet1_1_f16.safetensors
for place in "$weights" "$data/hymenoptera" "$data/flowers128"; do
	[ -e "$place" ] || {
		echo "transfer-table.sh: there is no $place" >&2
		exit 5
	}
done
(cd "$root" && go build -o "$work/" ./cmd/cnnctl)
export XDG_CACHE_HOME=$work/cache

# tune NAME SET FLAGS... trains in $runs/NAME.
tune() {
	local name=$1 set=$2
	shift 2
	[ -e "$runs/$name/confusion_matrix.csv" ] && return
	rm -rf "${runs:?}/$name"
	local flags=(--data "$data/$set" --weights "$weights" --preprocess caffe --jpeg go --project "$runs" --name "$name" --quiet)
	[ "$set" = flowers128 ] && flags+=(--image-size 128 --epochs 3)
	"$work/cnnctl" finetune squeezenet1_1 "${flags[@]}" "$@" >&2
}

# top1 NAME prints the accuracy after the last epoch.
top1() { awk -F, 'END { printf("%.1f %%", 100 * $4) }' "$runs/$1/results.csv"; }

table() {
	echo "| strategy | hymenoptera | flowers128 |"
	echo "| --- | --- | --- |"
	local strategy
	for strategy in head "head --no-aug" features last:3 gradual full scratch; do
		local id=${strategy//[^a-z0-9]/} set
		for set in hymenoptera flowers128; do
			tune "$set-$id" "$set" --strategy $strategy # split on purpose: a strategy and perhaps a flag
		done
		echo "| \`$strategy\` | $(top1 "hymenoptera-$id") | $(top1 "flowers128-$id") |"
	done
	local chosen=()
	for set in hymenoptera flowers128; do
		tune "$set-auto" "$set" --strategy auto --epochs 0
		chosen+=("$(sed -n 's/^strategy: //p' "$runs/$set-auto/args.yaml")")
	done
	echo "| \`auto\` | chooses \`${chosen[0]}\` | chooses \`${chosen[1]}\` |"
	echo
	echo "SqueezeNet 1.1 with ImageNet weights, one run each (seed 0), validation accuracy after the last epoch: hymenoptera 245 + 153 photographs at" \
		"227 pixels for 10 epochs, flowers128 3,670 + 647 at 128 pixels for 3."
}

table | tee "$work/table.md"
if [ -n "$write" ]; then
	awk -v table="$work/table.md" '/<!-- transfer-table -->/ { print; while ((getline line < table) > 0) print line; skip = 1 }
		/<!-- \/transfer-table -->/ { skip = 0 } !skip { print }' "$root/README.md" >"$work/README.md"
	cat "$work/README.md" >"$root/README.md"
fi
