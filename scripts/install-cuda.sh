#!/usr/bin/env bash
# Puts a CUDA toolkit (nvcc, ptxas, cuobjdump, headers, the driver's link stub) into a private folder, as needed to build and
# test with the tag cuda on a Debian or Ubuntu machine. It needs neither root nor a GPU, and changes nothing outside of the folder.
#
#   scripts/install-cuda.sh [PREFIX]     default: .tools/cuda in the checkout
#   . PREFIX/env.sh                      sets PATH, CGO_CFLAGS and CGO_LDFLAGS for the build
#
# The packages are the distribution's own where these are CUDA 12 or newer. Debian 12 has 11.8, so that Debian 13's are
# taken there; NVIDIA's programs need nothing that is newer than Debian 12. They are fetched with apt, from the addresses and with the
# keys that this machine uses already, but with a configuration of their own, and unpacked without the static libraries,
# which make up most of their gigabytes and which nobody links here.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
prefix=${1:-$root/.tools/cuda}
mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd)
stamp=$prefix/.installed
self=$(sha256sum <"$0" | cut -d' ' -f1)

die() {
	echo "install-cuda: $*" >&2
	exit 1
}

if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$self" ] && "$prefix/bin/nvcc" --version >/dev/null 2>&1; then
	exit 0
fi
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
	die "this machine has no apt; install the CUDA toolkit 12 from your distribution and put its nvcc on the PATH"

# shellcheck source=/dev/null
. /etc/os-release
suite=${VERSION_CODENAME:-} component=non-free
case ${ID:-} in
debian) if [ "${VERSION_ID:-99}" -le 12 ]; then suite=trixie; fi ;;
ubuntu) component=multiverse ;;
*) die "this is ${PRETTY_NAME:-an unknown system}, wanted Debian or Ubuntu; install the CUDA toolkit 12 and put its nvcc on the PATH" ;;
esac

work=$(mktemp -d "$prefix/tmp.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/none"

# sources prints the machine's own source of $VERSION_CODENAME, in apt's deb822 form, with suite and component replaced.
sources() {
	for f in /etc/apt/sources.list.d/*.sources; do
		[ -e "$f" ] || continue
		awk -v own="$VERSION_CODENAME" -v suite="$suite" -v component="$component" '
			BEGIN { RS = ""; FS = "\n" }
			{
				uris = signed = keep = ""; off = 0
				for (i = 1; i <= NF; i++) {
					value = $i; sub(/^[^:]*:[ \t]*/, "", value)
					if ($i ~ /^Suites:/) { n = split(value, s, /[ \t]+/); for (j = 1; j <= n; j++) if (s[j] == own) keep = 1 }
					if ($i ~ /^URIs:/) uris = value
					if ($i ~ /^Signed-By:/ && value ~ /^\//) signed = value
					if ($i ~ /^Enabled:[ \t]*no/) off = 1
				}
				if (keep && !off && uris != "") {
					print "Types: deb\nURIs: " uris "\nSuites: " suite "\nComponents: " component
					if (signed != "") print "Signed-By: " signed
					print ""
				}
			}' "$f"
	done
	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -e "$f" ] || continue
		awk -v own="$VERSION_CODENAME" -v suite="$suite" -v component="$component" '
			$1 == "deb" {
				i = 2; signed = ""
				if ($i ~ /^\[/) {
					for (; ; i++) {
						if (match($i, /signed-by=[^] ]*/)) signed = substr($i, RSTART + 10, RLENGTH - 10)
						if ($i ~ /\]$/ || i >= NF) break
					}
					i++
				}
				if ($(i + 1) == own) {
					print "Types: deb\nURIs: " $i "\nSuites: " suite "\nComponents: " component
					if (signed != "") print "Signed-By: " signed
					print ""
				}
			}' "$f"
	done
}
# Several lines of one machine may name the same archive: the first is enough.
sources | awk 'BEGIN { RS = ""; ORS = "\n\n" } !seen[$0]++ && NR == 1' >"$work/machine.sources"
[ -s "$work/machine.sources" ] || die "found no source of $VERSION_CODENAME in /etc/apt to take an address from"

apt() {
	local command=$1
	shift
	"$command" -qq \
		-o Dir::Etc::SourceList="$work/none/list" -o Dir::Etc::SourceParts="$work/parts" \
		-o Dir::Etc::Preferences="$work/none/preferences" -o Dir::Etc::PreferencesParts="$work/none" \
		-o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Default-Release= -o APT::Sandbox::User="$(id -un)" \
		-o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}
mkdir "$work/parts"
mv "$work/machine.sources" "$work/parts/"
apt apt-get update || die "apt cannot read the index of $suite/$component; check that this machine reaches its package source"

version=$(apt apt-cache show --no-all-versions nvidia-cuda-toolkit | sed -n 's/^Version: //p')
case ${version%%.*} in
'' | [0-9] | 10 | 11) die "$suite offers nvidia-cuda-toolkit ${version:-not at all}, wanted 12 or newer; install NVIDIA's own packages instead" ;;
esac
# The runtime's and NVVM's packages carry their major version in the name.
packages=$(apt apt-cache depends nvidia-cuda-toolkit nvidia-cuda-dev |
	grep -oE 'lib(cudart|nvvm)[0-9]+$' | sort -u)
echo "install-cuda: CUDA toolkit $version of $suite into $prefix"
# shellcheck disable=SC2086  # a list of names
(cd "$work" && apt apt-get download nvidia-cuda-toolkit nvidia-cuda-dev $packages) || die "apt cannot fetch the packages"

rm -rf "$stamp" "$prefix"/{usr,etc,bin,include,stubs,env.sh}
for deb in "$work"/*.deb; do
	dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$prefix" --no-same-owner --exclude='*.a' --exclude='./usr/share/doc*' --exclude='./usr/share/man*'
done

# Debian's packages look for their parts by absolute names.
ln -sfn ../../../../etc/nvcc.profile "$prefix/usr/lib/nvidia-cuda-toolkit/bin/nvcc.profile"
sed -i -e "s#/usr/#$prefix/usr/#g" "$prefix/etc/nvcc.profile"
printf '\nPATH += %s/usr/bin:\nINCLUDES += "-I%s/usr/include" $(_SPACE_)\n' "$prefix" "$prefix" >>"$prefix/etc/nvcc.profile"
while IFS= read -r script; do
	sed -i -e "s#\([\" ]\)/usr/lib/#\1$prefix/usr/lib/#g" "$script"
done < <(grep -lI '/usr/lib/nvidia-cuda-toolkit' "$prefix"/usr/bin/* 2>/dev/null)

ln -s usr/bin "$prefix/bin"
ln -s usr/include "$prefix/include"
ln -s "$(cd "$prefix" && echo usr/lib/*/stubs)" "$prefix/stubs"
cat >"$prefix/env.sh" <<ENV
# Sourced by a shell that builds with the tag cuda. The first include directory adapts CUDA 13's header.
export PATH="$prefix/bin:\$PATH"
export CGO_CFLAGS="-O2 -g -I$root/gpu/internal/driver/include -I$prefix/include"
export CGO_LDFLAGS="-O2 -g -L$prefix/stubs"
ENV

cat >"$work/try.cu" <<'TRY'
extern "C" __global__ void try_it(float *y) { y[threadIdx.x] = 2 * y[threadIdx.x]; }
TRY
"$prefix/bin/nvcc" -fatbin -gencode=arch=compute_90,code=sm_90 -o "$work/try.fatbin" "$work/try.cu" ||
	die "nvcc cannot compile a kernel; is a supported g++ (12 or 13) installed?"
echo "$self" >"$stamp"
