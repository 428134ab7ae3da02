//go:build cuda && cgo && linux

package gpu

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cnnctl/cnnctl/gpu/internal/driver"
)

var mutate = flag.Bool("mutate", false, "run TestMutations, which takes some minutes")

// mutations are mistakes in the kernels, each of which some test must notice: a removed barrier, a bound that is off by one, a wrong lane.
var mutations = []struct{ file, old, new string }{
	{"cuda.cuh", "	__syncthreads();\n	T sum = 0;", "	T sum = 0;"},
	{"cuda.cuh", "for (int m = 16; m > 0; m >>= 1) v += ", "for (int m = 8; m > 0; m >>= 1) v += "},
	{"elementwise.cu", "		if (i < n) move", "		if (i <= n) move"},
	{"elementwise.cu", "v < whole; v += grid_threads()", "v <= whole; v += grid_threads()"},
	{"elementwise.cu", "if (vector && i + width <= n)", "if (vector && i + width - 1 <= n)"},
	{"elementwise.cu", "if (i + k < n) put", "if (i + k <= n) put"},
	{"elementwise.cu", "draw.keep((i + k) / 4, keep + k)", "draw.keep(i / 4, keep + k)"},
	{"elementwise.cu", "c < columns; c += Width * step", "c <= columns; c += Width * step"},
	{"elementwise.cu", "return keep != 0 ? v * keep : 0.0f;", "return v * keep;"},
	{"vector.cuh", ">> 16 * (i % 2)", ">> 16 * (1 - i % 2)"},
	{"vector.cuh", "pack_bf16(v.v[0], v.v[1])", "pack_bf16(v.v[1], v.v[0])"},
	{"vector.cuh", "{ *p = to_bf16(v); }", "{ *p = bf16{static_cast<uint16_t>(__float_as_uint(v) >> 16)}; }"},
	{"vector.cuh", "		*p = to_bf16(v.v[0]);", "		*p = bf16{static_cast<uint16_t>(__float_as_uint(v.v[0]) >> 16)};"},
	{"vector.cuh", "const float4 v = load4(p + i);", "const float4 v = load4(p);"},
	{"vector.cuh", "old.v[i] + v.v[i]", "old.v[i] + to_float(to_bf16(v.v[i]))"},
	{"philox.cuh", "round < 10", "round < 9"},
	{"input.cu", "width - 1 - column", "width - column"},
	{"input.cu", "p < pixels", "p <= pixels"},
	{"optimizer.cu", "!isfinite(stats[0]) || !isfinite(length)", "!isfinite(length)"},
	{"optimizer.cu", "hyper[0] % slots * 5", "hyper[0] % slots * 4"},
	{"product.cuh", "	__syncthreads();\n\n	float sum", "\n	float sum"},
	{"product.cuh", "		}\n		__syncthreads();\n	}\n\n	const int row", "		}\n	}\n\n	const int row"},
	{"product.cuh", "load_a.store(stage_a[now ^ 1]);", "load_a.store(stage_a[now]);"},
	{"product.cuh", "% 32 / 8 * 4; }", "% 32 / 4 % 4 * 4; }"},
	{"operand.cuh", "min(first + depth_per_part, depth)", "depth"},
	{"tensor_product.cuh", "	__syncthreads();\n\n	const int warp", "\n	const int warp"},
	{"tensor_product.cuh", "		__syncthreads(); // the stage to be read", "		// the stage to be read"},
	{"tensor_product.cuh", "wait_async<2>();", "wait_async<3>();"},
	{"tensor_product.cuh", "wait_async<1>();", "wait_async<2>();"},
	{"tensor_product.cuh", "		commit_async(); // an empty", "		if (next < p.last) commit_async(); // an empty"},
	{"tensor_product.cuh", "read = read + 1 == stages", "read = read + 2 == stages"},
	{"tensor_product.cuh", "write = write + 1 == stages", "write = write + 2 == stages"},
	{"tensor_product.cuh", "k < p.last; k +=", "k <= p.last; k +="},
	{"tensor_product.cuh", "(word ^ turn)", "(word | turn)"},
	{"tensor_product.cuh", "upper = OfB ? high : low", "upper = OfB ? low : high"},
	{"tensor_product.cuh", "row / 8 + i * 2 + upper", "row / 8 + i + upper"},
	{"tensor_product.cuh", "(row + i * 8 + lane / 4) / 4", "(row + i * 4 + lane / 4) / 4"},
	{"tensor_product.cuh", "fb[j / 2][j % 2 * 2 + 1]", "fb[j / 2][j % 2 + 1]"},
	{"tensor_product.cuh", "odd ? first0 : other0", "odd ? other0 : first0"},
	{"tensor_product.cuh", "f[j] = to_tf32(__uint_as_float(f[j]));", ";"},
	{"tensor_product.cuh", "if (op.inside(r, d)) pair", "pair"},
	{"tensor_product.cuh", "d.offset), op.inside(r, d));", "d.offset), true);"},
	{"matrix.cuh", " | float_result;", ";"},
	{"matrix.cuh", "high_bf16(pairs.x), low_bf16(pairs.y)", "low_bf16(pairs.y), high_bf16(pairs.x)"},
	{"matrix.cuh", "flags & half_words_b ? 8", "flags & half_words_b ? 16"},
	{"matrix.cuh", "i < rows ? 0", "i <= rows ? 0"},
	{"matrix.cuh", "k < depths ? 0", "k <= depths ? 0"},
	{"matrix.cuh", "if (column + 3 < n)", "if (column + 3 <= n)"},
	{"matrix.cuh", "(flags & ~add_to_result)", "flags"},
	{"matrix.cuh", "		residual = nullptr;\n", ""},
	{"conv.cuh", "__umulhi(static_cast<uint32_t>(n), multiplier)", "__umulhi(static_cast<uint32_t>(n), multiplier - 1)"},
	{"conv.cuh", "if (i >= count) return {0, outside, 0};\n		int column", "int column"},
	{"conv_data.cuh", "row * down + column * across, 0, 0}", "row * across + column * across, 0, 0}"},
	{"conv_data.cuh", "if (dense) return i * across;", ""},
	{"activation.cuh", "case relu: return x <= 0 ? 0.0f : x;", "case relu: return x > 0 ? x : 0.0f;"},
	{"activation.cuh", "y > 0 && y < 6", "y > 0 && y <= 6"},
	{"batchnorm.cu", "if (i == 0) folded_bias", "if (i == Width) folded_bias"},
	{"batchnorm.cu", "(bias ? bias[c] : 0.0f)", "bias[c]"},
	{"batchnorm.cu", "store<Width>(largest + at, element);", "store<Width>(largest + at, best.value);"},
	{"batchnorm.cu", "upstream<Width>(dy, y, act, o);", "upstream<Width>(dy, y, act, o - c);"},
	{"pooling.cuh", "!(u <= m) && m == m", "!(u < m) && m == m"},
	{"pooling.cuh", "!(u <= m) && m == m", "!(u <= m)"},
	{"pooling.cuh", "tr.begin * columns.taps + ts.begin", "0"},
	{"pooling.cuh", "const float tap = static_cast<float>(r * columns.taps + s);\n#pragma unroll\n		for (int k", "const float tap = static_cast<float>(r * rows.taps + s);\n#pragma unroll\n		for (int k"},
	{"window.cuh", "if (s >= 0) body(p, q, r, s);", "body(p, q, r, s);"},
	{"reduce.cu", "if (thread < half) sums", "if (thread <= half) sums"},
	{"reduce.cu", "		__syncthreads();\n		if (thread < half)", "		if (thread < half)"},
	{"reduce.cu", "done = n / 4 * 4;", "done = (n + 3) / 4 * 4;"},
	{"reduce.cu", "if (c < columns) {", "if (c <= columns) {"},
	{"reduce.cu", "r < last; r += row_lanes", "r <= last; r += row_lanes"},
	{"reduce.cu", "static_cast<double>(v.x) * v.x", "static_cast<double>(v.x * v.x)"},
	{"optimizer.cu", "done = piece.length / 4 * 4;", "done = (piece.length + 3) / 4 * 4;"},
	{"optimizer.cu", "if (vector && piece.first % 4 == 0)", "if (vector)"},
	{"optimizer.cu", "if (!isfinite(n)) return false;", "if (n != n) return false;"},
	{"softmax.cu", "if (r >= rows) return;", "if (r > rows) return;"},
	{"softmax.cu", "!(v < own)", "(v >= own)"},
	{"softmax.cu", "	__syncthreads();\n	top1 =", "	top1 ="},
	{"softmax.cu", "for (int m = 16; m > 0; m >>= 1) {\n		const float other", "for (int m = 8; m > 0; m >>= 1) {\n		const float other"},
	{"softmax.cu", "target = warp_min(target);", "target = __shfl_sync(all_lanes, target, 0);"},
	{"probe.cu", "	__syncthreads();\n	uint32_t fa[4], fb[2];", "	uint32_t fa[4], fb[2];"},
	{"probe.cu", "wait_async<1>();", "wait_async<2>();"},
	{"probe.cu", "&sa[lane % 16][lane / 16 * 8]", "&sa[lane % 16][lane / 8 % 2 * 8]"},
}

func TestMutations(t *testing.T) {
	if !*mutate {
		t.Skip("runs with -args -mutate")
	}
	emulated(t, "CNNCTL_EMU_ORDER", "forward")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "kernels"), os.DirFS("../kernels")); err != nil {
		t.Fatal(err)
	}
	library := filepath.Join(dir, "libcuda-emu.so")
	build := func() {
		c := exec.Command("make", "-C", filepath.Join(dir, "kernels"), "emu", "EMU="+library)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	caught := func() (bool, string) {
		c := exec.Command(exe, "-test.failfast")
		c.Env = append(os.Environ(), driver.Variable+"="+library)
		out, err := c.CombinedOutput()
		for line := range bytes.Lines(out) {
			if bytes.Contains(line, []byte("_test.go:")) || bytes.Contains(line, []byte("run.go:")) {
				return err != nil, string(bytes.TrimSpace(line))
			}
		}
		return err != nil, string(out)
	}
	build()
	if fails, why := caught(); fails {
		t.Fatalf("the tests fail without a mutation: %s", why)
	}
	for _, m := range mutations {
		path := filepath.Join(dir, "kernels", m.file)
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := string(source)
		if !strings.Contains(text, m.old) {
			t.Errorf("%s has no %q", m.file, m.old)
			continue
		}
		if err := os.WriteFile(path, []byte(strings.Replace(text, m.old, m.new, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		build()
		if fails, why := caught(); fails {
			t.Logf("%s: %q is found: %.150s", m.file, m.new, why)
		} else {
			t.Errorf("%s: %q in place of %q is not found", m.file, m.new, m.old)
		}
		if err := os.WriteFile(path, source, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// hostMutations are waits that are left out on the host's side. The emulated driver does copies and kernels as late or as early as it may, so that a test
// must notice.
var hostMutations = []struct{ file, old, new string }{
	{"inlet.go", "d.copies.Wait(in.read, 0)", "error(nil)"},
	{"inlet.go", "in.sent.Synchronize()", "error(nil)"},
	{"inlet.go", "return s.Wait(in.sent, 0)", "return nil"},
	{"inlet.go", "return in.read.Record(s)", "return nil"},
	{"inlet.go", "in.read.Record(d.stream)", "nil"},
	{"transfer.go", "done.Synchronize(); err != nil {\n			return d.check(\"waiting for a copy to the device\", err)\n		}\n		n := copy", "error(nil); err != nil {\n			return err\n		}\n		n := copy"},
	{"transfer.go", "underWay[0].done.Synchronize()", "error(nil)"},
}

func TestHostMutations(t *testing.T) {
	if !*mutate {
		t.Skip("runs with -args -mutate")
	}
	emulated(t, "CNNCTL_EMU_STREAMS", "lazy")
	for _, m := range hostMutations {
		source, err := os.ReadFile(m.file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(source), m.old) {
			t.Errorf("%s has no %q", m.file, m.old)
			continue
		}
		dir := t.TempDir()
		changed, overlay := filepath.Join(dir, m.file), filepath.Join(dir, "overlay.json")
		original, err := filepath.Abs(m.file)
		if err != nil {
			t.Fatal(err)
		}
		replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(changed, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o644), os.WriteFile(overlay, replace, 0o644)); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("go", "test", "-tags", "cuda", "-overlay", overlay, "-run", "Inlet|Transfers", ".").CombinedOutput()
		if err == nil || !bytes.Contains(out, []byte("_test.go:")) {
			t.Errorf("%s: %q in place of %q is not found: %s", m.file, m.new, m.old, out)
		}
	}
}
