#!/usr/bin/env bash
# Writes symbols.h, the driver functions that gorgonia.org/cu and this package call. Run it, with the environment of
# scripts/install-cuda.sh, after an update of cu or a new call in extra.go:
#
#   . .tools/cuda/env.sh && gpu/internal/driver/gen.sh
#
# Which version of a function an object names (cuMemAlloc or cuMemAlloc_v2) depends on the toolkit's header, so that all versions that the
# link stub knows are listed, and those that came after it: a function that is listed but not called costs eight bytes.
set -euo pipefail
cd "$(dirname "$0")"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
objects() { # PACKAGE FOLDER
	mkdir "$2"
	go build -tags cuda -o "$2/p.a" "$1"
	(cd "$2" && ar x p.a)
}
objects gorgonia.org/cu "$tmp/cu"
objects . "$tmp/driver"
# Cu has C helpers of its own whose names begin like the driver's.
called=$(comm -23 \
	<(nm -u "$tmp"/cu/_x*.o "$tmp"/driver/_x*.o | awk '$2 ~ /^cu[A-Z]/ {print $2}' | sort -u) \
	<(nm --defined-only "$tmp"/cu/_x*.o | awk '$3 ~ /^cu[A-Z]/ {print $3}' | sort -u))
stub=$(sed -n 's/.*-L\([^ ]*stubs\).*/\1/p' <<<"${CGO_LDFLAGS:-}")/libcuda.so

known=$(nm -D --defined-only "$stub" | awk '$3 ~ /^cu[A-Z]/ {print $3}')
newer="cuCtxCreate_v4 cuEventElapsedTime_v2 cuFuncGetParamInfo cuGraphAddDependencies_v2 cuGraphGetEdges_v2 cuMemAdvise_v2 cuMemPrefetchAsync_v2"
{
	echo "$called"
	tr ' ' '\n' <<<"$newer"
	sed 's/_v[0-9]*$//' <<<"$called" | sort -u | while read -r base; do
		grep -E "^$base(_v[0-9]+)?$" <<<"$known" || true
	done
} | sort -u | awk '
	BEGIN { print "/* Written by gen.sh. X(index, name) */" }
	{ printf "X(%d, %s)\n", NR - 1, $1 }' >"$tmp/symbols.h"
mv "$tmp/symbols.h" symbols.h
