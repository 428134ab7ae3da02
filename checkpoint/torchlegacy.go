package checkpoint

import "fmt"

// torch.save wrote, from PyTorch 0.1.10 to 1.5 and still with _use_new_zipfile_serialization=False, one stream of
//
//	pickle    the magic number
//	pickle    the protocol's version, 1001
//	pickle    a dictionary about the machine
//	pickle    the object; storages are persistent identifiers
//	          ('storage', type, key, device, length, None or (key of the view, offset, length))
//	pickle    a list of the storages' keys
//	storages  in the order of the list: the number of elements as 8 bytes, then the elements
//
// (torch/serialization.py, functions _legacy_save and _legacy_load). Numbers are little-endian whatever the machine was:
// THPStorage_writeFileRaw converts. There are no checksums.

const (
	legacyMagic    = longInt("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19")
	legacyProtocol = 1001
)

func (f *File) readLegacy(key string) error {
	all := make(storages)
	in := newPickleSource(f.r, 0, f.size)
	u := &unpickler{in: in, budget: f.size + pickleMemory}
	if magic, err := u.load(); err != nil {
		return err
	} else if magic != legacyMagic {
		return fmt.Errorf("it is a Python pickle that torch.save did not write: %w", errRefused)
	}
	if version, err := u.load(); err != nil {
		return err
	} else if version != int64(legacyProtocol) {
		return fmt.Errorf("want version %d of the stream, got %v: %w", legacyProtocol, version, ErrFormat)
	}
	if _, err := u.load(); err != nil { // nothing in it concerns the numbers
		return err
	}
	u.persistent = func(id []any) (any, error) {
		if len(id) != 6 || id[0] != "storage" {
			return nil, fmt.Errorf("want an identifier ('storage', type, key, device, length, view), got %d items", len(id))
		}
		s, err := all.add(id[1], id[2], id[4])
		if err != nil {
			return nil, err
		}
		if id[5] == nil {
			return whole(s), nil
		}
		if v, ok := id[5].(*tuple); ok && len(v.items) == 3 {
			return s.part(v.items[1], v.items[2])
		}
		return nil, fmt.Errorf("storage %q: want a view (key, offset, length), got %s", s.key, aKind(id[5]))
	}
	v, err := u.load()
	if err != nil {
		return err
	}
	u.persistent = nil
	keys, err := u.load()
	if err != nil {
		return err
	}
	if err := f.placeStorages(keys, all, int64(in.pos)); err != nil {
		return err
	}
	return f.useStateDict(v, key, containerLegacy, u.spend)
}

// placeStorages walks over the storages, which begin at off.
func (f *File) placeStorages(keys any, all storages, off int64) error {
	l, ok := keys.(*list)
	if !ok {
		return fmt.Errorf("want a list of storages, got %s", aKind(keys))
	}
	if len(l.items) != len(all) {
		return fmt.Errorf("want the %d storages that tensors use, got %d", len(all), len(l.items))
	}
	seen := make(map[any]bool, len(all))
	for _, k := range l.items {
		name, ok := k.(string)
		s := all[name]
		if !ok || s == nil || seen[k] {
			return fmt.Errorf("want each storage that tensors use once, got %v", k)
		}
		seen[k] = true
		var count [8]byte
		if err := f.readHeaderBytes(count[:], off); err != nil {
			return err
		}
		if n := int64(le.Uint64(count[:])); n != s.numel {
			return fmt.Errorf("storage %q: want %d elements, got a count of %d", s.key, s.numel, n)
		}
		s.offset = off + 8
		if s.bytes() > f.size-s.offset {
			return fmt.Errorf("storage %q: want %d bytes, got %d: the file is truncated", s.key, s.bytes(), f.size-s.offset)
		}
		off = s.offset + s.bytes()
	}
	return nil
}
