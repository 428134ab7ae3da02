package checkpoint

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// A pickle is a program for a small stack machine (the module comments of Python's pickletools describe it). The full
// machine can import and call anything, so loading a pickle is running a stranger's program. This one knows the
// instructions that torch.save emits for dictionaries of tensors, and the names that resolve lists; what it does not
// know it refuses by name. There is no way to switch that off.

// The instructions, by their names in pickletools.
const (
	opMark            = '('
	opStop            = '.'
	opBinFloat        = 'G'
	opBinInt          = 'J'
	opBinInt1         = 'K'
	opBinInt2         = 'M'
	opNone            = 'N'
	opBinPersID       = 'Q'
	opReduce          = 'R'
	opBinString       = 'T'
	opShortBinString  = 'U'
	opBinUnicode      = 'X'
	opAppend          = 'a'
	opBuild           = 'b'
	opGlobal          = 'c'
	opAppends         = 'e'
	opBinGet          = 'h'
	opLongBinGet      = 'j'
	opBinPut          = 'q'
	opLongBinPut      = 'r'
	opSetItem         = 's'
	opTuple           = 't'
	opSetItems        = 'u'
	opEmptyTuple      = ')'
	opEmptyList       = ']'
	opEmptyDict       = '}'
	opProto           = 0x80
	opTuple1          = 0x85
	opTuple2          = 0x86
	opTuple3          = 0x87
	opNewTrue         = 0x88
	opNewFalse        = 0x89
	opLong1           = 0x8a
	opShortBinUnicode = 0x8c
	opStackGlobal     = 0x93
	opMemoize         = 0x94
	opFrame           = 0x95
)

// refusedOps names the instructions that checkpoints do not need, for the error message.
var refusedOps = map[byte]string{
	'0': "POP", '1': "POP_MARK", '2': "DUP", 'F': "FLOAT", 'I': "INT", 'L': "LONG", 'P': "PERSID", 'S': "STRING",
	'V': "UNICODE", 'B': "BINBYTES", 'C': "SHORT_BINBYTES", 'd': "DICT", 'g': "GET", 'i': "INST", 'l': "LIST",
	'o': "OBJ", 'p': "PUT", 0x81: "NEWOBJ", 0x82: "EXT1", 0x83: "EXT2", 0x84: "EXT4", 0x8b: "LONG4",
	0x8d: "BINUNICODE8", 0x8e: "BINBYTES8", 0x8f: "EMPTY_SET", 0x90: "ADDITEMS", 0x91: "FROZENSET",
	0x92: "NEWOBJ_EX", 0x96: "BYTEARRAY8", 0x97: "NEXT_BUFFER", 0x98: "READONLY_BUFFER",
}

const (
	maxProtocol = 5
	// maxMarks bounds how deep a pickle nests what it is building. PyTorch's own stay below ten.
	maxMarks = 1000
	// pickleMemory is what a pickle may occupy when it is loaded, beyond the size of its file. An instruction of one byte
	// makes objects of a hundred, so the file's size alone is no bound.
	pickleMemory = 32 << 20
)

// An unpickler runs one pickle. Its memory is accounted for in budget, in bytes and before it is allocated.
type unpickler struct {
	in     *pickleSource
	budget int64
	// persistent turns a persistent identifier, which stands for a storage, into a value. Nil refuses all.
	persistent func(id []any) (any, error)

	stack []any
	marks []int // positions in stack
	memo  map[uint32]any
}

// load runs the pickle and returns its value. An error that wraps ErrFormat is a refusal, a *readError is the disk's;
// any other means that the pickle is damaged.
func (u *unpickler) load() (any, error) {
	start := u.in.pos
	u.stack, u.marks, u.memo = nil, nil, make(map[uint32]any)
	for {
		at := u.in.pos
		op, err := u.in.byte()
		if err == nil && op == opStop {
			v, err := u.pop()
			if err == nil && len(u.stack)+len(u.marks) > 0 {
				err = fmt.Errorf("want one value at the end, got %d and %d marks more", len(u.stack), len(u.marks))
			}
			return v, at.wrap(start, err)
		}
		if err == nil {
			err = u.step(op)
		}
		if err != nil {
			return nil, at.wrap(start, err)
		}
	}
}

func (u *unpickler) step(op byte) error {
	switch op {
	case opProto:
		v, err := u.in.byte()
		if err == nil && v > maxProtocol {
			return fmt.Errorf("want pickle protocol %d or lower, got %d: %w", maxProtocol, v, ErrFormat)
		}
		return err
	case opFrame: // a hint for readers that fetch ahead
		_, err := u.in.uint(8)
		return err
	case opMark:
		if len(u.marks) >= maxMarks {
			return fmt.Errorf("want at most %d marks, got more", maxMarks)
		}
		u.marks = append(u.marks, len(u.stack))
		return nil

	case opNone:
		return u.push(nil, costNothing)
	case opNewTrue, opNewFalse:
		return u.push(op == opNewTrue, costNothing)
	case opBinInt:
		v, err := u.in.uint(4)
		return u.pushRead(int64(int32(v)), err)
	case opBinInt1:
		v, err := u.in.uint(1)
		return u.pushRead(int64(v), err)
	case opBinInt2:
		v, err := u.in.uint(2)
		return u.pushRead(int64(v), err)
	case opLong1:
		v, err := u.readLong()
		return u.pushRead(v, err)
	case opBinFloat: // the only big-endian number in a pickle
		b, err := u.in.string(8)
		if err != nil {
			return err
		}
		return u.push(math.Float64frombits(be.Uint64([]byte(b))), costScalar)
	case opShortBinString, opShortBinUnicode:
		return u.readText(1)
	case opBinString, opBinUnicode:
		return u.readText(4)

	case opEmptyTuple:
		return u.push(&tuple{}, costTuple)
	case opTuple1, opTuple2, opTuple3:
		return u.makeTuple(int(op-opTuple1) + 1)
	case opTuple:
		n, err := u.popMark()
		if err != nil {
			return err
		}
		return u.makeTuple(n)
	case opEmptyList:
		return u.push(&list{}, costList)
	case opEmptyDict:
		return u.push(&dict{}, costDict)
	case opAppend:
		return u.appendItems(1)
	case opAppends:
		n, err := u.popMark()
		if err != nil {
			return err
		}
		return u.appendItems(n)
	case opSetItem:
		return u.setItems(2)
	case opSetItems:
		n, err := u.popMark()
		if err != nil {
			return err
		}
		return u.setItems(n)

	case opBinPut, opLongBinPut, opMemoize:
		return u.put(op)
	case opBinGet, opLongBinGet:
		return u.get(op)
	case opGlobal, opStackGlobal:
		return u.global(op)
	case opReduce:
		return u.reduce()
	case opBuild:
		return u.build()
	case opBinPersID:
		return u.persistentID()
	}
	if name, ok := refusedOps[op]; ok {
		return fmt.Errorf("the pickle uses %s, which dictionaries of tensors do not need: %w", name, errRefused)
	}
	return fmt.Errorf("want an instruction, got byte %#02x", op)
}

// spend accounts for n bytes of memory.
func (u *unpickler) spend(n int) error {
	if u.budget -= int64(n); u.budget < 0 {
		return fmt.Errorf("its objects need more memory than the file's size and %d MiB: %w", pickleMemory>>20, errRefused)
	}
	return nil
}

// What values cost, in bytes, with the slack of slices and maps that grow. The contents of strings come on top, but are
// no longer than the file.
const (
	costNothing = 0  // nil and booleans, and what exists already
	costScalar  = 24 // a number or string on the stack
	costTuple   = 32
	costList    = 32
	costDict    = 96
	costItem    = 48 // in a list
	costEntry   = 160
	costMemo    = 80
	costCall    = 256
)

// push puts a value on the stack. Cost is that of the value.
func (u *unpickler) push(v any, cost int) error {
	if len(u.stack) == cap(u.stack) {
		cost += 16 * len(u.stack) * 2
		u.stack = slices.Grow(u.stack, len(u.stack)+16)
	}
	if err := u.spend(cost); err != nil {
		return err
	}
	u.stack = append(u.stack, v)
	return nil
}

// pushRead pushes a scalar unless reading it failed.
func (u *unpickler) pushRead(v any, err error) error {
	if err != nil {
		return err
	}
	return u.push(v, costScalar)
}

// floor is the height below which the innermost mark hides the stack.
func (u *unpickler) floor() int {
	if len(u.marks) == 0 {
		return 0
	}
	return u.marks[len(u.marks)-1]
}

func (u *unpickler) pop() (any, error) {
	items, err := u.popN(1)
	if err != nil {
		return nil, err
	}
	return items[0], nil
}

// popN removes n values and returns them in the order of pushing. They are valid until the next push.
func (u *unpickler) popN(n int) ([]any, error) {
	if have := len(u.stack) - u.floor(); have < n {
		return nil, fmt.Errorf("want %d values on the stack, got %d", n, have)
	}
	items := u.stack[len(u.stack)-n:]
	u.stack = u.stack[:len(u.stack)-n]
	return items, nil
}

// popMark removes the innermost mark and returns the number of values above it, which stay.
func (u *unpickler) popMark() (int, error) {
	if len(u.marks) == 0 {
		return 0, errors.New("want a mark on the stack, got none")
	}
	n := len(u.stack) - u.floor()
	u.marks = u.marks[:len(u.marks)-1]
	return n, nil
}

// top returns the value that the next instruction extends.
func (u *unpickler) top() (any, error) {
	if len(u.stack) <= u.floor() {
		return nil, errors.New("want a value on the stack, got none")
	}
	return u.stack[len(u.stack)-1], nil
}

func (u *unpickler) readText(lengthBytes int) error {
	n, err := u.in.uint(lengthBytes)
	if err != nil {
		return err
	}
	s, err := u.in.string(int64(n))
	if err != nil {
		return err
	}
	if !utf8.ValidString(s) {
		return errors.New("want text in UTF-8, got other bytes")
	}
	return u.push(s, costScalar)
}

// readLong reads a little-endian two's-complement integer: an int64 if it fits, its bytes otherwise.
func (u *unpickler) readLong() (any, error) {
	n, err := u.in.uint(1)
	if err != nil {
		return nil, err
	}
	s, err := u.in.string(int64(n))
	if err != nil {
		return nil, err
	}
	if n > 8 {
		return longInt(s), nil
	}
	v := int64(0)
	for i := range len(s) {
		v |= int64(s[i]) << (8 * i)
	}
	if n > 0 {
		shift := 64 - 8*n // extends the sign
		v = v << shift >> shift
	}
	return v, nil
}
