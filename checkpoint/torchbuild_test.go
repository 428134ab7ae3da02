package checkpoint

import (
	"archive/zip"
	"bytes"
	"hash/crc32"
	"testing"
)

// A pickler assembles pickles by hand, for tests of what PyTorch does not write.
type pickler struct{ bytes.Buffer }

func (p *pickler) op(ops ...byte) *pickler { p.Write(ops); return p }

func (p *pickler) text(s string) *pickler {
	p.WriteByte(opBinUnicode)
	p.Write(le.AppendUint32(nil, uint32(len(s))))
	p.WriteString(s)
	return p
}

func (p *pickler) int(v int64) *pickler {
	p.Write([]byte{opLong1, 8})
	p.Write(le.AppendUint64(nil, uint64(v)))
	return p
}

func (p *pickler) global(name string) *pickler {
	p.WriteByte(opGlobal)
	p.WriteString(name)
	p.WriteByte('\n')
	return p
}

func (p *pickler) ints(v ...int64) *pickler {
	p.op(opMark)
	for _, x := range v {
		p.int(x)
	}
	return p.op(opTuple)
}

// tensor writes what _rebuild_tensor makes a tensor of float32 from; legacy files name storages with one item more.
func (p *pickler) tensor(key string, numel, offset int64, shape, strides []int64, legacy bool) *pickler {
	p.global("torch._utils\n_rebuild_tensor").op(opMark).op(opMark)
	p.text("storage").global("torch\nFloatStorage").text(key).text("cpu").int(numel)
	if legacy {
		p.op(opNone)
	}
	p.op(opTuple, opBinPersID).int(offset).ints(shape...).ints(strides...)
	return p.op(opTuple, opReduce)
}

// archive builds a zip of stored records with right checksums; the arguments alternate between names and contents.
func archive(t testing.TB, records ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(records); i += 2 {
		data := []byte(records[i+1])
		r, err := w.CreateRaw(&zip.FileHeader{
			Name: records[i], Method: zip.Store, CRC32: crc32.ChecksumIEEE(data),
			CompressedSize64: uint64(len(data)), UncompressedSize64: uint64(len(data)),
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// torchArchive builds a PyTorch file from a pickle and storage "0".
func torchArchive(t testing.TB, pickle, storage string) []byte {
	return archive(t, "m/data.pkl", pickle, "m/byteorder", "little", "m/data/0", storage)
}

// torchStream builds a legacy stream from the pickle of an object, the pickle of its keys, and what follows.
func torchStream(object, keys, rest string) []byte {
	return []byte("\x80\x02\x8a\x0a" + string(legacyMagic) + ".\x80\x02M\xe9\x03.\x80\x02}." + object + keys + rest)
}
