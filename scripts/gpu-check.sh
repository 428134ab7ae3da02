#!/usr/bin/env bash
# Everything that needs a GPU, in one command of less than nine minutes: correctness first, then the sanitizer, then speed, beside PyTorch where that
# is installed. It needs neither Go nor a network, but what `make gpu-bundle` has built, in whose folder it runs:
#
#   tar xJf gpu-bundle.tar.xz && gpu-bundle/scripts/gpu-check.sh
#
#   --out DIR       where results go (default: results, in the bundle); report.md there is what docs/benchmarks keeps
#   --driver LIB    the CUDA driver (default: libcuda.so.1). With the emulated one this is a rehearsal: all steps, on the smallest sizes
#   --only NAMES    some steps, comma-separated: devices,tests,sanitizer,lenet,speed,torch
#
# A step that fails does not keep the next from running; the exit code is 1 if any has.
set -uo pipefail
bundle=$(cd "$(dirname "$0")/.." && pwd)
out=$bundle/results driver=libcuda.so.1 only=devices,tests,sanitizer,lenet,speed,torch

usage() {
	sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" | sed '$d'
	exit 2
}

while [ $# -gt 0 ]; do
	[ $# -gt 1 ] || usage
	case $1 in
	--out) out=$2 ;;
	--driver) driver=$2 ;;
	--only) only=$2 ;;
	*) usage ;;
	esac
	shift 2
done
mkdir -p "$out"
out=$(cd "$out" && pwd)
case $driver in */*) driver=$(realpath "$driver") ;; esac
export CNNCTL_CUDA_DRIVER=$driver
cnnctl=$bundle/bin/cnnctl
[ -x "$cnnctl" ] || {
	echo "gpu-check: there is no $cnnctl: this script runs in what make gpu-bundle has built" >&2
	exit 2
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=()
budget=530 # seconds for everything; a step gets what is left at most

# Sizes of the real thing, and of the rehearsal.
rehearsal=no
models=(alexnet:128 vgg16:64 resnet18:128 mobilenet_v2:128)
layers=(alexnet:128 vgg16:64)
steps='3 20' # to warm up, to count
rounds=20
lenet_flags=(--epochs 5)
case $driver in *emu*)
	rehearsal=yes
	models=(lenet5:2) layers=(lenet5:2)
	steps='1 1' rounds=1
	;;
esac

# step NAME SECONDS COMMAND... runs a command with a time limit and keeps its output in NAME.txt.
step() {
	local name=$1 limit=$2 code=0 begin=$SECONDS left=$((budget - SECONDS))
	shift 2
	if [ $left -lt 5 ]; then
		failed+=("$name") && echo "FAILED  $name: not begun, the time is up"
		return
	fi
	limit=$((limit < left ? limit : left))
	timeout --kill-after=5 "$limit" "$@" >"$out/$name.txt" 2>&1 || code=$?
	case $code in
	0) echo "ok      $name ($((SECONDS - begin))s)" ;;
	124 | 137) failed+=("$name") && echo "FAILED  $name: not done after ${limit}s" ;;
	*) failed+=("$name") && echo "FAILED  $name (exit code $code): $(grep -vE '^(=== |PASS|\s*$)' "$out/$name.txt" | tail -1)" ;;
	esac
}

wanted() { [[ ,$only, == *,$1,* ]]; }

# tests PACKAGE PATTERN SECONDS runs a test binary where its package's files are.
tests() {
	local name=${1//\//-}
	step "test-$name" "$3" env -C "$bundle/$1" "./$(basename "$1").test" -test.run "$2" -test.v -test.timeout "${3}s"
	grep -c '^ *--- PASS' "$out/test-$name.txt" | sed 's/^/          passed: /'
	grep -E '^ *--- FAIL' "$out/test-$name.txt" | head -5
}

# images FILE COUNT and labels FILE COUNT write IDX files. What the pictures show does not matter to the sanitizer: they are bytes of the program itself.
images() {
	printf '\0\0\10\3\0\0\0%b\0\0\0\34\0\0\0\34' "\\x$(printf %x "$2")" >"$1"
	head -c $((784 * $2)) "$cnnctl" >>"$1"
}
labels() {
	printf '\0\0\10\1\0\0\0%b' "\\x$(printf %x "$2")" >"$1"
	for ((i = 0; i < $2; i++)); do printf '%b' "\\x$((i % 10))"; done >>"$1"
}

tiny_data() {
	mkdir -p "$work/tiny"
	images "$work/tiny/train-images-idx3-ubyte" 16 && labels "$work/tiny/train-labels-idx1-ubyte" 16
	images "$work/tiny/t10k-images-idx3-ubyte" 10 && labels "$work/tiny/t10k-labels-idx1-ubyte" 10
}

# train NAME ARGUMENT... is a small training that leaves nothing behind but its output.
train() {
	local name=$1
	shift
	"$@" "$cnnctl" train lenet5_relu --data "$work/tiny" --device cuda --epochs 1 -b 8 --project "$work/$name" --precision "$precision"
}

sanitize() {
	local tool=$1
	tiny_data
	for precision in fp32 tf32 bf16; do
		if [ $rehearsal = yes ]; then # the emulated driver is a sanitizer itself
			train "$tool-$precision" env || return
		else
			train "$tool-$precision" compute-sanitizer --tool "$tool" --error-exitcode 9 || return
		fi
	done
}

# lenet trains LeNet-5 on the embedded digits in each precision and wants 98.5 %.
lenet() {
	local data=digits want=98.5
	if [ $rehearsal = yes ]; then
		tiny_data
		data=$work/tiny want=0 lenet_flags=(--epochs 1 -b 8)
	fi
	for precision in fp32 tf32 bf16; do
		"$cnnctl" train lenet5 --data "$data" --device cuda --precision "$precision" --project "$work/lenet" --name "$precision" "${lenet_flags[@]}" -q || return
		awk -F, -v want="$want" -v precision="$precision" '
			NR == 1 { for (i = 1; i <= NF; i++) if ($i ~ /top1$/) column = i }
			END { top1 = 100 * $column; printf "%s: %.2f %% top-1, wanted %.1f %%\n", precision, top1, want; exit !(column && top1 >= want) }
		' "$work/lenet/$precision/results.csv" || return
	done
}

# speed ROUND measures our side: training steps, and in the first round each call. What it keeps has the form of scripts/gpu-torch.py's lines.
speed() {
	for precision in fp32 tf32 bf16; do
		for m in "${models[@]}"; do
			local model=${m%:*} n=${m#*:} times
			times=$(tr ' ' '\n' <<<"$steps" | "$cnnctl" bench train "$model" -b "$n" --device cuda --precision "$precision" --paced | tail -1) || return
			echo "$model $n $precision $times" >>"$out/cnnctl-steps.txt"
		done
		[ "$1" = 1 ] || continue
		for m in "${layers[@]}"; do
			local model=${m%:*} n=${m#*:}
			"$cnnctl" bench ops "$model" -b "$n" --device cuda --precision "$precision" --rounds "$rounds" --csv |
				awk -F, -v id="$model $n $precision" 'NR > 1 && $3 ~ /^Conv/ { print id, $1, $3, $4, $5 }' >>"$out/cnnctl-calls.txt" || return
		done
	done
}

# torch ROUND measures the same in PyTorch.
torch() {
	for precision in fp32 tf32 bf16; do
		for m in "${models[@]}"; do
			python3 "$bundle/scripts/gpu-torch.py" step "${m%:*}" "${m#*:}" "$precision" >>"$out/torch-steps.txt" || return
		done
		[ "$1" = 1 ] || continue
		for m in "${layers[@]}"; do
			python3 "$bundle/scripts/gpu-torch.py" convs "${m%:*}" "${m#*:}" "$precision" >>"$out/torch-calls.txt" || return
		done
	done
}

describe() {
	cat "$bundle/COMMIT"
	"$cnnctl" devices
	nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit --format=csv 2>/dev/null || echo "nvidia-smi: not here"
}

export -f images labels tiny_data train sanitize lenet speed torch describe
run() { # NAME SECONDS FUNCTION ARGUMENT...: step for a function of this script
	local name=$1 limit=$2
	shift 2
	step "$name" "$limit" bash -c "set -o pipefail; $(declare -p bundle out cnnctl work rehearsal models layers steps rounds lenet_flags); $*"
}

rm -f "$out"/{cnnctl,torch}-{steps,calls}.txt
if wanted devices; then run devices 30 describe && cat "$out/devices.txt"; fi
if wanted tests; then
	if [ $rehearsal = yes ]; then # the suite itself runs there without this script
		tests gpu 'TestTransfers|TestCapture|TestArgumentsAreChecked' 60
		tests zoo 'CUDA/none' 40
		tests cmd/cnnctl TestTrainOnCUDA 40
	else
		tests gpu . 120
		tests zoo CUDA 40
		tests cmd/cnnctl CUDA 40
	fi
fi
if wanted sanitizer; then
	for tool in memcheck racecheck synccheck; do
		if [ $rehearsal = yes ] || command -v compute-sanitizer >/dev/null; then
			run "sanitizer-$tool" 45 sanitize "$tool"
		else
			echo "skipped sanitizer-$tool: compute-sanitizer is not on the PATH"
		fi
	done
fi
if wanted lenet; then run lenet 60 lenet && cat "$out/lenet.txt"; fi
if wanted speed || wanted torch; then
	torch_here=no
	if wanted torch && [ $rehearsal = no ]; then
		if python3 -c 'import torch, torchvision; assert torch.cuda.is_available()' 2>/dev/null; then torch_here=yes; else echo "skipped torch: PyTorch with CUDA is not here"; fi
	fi
	for round in 1 2; do # in turn, so that a clock that falls does so for both
		if wanted speed; then run "speed-$round" 60 speed $round; fi
		if [ $torch_here = yes ]; then run "torch-$round" 120 torch $round; fi
	done
	if command -v python3 >/dev/null; then
		step report 20 python3 "$bundle/scripts/gpu-report.py" "$out"
		cat "$out/report.txt"
	else
		echo "skipped report: there is no python3; the figures are in $out/cnnctl-*.txt and torch-*.txt"
	fi
fi

echo
if [ ${#failed[@]} -gt 0 ]; then
	echo "gpu-check: ${#failed[@]} failed after ${SECONDS}s: ${failed[*]}; their output is in $out"
	exit 1
fi
echo "gpu-check: all passed in ${SECONDS}s$([ $rehearsal = no ] || echo ', as a rehearsal on the emulated driver'); results are in $out"
