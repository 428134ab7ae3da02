package checkpoint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// wrappers are the keys under which training scripts keep a model's tensors beside those of the optimiser and the like.
// The first that is there is used. Averaged weights (EMA) come first, as in timm: they are the ones that were evaluated.
var wrappers = []string{
	"state_dict_ema", "model_ema", "ema_state_dict",
	"state_dict", "model_state_dict", "model_state", "model", "net",
}

// wraps are what DataParallel and torch.compile put before every name.
var wraps = []string{"module.", "_orig_mod."}

const (
	maxNesting = 64 // of dictionaries and lists
	maxListed  = 16 // of what was skipped
)

// The metadata entries that tell what was made of a PyTorch file.
const (
	MetaContainer = "pytorch.container" // containerZip or containerLegacy
	MetaKey       = "pytorch.key"       // the dictionary that was used, such as "state_dict", if it was not the outermost
	MetaSkipped   = "pytorch.skipped"   // what else there was
	MetaStripped  = "pytorch.stripped"  // the prefix that was taken from every name
)

const (
	containerZip    = "zip"
	containerLegacy = "legacy stream"
)

// useStateDict finds the dictionary of tensors in a pickle's value and makes its tensors the file's. The names of nested
// dictionaries are joined by dots. If key is not empty it says which dictionary to take, and slashes separate the steps.
func (f *File) useStateDict(v any, key, container string, spend func(bytes int) error) error {
	w := &stateDict{spend: spend, holds: make(map[any]bool)}
	if _, err := w.hasTensor(v, 0); err != nil {
		return err
	}
	path, err := w.choose(&v, key)
	if err != nil {
		return err
	}
	if err := w.flatten("", v, 0); err != nil {
		return err
	}
	if len(w.tensors) == 0 {
		return fmt.Errorf("want a dictionary of tensors, got %s without any: %w", aKind(v), errRefused)
	}
	stripped := w.strip()
	for _, t := range w.tensors {
		if err := f.addTensor(t); err != nil {
			return fmt.Errorf("tensor %q: %w", t.name, err)
		}
	}
	f.metadata = map[string]string{MetaContainer: container}
	for k, text := range map[string]string{MetaKey: path, MetaSkipped: w.skippedText(), MetaStripped: stripped} {
		if text != "" {
			f.metadata[k] = text
		}
	}
	return nil
}

// addTensor checks what concerns the whole file and appends the tensor.
func (f *File) addTensor(t namedTensor) error {
	v := t.value
	if v.size > f.size { // only expanded dimensions, whose elements are one in the file, can do that
		return fmt.Errorf("want at most the file's %d bytes, got %d for shape %v by repeating elements: %w", f.size, v.size, v.view.shape, errRefused)
	}
	info := Info{Name: t.name, DType: v.dtype, Size: v.size, Shape: make([]int, len(v.view.shape)), offset: v.storage.offset + v.first, storage: v.storage}
	for i, n := range v.view.shape {
		info.Shape[i] = int(n) // fits: newView has checked
	}
	if !v.view.contiguous() {
		if _, err := v.view.axes(); err != nil {
			return err
		}
		info.view = &v.view
	}
	f.tensors = append(f.tensors, info)
	return nil
}

type namedTensor struct {
	name  string
	value *tensorValue
}

// A stateDict collects tensors from a tree of dictionaries and lists. The tree may be a hostile one, in which containers
// contain themselves or each other many times: whatever is done per item is paid for with spend.
type stateDict struct {
	spend   func(bytes int) error
	holds   map[any]bool // containers: whether there is a tensor in them
	tensors []namedTensor
	skipped []string // the first maxListed
	more    int      // those after
}

// entries returns what a container holds, with names; ok is false for all other values.
func entries(v any) (names []any, values []any, ok bool) {
	switch v := v.(type) {
	case *dict:
		return v.keys, v.values, true
	case *list:
		return nil, v.items, true
	case *tuple:
		return nil, v.items, true
	}
	return nil, nil, false
}

// hasTensor fills w.holds for v and all below.
func (w *stateDict) hasTensor(v any, depth int) (bool, error) {
	if _, ok := v.(*tensorValue); ok {
		return true, nil
	}
	_, values, ok := entries(v)
	if !ok {
		return false, nil
	}
	if has, seen := w.holds[v]; seen {
		return has, nil
	}
	if depth >= maxNesting {
		return false, fmt.Errorf("dictionaries are nested more than %d deep: %w", maxNesting, errRefused)
	}
	if err := w.spend(costMemo); err != nil {
		return false, err
	}
	w.holds[v] = false // until known, for containers that contain themselves
	for _, item := range values {
		has, err := w.hasTensor(item, depth+1)
		if err != nil {
			return false, err
		}
		if has {
			w.holds[v] = true
		}
	}
	return w.holds[v], nil
}

// choose replaces *v by the dictionary to use and returns the way to it.
func (w *stateDict) choose(v *any, key string) (path string, err error) {
	var steps []string
	if key != "" {
		steps = strings.Split(key, "/")
		for i, step := range steps {
			d, _ := (*v).(*dict)
			if d == nil {
				return "", fmt.Errorf("want a dictionary that has %q, got %s: %w", step, aKind(*v), ErrNoTensor)
			}
			next, ok := d.get(step)
			if !ok {
				return "", fmt.Errorf("want a key %q, got %s: %w", strings.Join(steps[:i+1], "/"), keysOf(d), ErrNoTensor)
			}
			*v = next
		}
		return key, nil
	}
	for range 3 { // {"model": {"state_dict": ...}} is as deep as it gets
		d, ok := (*v).(*dict)
		if !ok {
			break
		}
		step := w.wrapper(d)
		if step == "" {
			break
		}
		for i, k := range d.keys {
			if k != step {
				w.skip(keyName(k), d.values[i])
			}
		}
		*v, _ = d.get(step)
		steps = append(steps, step)
	}
	return strings.Join(steps, "/"), nil
}

// wrapper returns the key of d under which the model's dictionary lies, or "" if d is that dictionary: one of the known
// keys, or the only one that holds tensors if its value looks like the state_dict of a module, which is an OrderedDict.
func (w *stateDict) wrapper(d *dict) string {
	for _, k := range wrappers {
		if v, ok := d.get(k); ok {
			if inner, ok := v.(*dict); ok && w.holds[inner] {
				return k
			}
		}
	}
	only := ""
	for i, v := range d.values {
		if _, isTensor := v.(*tensorValue); isTensor {
			return ""
		}
		if _, _, ok := entries(v); !ok || !w.holds[v] {
			continue
		}
		inner, _ := v.(*dict)
		k, isText := d.keys[i].(string)
		if only != "" || inner == nil || !inner.ordered || !isText {
			return ""
		}
		only = k
	}
	return only
}

// flatten collects the tensors of v, whose name so far is name.
func (w *stateDict) flatten(name string, v any, depth int) error {
	if err := w.spend(costItem + len(name)); err != nil {
		return err
	}
	if t, ok := v.(*tensorValue); ok {
		if name == "" {
			name = "tensor" // the file is one
		}
		w.tensors = append(w.tensors, namedTensor{name, t})
		return w.spend(costEntry + 16*len(t.view.shape))
	}
	names, values, ok := entries(v)
	if !ok || !w.holds[v] {
		w.skip(name, v)
		return nil
	}
	if depth >= maxNesting {
		return fmt.Errorf("dictionaries are nested more than %d deep: %w", maxNesting, errRefused)
	}
	for i, item := range values {
		part := strconv.Itoa(i)
		if names != nil {
			part = keyName(names[i])
		}
		if depth > 0 {
			part = name + "." + part
		}
		if err := w.flatten(part, item, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// strip takes a prefix away that all names have, and returns it.
func (w *stateDict) strip() string {
	stripped := ""
	for i := 0; i < len(wraps); {
		prefix := wraps[i]
		bare := slices.ContainsFunc(w.tensors, func(t namedTensor) bool {
			return !strings.HasPrefix(t.name, prefix) || t.name == prefix
		})
		if bare {
			i++
			continue
		}
		for j := range w.tensors {
			w.tensors[j].name = w.tensors[j].name[len(prefix):]
		}
		stripped += prefix
		i = 0
	}
	return stripped
}

func (w *stateDict) skip(name string, v any) {
	if len(w.skipped) == maxListed {
		w.more++
		return
	}
	w.skipped = append(w.skipped, describe(name, v))
}

func (w *stateDict) skippedText() string {
	text := strings.Join(w.skipped, ", ")
	if w.more > 0 {
		text += fmt.Sprintf(" and %d more", w.more)
	}
	return text
}

// describe shows a number with its value, and of everything else the kind.
func describe(name string, v any) string {
	const longest = 64
	if r := []rune(name[:min(len(name), 4*longest)]); len(r) > longest {
		name = string(r[:longest]) + "..."
	}
	switch v := v.(type) {
	case nil:
		return name + "=None"
	case bool, int64, float64:
		return fmt.Sprintf("%s=%v", name, v)
	case *dict:
		return fmt.Sprintf("%s (dict of %d)", name, len(v.keys))
	}
	return fmt.Sprintf("%s (%s)", name, kindOf(v))
}

// keyName writes a dictionary's key as a part of a name.
func keyName(key any) string {
	switch key := key.(type) {
	case string:
		return key
	case *tuple:
		return "tuple"
	}
	return fmt.Sprint(key)
}

func keysOf(d *dict) string {
	var keys []string
	for i, k := range d.keys {
		if i == maxListed {
			keys = append(keys, "...")
			break
		}
		keys = append(keys, strconv.Quote(keyName(k)))
	}
	return strings.Join(keys, ", ")
}
