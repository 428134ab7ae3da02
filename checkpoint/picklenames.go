package checkpoint

import (
	"errors"
	"fmt"
	"strings"
)

// errRefused ends the message about something that a pickle contains and that is not read.
var errRefused = fmt.Errorf("in PyTorch, save model.state_dict() alone, with dense tensors of floats or integers: %w", ErrFormat)

// names is the closed list of what a pickle may name. Nothing is imported or looked up anywhere else.
var names = map[string]any{
	"collections.OrderedDict":         callable(orderedDict),
	"torch._utils._rebuild_tensor":    callable(rebuildTensor),
	"torch._utils._rebuild_tensor_v2": callable(rebuildTensorV2),
	"torch._utils._rebuild_tensor_v3": callable(rebuildTensorV3),
	"torch._utils._rebuild_parameter": callable(rebuildParameter),
	"torch.Size":                      callable(size),
	"torch.device":                    callable(device),

	"torch.DoubleStorage":          storageType{F64},
	"torch.FloatStorage":           storageType{F32},
	"torch.HalfStorage":            storageType{F16},
	"torch.BFloat16Storage":        storageType{BF16},
	"torch.LongStorage":            storageType{I64},
	"torch.IntStorage":             storageType{I32},
	"torch.ShortStorage":           storageType{I16},
	"torch.CharStorage":            storageType{I8},
	"torch.ByteStorage":            storageType{U8},
	"torch.BoolStorage":            storageType{Bool},
	"torch.UntypedStorage":         storageType{},
	"torch.storage.UntypedStorage": storageType{},

	"torch.float64":  F64,
	"torch.float32":  F32,
	"torch.float16":  F16,
	"torch.bfloat16": BF16,
	"torch.int64":    I64,
	"torch.int32":    I32,
	"torch.int16":    I16,
	"torch.int8":     I8,
	"torch.uint64":   U64,
	"torch.uint32":   U32,
	"torch.uint16":   U16,
	"torch.uint8":    U8,
	"torch.bool":     Bool,
}

// foreign says of names that files do contain what they stand for. A name that ends in a dot is a module with all below.
var foreign = []struct{ name, what string }{
	{"torch.ComplexFloatStorage", "complex numbers"},
	{"torch.ComplexDoubleStorage", "complex numbers"},
	{"torch.complex", "complex numbers"},
	{"torch._utils._rebuild_sparse", "a sparse tensor"},
	{"torch._utils._rebuild_nested", "a nested tensor"},
	{"torch._utils._rebuild_meta", "a tensor without data"},
	{"torch._utils._rebuild_qtensor", "a quantized tensor"},
	{"torch.QInt", "quantized numbers"},
	{"torch.QUInt", "quantized numbers"},
	{"torch.qint", "quantized numbers"},
	{"torch.quint", "quantized numbers"},
	{"torch.float8", "8-bit floats"},
	{"torch.storage._load_from_bytes", "a tensor that pickle saved instead of torch.save"},
	{"torch.nn.", "code of a module"},
	{"torchvision.", "code of a model"},
	{"timm.", "code of a model"},
	{"numpy.", "a NumPy object"},
}

// resolve returns what a name in a pickle stands for, or an error that names it.
func resolve(module, name string) (any, error) {
	full := module + "." + name
	if v, ok := names[full]; ok {
		return v, nil
	}
	what := "unknown here"
	for _, f := range foreign {
		if strings.HasPrefix(full, f.name) {
			what = f.what
			break
		}
	}
	return nil, fmt.Errorf("the pickle names %q (%s), and pickles may run any code they name: %w", full, what, errRefused)
}

// orderedDict takes nothing, or, from Python 2, a list of [key, value] lists.
func orderedDict(args []any) (any, error) {
	d := &dict{ordered: true}
	if len(args) == 0 {
		return d, nil
	}
	entries, ok := args[0].(*list)
	if !ok || len(args) > 1 {
		return nil, errors.New("OrderedDict: want a list of pairs, got something else")
	}
	for _, e := range entries.items {
		var pair []any
		switch e := e.(type) {
		case *list:
			pair = e.items
		case *tuple:
			pair = e.items
		}
		if len(pair) != 2 {
			return nil, fmt.Errorf("OrderedDict: want pairs of key and value, got %s", aKind(e))
		}
		if err := d.set(pair[0], pair[1]); err != nil {
			return nil, fmt.Errorf("OrderedDict: %w", err)
		}
	}
	return d, nil
}

func size(args []any) (any, error) {
	if len(args) == 1 {
		if t, ok := args[0].(*tuple); ok {
			return t, nil
		}
	}
	return nil, errors.New("torch.Size: want a tuple, got something else")
}

func device([]any) (any, error) { return opaque{"torch.device"}, nil }

func rebuildTensor(args []any) (any, error) {
	if len(args) != 4 {
		return nil, fmt.Errorf("_rebuild_tensor: want 4 arguments, got %d", len(args))
	}
	return newTensorValue(args, "")
}

// rebuildTensorV2 has two more arguments that concern training, and since PyTorch 2 may have a dictionary of flags, such
// as "the numbers stored are the negative ones".
func rebuildTensorV2(args []any) (any, error) {
	if len(args) != 6 && len(args) != 7 {
		return nil, fmt.Errorf("_rebuild_tensor_v2: want 6 or 7 arguments, got %d", len(args))
	}
	if len(args) == 7 {
		if err := noFlags(args[6]); err != nil {
			return nil, err
		}
	}
	return newTensorValue(args[:4], "")
}

// rebuildTensorV3 is for types that have no storage class: an untyped storage and the type apart.
func rebuildTensorV3(args []any) (any, error) {
	if len(args) != 7 && len(args) != 8 {
		return nil, fmt.Errorf("_rebuild_tensor_v3: want 7 or 8 arguments, got %d", len(args))
	}
	d, ok := args[6].(DType)
	if !ok {
		return nil, fmt.Errorf("_rebuild_tensor_v3: want a type of elements, got %s", aKind(args[6]))
	}
	if len(args) == 8 {
		if err := noFlags(args[7]); err != nil {
			return nil, err
		}
	}
	return newTensorValue(args[:4], d)
}

func noFlags(v any) error {
	if d, ok := v.(*dict); v == nil || ok && len(d.keys) == 0 {
		return nil
	}
	return fmt.Errorf("a tensor is stored with flags (conjugate or negative): %w", errRefused)
}

func rebuildParameter(args []any) (any, error) {
	if len(args) != 3 {
		return nil, fmt.Errorf("_rebuild_parameter: want 3 arguments, got %d", len(args))
	}
	t, ok := args[0].(*tensorValue)
	if !ok {
		return nil, fmt.Errorf("_rebuild_parameter: want a tensor, got %s", aKind(args[0]))
	}
	return t, nil
}
