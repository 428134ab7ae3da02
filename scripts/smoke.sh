#!/usr/bin/env bash
# Runs the real program the way a person does: train, stop, continue, evaluate, predict, and misuse it. Takes about a minute.
#
#   scripts/smoke.sh [BINARY]     bin/cnnctl if it is not given
#
# It needs no data set and leaves nothing behind.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
bin=$(realpath "${1:-$root/bin/cnnctl}")
work=$(mktemp -d)
pid=
trap 'if [ -n "$pid" ]; then kill -KILL "$pid" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
cd "$work"

fail() {
	echo "smoke: $*" >&2
	sed 's/^/  /' err.txt >&2
	exit 1
}

# expect CODE ARGUMENT... runs the program and checks its exit code. Output is left in out.txt and err.txt.
expect() {
	local want=$1 got=0
	shift
	echo "smoke: cnnctl $* -> $want"
	"$bin" "$@" >out.txt 2>err.txt || got=$?
	[ "$got" -eq "$want" ] || fail "cnnctl $*: exit code $got, wanted $want"
	if grep -q '^goroutine ' err.txt; then fail "cnnctl $*: a trace, wanted a sentence"; fi
	if [ "$want" -ne 0 ] && [ ! -s err.txt ]; then fail "cnnctl $*: no reason on standard error"; fi
}

# holds FILE PATTERN checks that a line of the file matches.
holds() {
	grep -Eq -- "$2" "$1" || {
		cat "$1" >&2
		fail "$1: no line matches $2"
	}
}

# What a first day looks like.
expect 0 models
holds out.txt '^vgg16 +138,357,544 '
expect 0 devices
holds out.txt '^cpu '
expect 0 summary lenet5
holds out.txt 'parameters +61,706'
expect 0 train lenet5 --epochs 1 --project whole
holds err.txt '^Done: '
for f in args.yaml results.csv results.png confusion_matrix.png confusion_matrix.csv train_batch0.jpg val_pred.jpg events.jsonl \
	weights/best.safetensors weights/last.safetensors; do
	[ -s "whole/lenet5/$f" ] || fail "the run left no $f"
done
expect 0 eval --run whole/lenet5 --project eval
holds out.txt 'top-1 +9[0-9]\.'
expect 0 predict --run whole/lenet5 "$root/docs/images/seven.png" --topk 3
holds out.txt ' 7$'
expect 0 inspect whole/lenet5/weights/best.safetensors --verify
holds out.txt '^conv1\.weight +F32 +\[6 1 5 5\]'

# A run that is stopped and continued ends with the same bytes as one that was not.
echo "smoke: cnnctl train lenet5, stopped by SIGTERM -> 143"
"$bin" train lenet5 --epochs 1 --project broken >out.txt 2>err.txt &
pid=$!
for _ in $(seq 600); do
	if grep -qs '"event":"start"' broken/lenet5/events.jsonl; then break; fi
	sleep 0.1
done
sleep 0.1
kill -TERM "$pid" || fail "the run ended before it could be stopped"
got=0
wait "$pid" || got=$?
pid=
[ "$got" -eq 143 ] || fail "a run stopped by SIGTERM: exit code $got, wanted 143"
expect 0 train --resume broken/lenet5
cmp whole/lenet5/weights/last.safetensors broken/lenet5/weights/last.safetensors || fail "the continued run differs from the whole one"

expect 0 train --resume whole/lenet5 --epochs 2
[ "$(wc -l <whole/lenet5/results.csv)" -eq 3 ] || fail "results.csv after a second epoch: wanted a heading and two rows"

# Misuse, one of each exit code.
mkdir empty cut
for part in train t10k; do # IDX headers that promise ten images, and three bytes of them
	printf '\0\0\010\003\0\0\0\012\0\0\0\034\0\0\0\034abc' >"cut/$part-images-idx3-ubyte"
	printf '\0\0\010\001\0\0\0\0120123456789' >"cut/$part-labels-idx1-ubyte"
done
expect 2 train lenet99
expect 2 train lenet5 --no-such-flag
expect 2 train lenet5 --lr -1
expect 3 train lenet5 --data empty
expect 3 train lenet5 --data cut
holds err.txt 'cut/train-images-idx3-ubyte'
expect 3 predict --run whole/lenet5 whole/lenet5/args.yaml
expect 4 train --resume empty
expect 4 eval --run whole/none
expect 3 predict --run whole/lenet5 none.png
expect 5 train lenet5 --project /proc/none
expect 6 train lenet5 --device cuda:99
expect 7 train lenet5_relu --lr 1e6 --warmup-epochs 0 --epochs 1
echo "smoke: all as expected"
