package checkpoint

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const eightFloats = "\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40\x00\x00\x80\x40\x00\x00\xa0\x40\x00\x00\xc0\x40\x00\x00\xe0\x40\x00\x00\x00\x41"

// badPickles has one entry for each check of the interpreter and of what it builds. Each stands as data.pkl of an archive
// with eight floats in storage "0". They seed the fuzz targets too.
var badPickles = []struct {
	name   string
	pickle string
	want   error
	about  string
}{
	{"empty", "", ErrCorrupt, "truncated"},
	{"no stop", "\x80\x02}", ErrCorrupt, "truncated"},
	{"nothing at the stop", ".", ErrCorrupt, "1 values on the stack"},
	{"two values at the stop", "}}.", ErrCorrupt, "1 and 0 marks more"},
	{"mark at the stop", "(}.", ErrCorrupt, "at the end"},
	{"unknown instruction", "\xff.", ErrCorrupt, "0xff"},
	{"instruction of another protocol", "I1\n.", ErrFormat, "INT"},
	{"instruction for objects", "\x81.", ErrFormat, "NEWOBJ"},
	{"protocol 6", "\x80\x06}.", ErrFormat, "protocol 5"},
	{"tuple from nothing", "\x85.", ErrCorrupt, "on the stack"},
	{"tuple across a mark", "}(\x85.", ErrCorrupt, "on the stack"},
	{"tuple without mark", "t.", ErrCorrupt, "want a mark"},
	{"append without mark", "]e.", ErrCorrupt, "want a mark"},
	{"append to nothing", "(}e.", ErrCorrupt, "got none"},
	{"append to a dict", "}}a.", ErrCorrupt, "got a dict"},
	{"entry in a list", "]NNs.", ErrCorrupt, "got a list"},
	{"key without value", "}(Nu.", ErrCorrupt, "pairs"},
	{"list as key", "}]Ns.", ErrCorrupt, "hashed"},
	{"memo of nothing", "q\x00.", ErrCorrupt, "got none"},
	{"memo absent", "h\x07.", ErrCorrupt, "number 7"},
	{"text cut", "X\xff\xff\xff\x7fabc.", ErrCorrupt, "2147483647"},
	{"text not UTF-8", "U\x01\xff.", ErrCorrupt, "UTF-8"},
	{"long cut", "\x8a\xffabc", ErrCorrupt, "255"},
	{"name without end", "c" + strings.Repeat("x", 300), ErrCorrupt, "longer"},
	{"name of code", "cos\nsystem\nX\x04\x00\x00\x00true\x85R.", ErrFormat, `"os.system"`},
	{"name of code from the stack", "\x8c\x02os\x8c\x06system\x93.", ErrFormat, `"os.system"`},
	{"name that is no text", "NN\x93.", ErrCorrupt, "None and None"},
	{"call of a dict", "})R.", ErrCorrupt, "want a function"},
	{"call of a type", "ctorch\nFloatStorage\n)R.", ErrCorrupt, "want a function"},
	{"call without tuple", "ccollections\nOrderedDict\n]R.", ErrCorrupt, "arguments"},
	{"attributes of a list", "]}b.", ErrFormat, "OrderedDict only"},
	{"attributes of a dict", "}}b.", ErrFormat, "OrderedDict only"},
	{"OrderedDict of a dict", "ccollections\nOrderedDict\n}\x85R.", ErrCorrupt, "list of pairs"},
	{"OrderedDict of triples", "ccollections\nOrderedDict\n](NNNtae\x85R.", ErrCorrupt, ""},
	{"Size of a list", "ctorch\nSize\n]\x85R.", ErrCorrupt, "torch.Size"},
	{"identifier is a number", "K\x01Q.", ErrCorrupt, "got an int"},
	{"identifier too short", "X\x07\x00\x00\x00storage\x85Q.", ErrCorrupt, "1 items"},
	{"tensor of too few arguments", "ctorch._utils\n_rebuild_tensor\n)R.", ErrCorrupt, "want 4"},
	{"tensor version 2 of too few", "ctorch._utils\n_rebuild_tensor_v2\n)R.", ErrCorrupt, "want 6"},
	{"tensor version 3 of too few", "ctorch._utils\n_rebuild_tensor_v3\n)R.", ErrCorrupt, "want 7"},
	{"tensor of no storage", "ctorch._utils\n_rebuild_tensor\n(NNNNtR.", ErrCorrupt, "want the storage"},
	{"parameter of no tensor", "ctorch._utils\n_rebuild_parameter\n(NNNtR.", ErrCorrupt, "want a tensor"},
	{"tensor without data", "ctorch._utils\n_rebuild_meta_tensor_no_storage\n.", ErrFormat, "without data"},
	{"storage absent", tensorPickle("1", 8, 0, []int64{8}, []int64{1}), ErrCorrupt, `"m/data/1"`},
	{"storage outside", tensorPickle("../byteorder", 8, 0, []int64{8}, []int64{1}), ErrCorrupt, "got none"},
	{"storage too long", tensorPickle("0", 9, 0, []int64{8}, []int64{1}), ErrCorrupt, "want 36 bytes"},
	{"storage of negative length", tensorPickle("0", -1, 0, nil, nil), ErrCorrupt, "from 0"},
	{"storage that overflows", tensorPickle("0", math.MaxInt64, 0, nil, nil), ErrCorrupt, "from 0"},
	{"view past the end", tensorPickle("0", 8, 0, []int64{9}, []int64{1}), ErrCorrupt, "within the 8"},
	{"view past the end by offset", tensorPickle("0", 8, 1, []int64{8}, []int64{1}), ErrCorrupt, "within the 7"},
	{"view past the end by stride", tensorPickle("0", 8, 0, []int64{3}, []int64{4}), ErrCorrupt, "within the 8"},
	{"scalar past the end", tensorPickle("0", 8, 8, nil, nil), ErrCorrupt, "within the 0"},
	{"offset past the end", tensorPickle("0", 8, 9, []int64{0}, []int64{1}), ErrCorrupt, "from 9"},
	{"negative offset", tensorPickle("0", 8, -1, []int64{1}, []int64{1}), ErrCorrupt, "from -1"},
	{"negative dimension", tensorPickle("0", 8, 0, []int64{-1, -8}, []int64{1, 1}), ErrCorrupt, "from 0"},
	{"negative stride", tensorPickle("0", 8, 7, []int64{8}, []int64{-1}), ErrCorrupt, "from 0"},
	{"stride that overflows", tensorPickle("0", 8, 0, []int64{3}, []int64{math.MaxInt64}), ErrCorrupt, "overflows"},
	{"shape that overflows", tensorPickle("0", 8, 0, []int64{math.MaxInt64, 3}, []int64{0, 0}), ErrCorrupt, "overflows"},
	{"size that overflows", tensorPickle("0", 8, 0, []int64{math.MaxInt64}, []int64{0}), ErrCorrupt, "overflows"},
	{"repeated beyond the file", tensorPickle("0", 8, 0, []int64{1 << 40}, []int64{0}), ErrFormat, "repeating"},
	{"overlapping", tensorPickle("0", 8, 0, []int64{3, 3}, []int64{2, 1}), ErrFormat, "overlap"},
	{"more dimensions than strides", tensorPickle("0", 8, 0, []int64{1, 1}, []int64{1}), ErrCorrupt, "as many strides"},
	{"65 dimensions", tensorPickle("0", 8, 0, slices.Repeat([]int64{1}, 65), slices.Repeat([]int64{1}, 65)), ErrCorrupt, "at most 64"},
	{"one storage of two lengths", "]" + bare("0", 8, 0, []int64{8}, []int64{1}) + "a" + bare("0", 7, 0, []int64{1}, []int64{1}) + "a.", ErrCorrupt, "named first"},
	{"one name twice", "}(X\x03\x00\x00\x00a.b" + bare("0", 8, 0, []int64{8}, []int64{1}) + "X\x01\x00\x00\x00a}X\x01\x00\x00\x00b" + bare("0", 8, 0, []int64{8}, []int64{1}) + "su.", ErrCorrupt, `one tensor "a.b"`},
	{"no tensor", "}.", ErrFormat, "a dict without any"},
	{"list in itself", "]q\x00h\x00a.", ErrFormat, "without any"},
	{"nested too deep", strings.Repeat("]", 100) + bare("0", 8, 0, []int64{8}, []int64{1}) + strings.Repeat("a", 100) + ".", ErrFormat, "more than 64"},
	{"list in itself beside a tensor", "]q\x00h\x00a" + bare("0", 8, 0, []int64{8}, []int64{1}) + "a.", ErrFormat, "more than 64"},
	{"marks without end", strings.Repeat("(", 2000), ErrCorrupt, "marks"},
	// Each list holds the one before twice: 2^40 ways to the tensor.
	{"doubling", "(" + bare("0", 8, 0, []int64{8}, []int64{1}) + "q\x00" + strings.Repeat("](h\x00h\x00eq\x00", 40) + "t.", ErrFormat, "memory"},
}

// bare is a tensor that stands alone on the stack; tensorPickle is a pickle of it.
func bare(key string, numel, offset int64, shape, strides []int64) string {
	return new(pickler).tensor(key, numel, offset, shape, strides, false).String()
}

func tensorPickle(key string, numel, offset int64, shape, strides []int64) string {
	return "\x80\x02" + bare(key, numel, offset, shape, strides) + "."
}

func TestBadPickles(t *testing.T) {
	for _, c := range badPickles {
		t.Run(c.name, func(t *testing.T) {
			f, err := openBytes(torchArchive(t, c.pickle, eightFloats))
			if err == nil {
				t.Fatalf("opened with tensors %+v, want an error", f.Tensors())
			}
			wantError(t, err, c.want, c.about)
		})
	}
}

func wantError(t *testing.T, err, want error, about string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want an error that wraps %q", err, want)
	}
	for _, part := range []string{"test.safetensors", about} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("message %q lacks %q", err, part)
		}
	}
}

// A change of any one byte of an archive is noticed, or changes nothing that is used; cutting it anywhere is noticed.
func TestDamagedArchive(t *testing.T) {
	good := torchArchive(t, tensorPickle("0", 8, 0, []int64{8}, []int64{1}), eightFloats)
	f, err := openBytes(good)
	if err != nil {
		t.Fatal(err)
	}
	want, err := f.TensorDigest("tensor")
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 0x10
		f, err := openBytes(bad)
		if err == nil {
			err = f.Verify()
		}
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
				t.Fatalf("byte %d: got %v, want ErrCorrupt or ErrFormat", i, err)
			}
			continue
		}
		if got, err := f.TensorDigest("tensor"); err != nil || got != want {
			t.Fatalf("byte %d changed the tensor and nobody noticed: %v", i, err)
		}
	}
	for n := range good {
		if _, err := openBytes(good[:n]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut to %d bytes: got %v, want ErrCorrupt", n, err)
		}
	}
}

func TestBadArchives(t *testing.T) {
	good := tensorPickle("0", 8, 0, []int64{8}, []int64{1})
	encrypted := torchArchive(t, good, eightFloats)
	for i := 0; ; {
		j := bytes.Index(encrypted[i:], []byte("PK\x01\x02"))
		if j < 0 {
			break
		}
		i += j + 4
		encrypted[i+4] |= 1 // the flags, after two versions
	}
	cases := []struct {
		name  string
		file  []byte
		want  error
		about string
	}{
		{"no pickle", archive(t, "m/x", "y"), ErrFormat, "data.pkl"},
		{"pickle too far down", archive(t, "a/b/data.pkl", good), ErrFormat, "data.pkl"},
		{"two pickles", archive(t, "a/data.pkl", good, "b/data.pkl", good), ErrCorrupt, "want one data.pkl"},
		{"record twice", archive(t, "m/data.pkl", good, "m/data/0", eightFloats, "m/data/0", eightFloats), ErrCorrupt, "got two"},
		{"byte order", archive(t, "m/data.pkl", good, "m/data/0", eightFloats, "m/byteorder", "middle"), ErrCorrupt, `"middle"`},
		{"TorchScript", archive(t, "m/data.pkl", good, "m/constants.pkl", "x"), ErrFormat, "TorchScript"},
		{"encrypted", encrypted, ErrFormat, "encrypted"},
		{"tar", append([]byte(strings.Repeat("sys_info", 32)+"\x00ustar"), make([]byte, 250)...), ErrFormat, "load it in PyTorch"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := openBytes(c.file)
			wantError(t, err, c.want, c.about)
		})
	}
}

func TestBadStreams(t *testing.T) {
	object := new(pickler).tensor("0", 8, 0, []int64{8}, []int64{1}, true).String() + "."
	view := func(first, n int64) string { // with a view (key, offset, length) in the identifier
		p := new(pickler).global("torch._utils\n_rebuild_tensor").op(opMark, opMark).text("storage").global("torch\nFloatStorage").text("0").text("cpu").int(8)
		p.op(opMark).text("v").int(first).int(n).op(opTuple, opTuple, opBinPersID).int(0).ints(2).ints(1).op(opTuple, opReduce)
		return p.String() + "."
	}
	const keys, count = "]X\x01\x00\x00\x000a.", "\x08\x00\x00\x00\x00\x00\x00\x00"
	whole := torchStream(object, keys, count+eightFloats)
	for _, good := range [][]byte{whole, torchStream(view(6, 2), keys, count+eightFloats)} {
		f, err := openBytes(good)
		if err != nil {
			t.Fatal(err)
		}
		if err := readAll(f); err != nil {
			t.Fatal(err)
		}
		for n := range good {
			if _, err := openBytes(good[:n]); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("cut to %d bytes: got %v, want ErrCorrupt", n, err)
			}
		}
	}
	cases := []struct {
		name  string
		file  []byte
		want  error
		about string
	}{
		{"another pickle", []byte("\x80\x02}q\x00X\x01\x00\x00\x00aNs."), ErrFormat, "torch.save did not write"},
		{"version", bytes.Replace(whole, []byte("M\xe9\x03"), []byte("M\xea\x03"), 1), ErrFormat, "1002"},
		{"keys are no list", torchStream(object, "}.", count+eightFloats), ErrCorrupt, "list of storages"},
		{"no keys", torchStream(object, "].", count+eightFloats), ErrCorrupt, "got 0"},
		{"unknown key", torchStream(object, "]X\x01\x00\x00\x001a.", count+eightFloats), ErrCorrupt, "got 1"},
		{"key is a number", torchStream(object, "]K\x00a.", count+eightFloats), ErrCorrupt, "got 0"},
		{"storage in the keys", torchStream(object, "]"+object, count+eightFloats), ErrCorrupt, "no storages"},
		{"count", torchStream(object, keys, "\x07"+count[1:]+eightFloats), ErrCorrupt, "count of 7"},
		{"view outside", torchStream(view(7, 2), keys, count+eightFloats), ErrCorrupt, "within its 8"},
		{"view that overflows", torchStream(view(math.MaxInt64, 2), keys, count+eightFloats), ErrCorrupt, "within its 8"},
		{"tensor outside its view", torchStream(view(7, 1), keys, count+eightFloats), ErrCorrupt, "within the 1"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := openBytes(c.file)
			wantError(t, err, c.want, c.about)
		})
	}
}

// Pickles that grow in memory stop at the file's size and pickleMemory; so do archives of countless records.
func TestMemoryOfHostileFiles(t *testing.T) {
	const n = 2 << 20
	bombs := map[string][]byte{
		"empty lists":  torchArchive(t, strings.Repeat("]", n), ""),
		"empty dicts":  torchArchive(t, strings.Repeat("}", n), ""),
		"memo":         torchArchive(t, "N"+strings.Repeat("\x94", n), ""),
		"entries":      torchArchive(t, "}("+strings.Repeat("NN", n/2)+"u.", ""),
		"calls":        torchArchive(t, "ccollections\nOrderedDict\nq\x00"+strings.Repeat("h\x00)R", n/4), ""),
		"integers":     torchArchive(t, "]("+strings.Repeat("J\xff\xff\xff\x7f", n/5)+"e.", ""),
		"long text":    torchArchive(t, "X\xff\xff\xff\x7f"+strings.Repeat("x", n), ""),
		"deep":         torchArchive(t, strings.Repeat("]", n/4)+strings.Repeat("a", n/4-1)+".", ""),
		"legacy":       torchStream(strings.Repeat("]", n), "", ""),
		"tensors":      torchArchive(t, "("+bare("0", 8, 0, []int64{8}, []int64{1})+"q\x00"+strings.Repeat("h\x00", n/2)+"t.", eightFloats),
		"many records": archive(t, slices.Repeat([]string{"m/x", ""}, 100000)...),
		"name by name": torchArchive(t, strings.Repeat("}X\xff\x00\x00\x00"+strings.Repeat("k", 255), 100)+bare("0", 8, 0, []int64{8}, []int64{1})+strings.Repeat("s", 100)+".", eightFloats),
	}
	for name, file := range bombs {
		t.Run(name, func(t *testing.T) {
			limit := uint64(2*len(file) + 64<<20)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			f, err := openBytes(file)
			runtime.ReadMemStats(&after)
			// All that was allocated, which is more than what was held at any time.
			if used := after.TotalAlloc - before.TotalAlloc; used > limit {
				t.Errorf("allocated %d MiB for a file of %d MiB, want at most %d MiB (error %v)", used>>20, len(file)>>20, limit>>20, err)
			}
			if err == nil && len(f.Tensors()) == 0 {
				t.Error("opened without tensors")
			}
		})
	}
}

// Opening costs the header, and reading the tensor that is read: less than a fifth more than its size, whatever its layout.
func TestMemoryOfReading(t *testing.T) {
	const n = 1 << 11
	p := new(pickler).op(opMark)
	p.tensor("0", n*n, 0, []int64{n, n}, []int64{1, n}, true).tensor("0", n*n, 0, []int64{n, n}, []int64{n, 1}, true)
	var file bytes.Buffer
	file.Write(torchStream(p.op(opTuple).String()+".", "]X\x01\x00\x00\x000a.", ""))
	file.Write(le.AppendUint64(nil, n*n))
	for i := range n * n {
		file.Write(le.AppendUint32(nil, math.Float32bits(float32(i))))
	}
	path := filepath.Join(t.TempDir(), "big.pth")
	if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	for k, name := range []string{"0", "1"} { // transposed, then plain
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float32, n*n)
		if err := f.Float32s(name, x); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		f.Close()
		if used := after.TotalAlloc - before.TotalAlloc; float64(used) > 1.2*4*n*n {
			t.Errorf("tensor %s: allocated %d bytes for %d, want at most a fifth more", name, used, 4*n*n)
		}
		for _, i := range []int{0, 1, n - 1, n, n + 1, 5*n + 7, n*n - 1} {
			want := float32(i)
			if k == 0 {
				want = float32(i%n*n + i/n)
			}
			if x[i] != want {
				t.Errorf("tensor %s, element %d: got %g, want %g", name, i, x[i], want)
			}
		}
	}
}
