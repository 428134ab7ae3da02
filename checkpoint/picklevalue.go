package checkpoint

import (
	"errors"
	"fmt"
	"slices"
)

// The values of a pickle are nil, bool, int64, float64, string, and these.
type (
	tuple struct{ items []any }
	list  struct{ items []any }
	// A longInt is an integer beyond int64: its bytes, little-endian. Only the legacy stream's magic number is one.
	longInt string
	// A callable makes a value from the arguments of a REDUCE instruction.
	callable func(args []any) (any, error)
	// A storageType is the class torch.FloatStorage and the like; the type is empty for untyped storages.
	storageType struct{ dtype DType }
	// An opaque value is known to be harmless and of no use here, such as torch.device.
	opaque struct{ name string }
)

// A dict keeps the order of its entries, as Python's do.
type dict struct {
	keys    []any
	values  []any
	index   map[any]int // key to position
	ordered bool        // a collections.OrderedDict
}

func (d *dict) get(key any) (any, bool) {
	i, ok := d.index[key]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

// set adds or replaces an entry. Keys that Go cannot compare, and Python does not hash, are an error.
func (d *dict) set(key, value any) error {
	switch key.(type) {
	case nil, bool, int64, float64, string, *tuple: // tuples by identity: nobody looks them up
	default:
		return fmt.Errorf("want a key that can be hashed, got %s", aKind(key))
	}
	if i, ok := d.index[key]; ok {
		d.values[i] = value
		return nil
	}
	if d.index == nil {
		d.index = make(map[any]int)
	}
	d.index[key] = len(d.keys)
	d.keys = append(d.keys, key)
	d.values = append(d.values, value)
	return nil
}

// kindOf names the type of a value in Python's words.
func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "bool"
	case int64, longInt:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case *tuple:
		return "tuple"
	case *list:
		return "list"
	case *dict:
		return "dict"
	case *tensorValue:
		return "tensor"
	case *storageValue:
		return "storage"
	case storageType, DType:
		return "type"
	case opaque:
		return v.name
	}
	return "function"
}

// aKind is kindOf with its article.
func aKind(v any) string {
	switch kind := kindOf(v); kind[0] {
	case 'N':
		return kind
	case 'i':
		return "an " + kind
	default:
		return "a " + kind
	}
}

func (u *unpickler) makeTuple(n int) error {
	items, err := u.popN(n)
	if err != nil {
		return err
	}
	if err := u.spend(16 * n); err != nil {
		return err
	}
	return u.push(&tuple{slices.Clone(items)}, costTuple)
}

func (u *unpickler) appendItems(n int) error {
	items, err := u.popN(n)
	if err != nil {
		return err
	}
	v, err := u.top()
	if err != nil {
		return err
	}
	l, ok := v.(*list)
	if !ok {
		return fmt.Errorf("want a list to append to, got %s", aKind(v))
	}
	if err := u.spend(costItem * n); err != nil {
		return err
	}
	l.items = append(l.items, items...)
	return nil
}

func (u *unpickler) setItems(n int) error {
	items, err := u.popN(n)
	if err != nil {
		return err
	}
	v, err := u.top()
	if err != nil {
		return err
	}
	d, ok := v.(*dict)
	if !ok {
		return fmt.Errorf("want a dict to add to, got %s", aKind(v))
	}
	if n%2 != 0 {
		return fmt.Errorf("want keys and values in pairs, got %d", n)
	}
	for i := 0; i < n; i += 2 {
		if err := u.spend(costEntry); err != nil {
			return err
		}
		if err := d.set(items[i], items[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpickler) put(op byte) error {
	v, err := u.top()
	if err != nil {
		return err
	}
	key := uint64(len(u.memo)) // of opMemoize
	switch op {
	case opBinPut:
		key, err = u.in.uint(1)
	case opLongBinPut:
		key, err = u.in.uint(4)
	}
	if err != nil {
		return err
	}
	if err := u.spend(costMemo); err != nil {
		return err
	}
	u.memo[uint32(key)] = v
	return nil
}

func (u *unpickler) get(op byte) error {
	n := 1
	if op == opLongBinGet {
		n = 4
	}
	key, err := u.in.uint(n)
	if err != nil {
		return err
	}
	v, ok := u.memo[uint32(key)]
	if !ok {
		return fmt.Errorf("want an object under number %d, got none", key)
	}
	return u.push(v, costNothing)
}

func (u *unpickler) global(op byte) error {
	var module, name string
	var err error
	if op == opGlobal {
		if module, err = u.in.line(); err == nil {
			name, err = u.in.line()
		}
	} else {
		var items []any
		if items, err = u.popN(2); err == nil {
			var isText, isToo bool
			module, isText = items[0].(string)
			name, isToo = items[1].(string)
			if !isText || !isToo {
				err = fmt.Errorf("want the name of a module and one in it, got %s and %s", aKind(items[0]), aKind(items[1]))
			}
		}
	}
	if err != nil {
		return err
	}
	v, err := resolve(module, name)
	return u.pushRead(v, err)
}

func (u *unpickler) reduce() error {
	items, err := u.popN(2)
	if err != nil {
		return err
	}
	f, ok := items[0].(callable)
	args, isTuple := items[1].(*tuple)
	if !ok || !isTuple {
		return fmt.Errorf("want a function and its arguments, got %s and %s", aKind(items[0]), aKind(items[1]))
	}
	v, err := f(args.items)
	if err != nil {
		return err
	}
	cost := costCall
	switch v := v.(type) {
	case *dict:
		cost += costEntry * len(v.keys)
	case *tensorValue:
		cost += 16 * len(v.view.shape)
	}
	return u.push(v, cost)
}

// build sets attributes. A state dict has one, _metadata with the versions of its modules, which nothing here needs.
func (u *unpickler) build() error {
	if _, err := u.pop(); err != nil {
		return err
	}
	v, err := u.top()
	if err != nil {
		return err
	}
	if d, ok := v.(*dict); !ok || !d.ordered {
		return fmt.Errorf("want attributes of a collections.OrderedDict only, got those of %s: %w", aKind(v), errRefused)
	}
	return nil
}

func (u *unpickler) persistentID() error {
	v, err := u.pop()
	if err != nil {
		return err
	}
	id, ok := v.(*tuple)
	if !ok {
		return fmt.Errorf("want a tuple that identifies a storage, got %s", aKind(v))
	}
	if u.persistent == nil {
		return errors.New("want no storages in this part of the file, got one")
	}
	s, err := u.persistent(id.items)
	if err != nil {
		return err
	}
	return u.push(s, costCall)
}
