#!/usr/bin/env bash
# Runs every fuzz target of the module for a while. The targets are found by their names, so that a new one is never forgotten.
#
#   scripts/fuzz.sh [TIME]      TIME for each target, 5s if it is not given; 1000x stands for a number of inputs
#
# scripts/fuzz-long.sh gives the readers of checkpoints ten million executions each.
#
# An input that makes a target fail is left in the package's testdata/fuzz/ and from then on belongs to its tests.
set -euo pipefail
cd "$(dirname "$0")/.."

go=${GO:-go}
duration=${1:-5s}
count=0
while read -r package target; do
	echo "fuzz $package $target"
	# Minimising an input that reaches new code may take a minute by default, and finds nothing.
	"$go" test -run '^$' -fuzz "^$target\$" -fuzztime "$duration" -fuzzminimizetime 20x "./$package" </dev/null
	count=$((count + 1))
done < <(find . -name '*_test.go' -not -path './.*' -not -path '*/testdata/*' -exec grep -H '^func Fuzz' {} + |
	sed -E 's|^\./(.*)/[^/]+\.go:func (Fuzz[A-Za-z0-9_]*).*|\1 \2|' | sort)

if [ "$count" -eq 0 ]; then
	echo "fuzz: found no target, wanted at least one; are the test files in place?" >&2
	exit 1
fi
echo "fuzz: $count targets, $duration each, no failure"
