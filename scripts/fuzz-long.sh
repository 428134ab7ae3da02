#!/usr/bin/env bash
# Runs the fuzz targets of the readers of checkpoints for a number of executions each, ten million if it is not given. Every execution checks
# that nothing panics and that no more memory is allocated than twice the file and 64 MiB.
#
#   scripts/fuzz-long.sh [EXECUTIONS] [TARGET...]      for example: scripts/fuzz-long.sh 1000000 FuzzZip
#
# What was found goes to Go's build cache, so that several shorter runs reach as far as a long one. An input that makes a target fail is left
# in checkpoint/testdata/fuzz/ and from then on belongs to the tests.
set -euo pipefail
cd "$(dirname "$0")/.."

go=${GO:-go}
executions=${1:-10000000}
shift || true
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
	targets=(FuzzSafetensors FuzzZip FuzzLegacy FuzzPickle)
fi
for target in "${targets[@]}"; do
	echo "fuzz $target, $executions executions"
	# Minimising an input that reaches new code takes a minute each by default, and finds nothing.
	"$go" test -run '^$' -fuzz "^$target\$" -fuzztime "${executions}x" -fuzzminimizetime 20x ./checkpoint </dev/null
done
echo "fuzz-long: ${targets[*]}: $executions executions each, no failure"
