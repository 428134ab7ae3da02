#!/usr/bin/env bash
# Runs the tour of the README in an empty folder, prints what to paste there, and renews docs/images/results.png.
#
#   scripts/readme-run.sh >tour.txt
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$root" && go build -o "$work/bin/" ./cmd/cnnctl)
PATH=$work/bin:$PATH
mkdir "$work/tour"
cd "$work/tour"
cp "$root/docs/images/seven.png" .

tour() {
	echo "\$ $*"
	"$@" 2>&1 # not a terminal: plain lines
	echo
}

tour cnnctl train lenet5
tour cnnctl eval --run runs/train/lenet5
tour cnnctl predict --run runs/train/lenet5 seven.png --topk 3
tour cnnctl summary lenet5
cp runs/train/lenet5/results.png "$root/docs/images/results.png"
