#!/usr/bin/env bash
# Measures steps of cnnctl and of PyTorch in turn, on the same cores, and keeps what it saw in docs/benchmarks/.
#
#   scripts/bench-vs-torch.sh [-r ROUNDS] [-s SECONDS] [-o FOLDER] [-p PYTHON]... [ROW...]
#   scripts/bench-vs-torch.sh -t                    renew the README's table from the files that are there, without measuring
#
# A ROW is a model of the list below, with ":eval" for inference; without any, all are measured. Each PYTHON (default python3) must have PyTorch
# and torchvision; with several, the fastest one of each row counts. A round is a turn of cnnctl and then a turn of each PyTorch, about SECONDS
# long (default 3, and 1500 steps at the most: the first ones after a pause are slow, and should be few), and its ratio is the median time of PyTorch's
# steps over that of cnnctl's. THREADS sets the number of threads of both (default: all). Nothing else may run meanwhile: a row during which
# something did is not kept, and the exit code is 1.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
rounds=7 seconds=3 folder=$root/docs/benchmarks pythons=() table_only=
usage() {
	sed -n 's/^#   //p' "$0" >&2
	exit 2
}
while getopts r:s:o:p:t flag; do
	case $flag in
	r) rounds=$OPTARG ;;
	s) seconds=$OPTARG ;;
	o) folder=$OPTARG ;;
	p) pythons+=("$OPTARG") ;;
	t) table_only=yes ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ ${#pythons[@]} -gt 0 ] || pythons=(python3)
threads=${THREADS:-$(getconf _NPROCESSORS_ONLN)}

batches="lenet5=64 alexnet=32 vgg16=8 resnet18=16 mobilenet_v2=16"
rows=("$@")
[ ${#rows[@]} -gt 0 ] || rows=(lenet5 alexnet vgg16 resnet18 mobilenet_v2 mobilenet_v2:eval)

# batch ROW prints its batch size.
batch() {
	local b
	b=$(tr ' ' '\n' <<<"$batches" | sed -n "s/^${1%:eval}=//p")
	[ -n "$b" ] || {
		echo "bench-vs-torch.sh: no model ${1%:eval}, wanted one of $batches" >&2
		exit 2
	}
	echo "$b"
}

# median prints the median of the words of standard input.
median() { tr ' ' '\n' | sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }

# ask SIDE N lets a side run N steps and sets reply to their times.
ask() {
	echo "$2" >&"${to[$1]}"
	IFS= read -r reply <&"${from[$1]}" || {
		echo "bench-vs-torch.sh: ${names[$1]:-side $1} has ended" >&2
		exit 1
	}
}

# measure ROW prints the raw file of a row.
measure() {
	local row=$1 model=${1%:eval} mode=train n i r
	[ "$row" = "$model" ] || mode=eval
	n=$(batch "$row")
	to=() from=() names=() steps=() pids=()
	for i in 0 "${!pythons[@]}"; do
		mkfifo "$work/to.${#to[@]}" "$work/from.${#to[@]}"
		if [ ${#to[@]} -eq 0 ]; then
			GOMAXPROCS=$threads "$work/cnnctl" bench "$mode" "$model" --device cpu -b "$n" --opt sgd --paced <"$work/to.0" >"$work/from.0" &
		else
			"${pythons[$i]}" "$root/scripts/torch-step.py" "$model" "$n" "$threads" "$mode" <"$work/to.${#to[@]}" >"$work/from.${#to[@]}" &
		fi
		pids+=($!)
		exec {fd}>"$work/to.${#to[@]}"
		to+=("$fd")
		exec {fd}<"$work/from.${#from[@]}"
		from+=("$fd")
		rm "$work"/to.* "$work"/from.*
		IFS= read -r reply <&"$fd" || exit 1
		names+=("$reply")
	done
	echo "row      $row, batch size $n, float32, SGD with momentum"
	echo "commit   $(git -C "$root" describe --always --dirty --exclude '*' 2>/dev/null || echo unknown)"
	echo "date     $(date -u +%FT%TZ)"
	echo "machine  $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1), $threads threads of $(getconf _NPROCESSORS_ONLN), load $(cut -d' ' -f1 /proc/loadavg 2>/dev/null || echo unknown)"
	for i in "${!to[@]}"; do
		echo "side $i   ${names[$i]}"
		ask "$i" 1 # the number of steps in a turn follows from the fastest of a few
		steps[i]=$(awk -v s="$seconds" -v t="$reply" 'BEGIN { print (t > s ? 1 : 3) }')
		ask "$i" "${steps[$i]}"
		steps[i]=$(tr ' ' '\n' <<<"$reply" | sort -g | awk -v s="$seconds" 'NR == 1 { n = int(s / $1); print (n < 1 ? 1 : n > 1500 ? 1500 : n) }')
	done
	for r in $(seq "$rounds"); do
		# While both sides wait, nothing but the reader of this file should be running; PyTorch's threads take a while to go to sleep.
		sleep 0.3
		echo "round $r others: $(awk '{ split($4, n, "/"); print n[1] - 1 }' /proc/loadavg 2>/dev/null || echo 0)"
		for i in "${!to[@]}"; do
			ask "$i" "${steps[$i]}"
			echo "round $r side $i: $reply"
		done
	done
	for i in "${!to[@]}"; do
		echo "peak $i   $(awk '/^VmHWM/ { printf "%.0f MiB resident", $2 / 1024 }' "/proc/${pids[$i]}/status" 2>/dev/null)"
		fd=${to[$i]}
		exec {fd}>&-
		fd=${from[$i]}
		exec {fd}<&-
	done
	wait "${pids[@]}"
}

# summary FILE appends the medians of the rounds, and min, median and max of their ratios, for the fastest PyTorch.
summary() {
	local r i ours theirs best=0 list
	local -a t
	for i in $(sed -n 's/^side \([1-9][0-9]*\) .*/\1/p' "$1"); do
		t=()
		for r in $(sed -n 's/^round \([0-9]*\) side 0: .*/\1/p' "$1"); do
			ours=$(sed -n "s/^round $r side 0: //p" "$1" | median)
			theirs=$(sed -n "s/^round $r side $i: //p" "$1" | median)
			t+=("$(awk -v a="$ours" -v b="$theirs" 'BEGIN { printf "%.3f", b / a }')")
		done
		echo "ratios $i ${t[*]}"
		list=$(printf '%s\n' "${t[@]}" | sort -g)
		echo "result $i min $(head -1 <<<"$list") median $(median <<<"${t[*]}") max $(tail -1 <<<"$list")," \
			"cnnctl $(speed "$1" 0) images/s, torch $(speed "$1" "$i") images/s"
	done
	# PyTorch's threads spin while they wait for each other, so that on busy cores it loses many times its share.
	awk '/^round [0-9]+ others:/ { n++; others += $4 } END { exit others > n / 2 }' "$1" ||
		echo "bench-vs-torch.sh: something else ran, which leaves no result" >&2
}

# speed FILE SIDE prints images a second by the median step of all rounds.
speed() {
	local n
	n=$(sed -n 's/^row .*batch size \([0-9]*\).*/\1/p' "$1")
	sed -n "s/^round [0-9]* side $2: //p" "$1" | tr '\n' ' ' | sed 's/ $//' | median | awk -v n="$n" '{ v = n / $1; printf v < 1000 ? "%.4g" : "%.0f", v }'
}

# table prints the README's table: one line for each raw file, with the PyTorch against which the ratio is the least.
table() {
	local row f
	echo "| model, batch size | cnnctl | PyTorch | ratio: median (min to max) | peak memory: cnnctl, PyTorch |"
	echo "| --- | --- | --- | --- | --- |"
	for row in lenet5 alexnet vgg16 resnet18 mobilenet_v2 mobilenet_v2:eval; do
		f=$folder/vs-torch-${row/:/-}.txt
		[ -f "$f" ] || continue
		awk -v row="$row" '
			/^row/ { batch = $5; sub(",", "", batch) }
			/^side/ { name[$2] = $3 " " $4; sub(/a0$/, "", name[$2]) }
			/^peak/ { peak[$2] = $3 " " $4 }
			/^result/ { if (!best || $6 < ratio) { best = $2; min = $4; ratio = $6; max = $8; sub(",", "", max); ours = $10; theirs = $13 } }
			END {
				sub(":eval", ", inference", row)
				printf "| %s, %s | %s images/s | %s images/s (%s) | %.2f (%.2f to %.2f) | %s, %s |\n",
					row, batch, ours, theirs, name[best], ratio, min, max, peak[0], peak[best]
			}' "$f"
	done
	f=$(ls "$folder"/vs-torch-*.txt | head -1)
	echo
	echo "$(sed -n 's/^machine *\(.*\), load.*/\1/p' "$f"); $(sed -n 's/^side 0 *//p' "$f")."
}

# renew puts the table between its markers in the README.
renew() {
	table >"$work/table"
	awk -v file="$work/table" '
		/<!-- vs-torch: end -->/ { inside = 0 }
		!inside { print }
		/<!-- vs-torch: begin/ { inside = 1; while ((getline line < file) > 0) print line }' "$root/README.md" >"$work/README.md"
	cat "$work/README.md" >"$root/README.md"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -n "$table_only" ]; then
	renew
	exit
fi
for row in "${rows[@]}"; do batch "$row" >/dev/null; done
(cd "$root" && go build -o "$work/cnnctl" ./cmd/cnnctl)
disturbed=
mkdir -p "$folder"
for row in "${rows[@]}"; do
	measure "$row" >"$work/raw"
	summary "$work/raw" >"$work/summary" 2>"$work/disturbed"
	if [ -s "$work/disturbed" ]; then
		cat "$work/disturbed" >&2
		disturbed=yes
	else
		cat "$work/raw" "$work/summary" >"$folder/vs-torch-${row/:/-}.txt"
	fi
	sed "s/^/$row: /" "$work/summary"
done
[ "$folder" != "$root/docs/benchmarks" ] || ! compgen -G "$folder/vs-torch-*.txt" >/dev/null || renew
[ -z "$disturbed" ]
