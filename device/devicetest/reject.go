package devicetest

import (
	"errors"
	"reflect"
	"testing"

	"github.com/cnnctl/cnnctl/device"
)

// rejects damages one case of every call, a field at a time, and expects Bind to notice what Check notices.
func rejects(t *testing.T, b *Bench, cases []Case) {
	for _, family := range families(cases) {
		t.Run(family[0].family(), func(t *testing.T) {
			_, call := b.Load(t, family[0])
			bad := 0
			for _, m := range mutants(reflect.TypeOf(call), nil) {
				v := reflect.New(reflect.TypeOf(call)).Elem()
				v.Set(reflect.ValueOf(call))
				if !m.damage(v.FieldByIndex(m.field)) {
					continue
				}
				c := v.Interface().(device.Call)
				if c.Check() == nil && !m.always {
					continue
				}
				bad++
				if w, ok := b.Device.(device.Workspacer); ok {
					if wc, ok := c.(device.WorkspaceCall); ok && w.Workspace(wc) < 0 {
						t.Errorf("%s: negative workspace", m.name)
					}
				}
				if _, err := b.Device.Bind(c); !errors.Is(err, device.ErrGeometry) {
					t.Errorf("%s: Bind gives error %v, want one that is ErrGeometry", m.name, err)
				}
			}
			if bad < 3 {
				t.Errorf("only %d of the damaged calls are wrong", bad)
			}
		})
	}
}

// A mutant is a way to damage one field of a call.
type mutant struct {
	name   string
	field  []int
	always bool                     // wrong although Check cannot know
	damage func(reflect.Value) bool // reports whether it changed anything
}

// mutants lists what can be done to the fields of a struct, embedded ones included.
func mutants(typ reflect.Type, path []int) []mutant {
	var list []mutant
	for i := range typ.NumField() {
		f := typ.Field(i)
		at := append(append([]int{}, path...), i)
		add := func(what string, always bool, damage func(reflect.Value) bool) {
			list = append(list, mutant{f.Name + " " + what, at, always, damage})
		}
		switch {
		case f.Type == reflect.TypeFor[device.Mem]():
			memory := func(what string, always bool, change func(*device.Mem)) {
				add(what, always, func(v reflect.Value) bool {
					m := v.Addr().Interface().(*device.Mem)
					if m.IsZero() {
						return false
					}
					change(m)
					return true
				})
			}
			memory("missing", false, func(m *device.Mem) { *m = device.Mem{} })
			memory("short", false, func(m *device.Mem) { m.Len = 0 })
			memory("at an odd byte", false, func(m *device.Mem) { m.Off++ })
			memory("before the arena", false, func(m *device.Mem) { m.Off = -4 })
			memory("in an unknown arena", true, func(m *device.Mem) { m.Arena = 1 << 20 })
			memory("behind the arena", true, func(m *device.Mem) { m.Off = 1 << 50 })
		case f.Type.Kind() == reflect.Int:
			for _, n := range []int64{-1, 0, 1 << 45} {
				add("out of range", false, func(v reflect.Value) bool { v.SetInt(n); return true })
			}
		case f.Type.Kind() == reflect.Uint8: // an Act
			add("unknown", false, func(v reflect.Value) bool { v.SetUint(200); return true })
		case f.Type.Kind() == reflect.Float32:
			for _, x := range []float64{-1, 1} {
				add("out of range", false, func(v reflect.Value) bool { v.SetFloat(x); return true })
			}
		case f.Type.Kind() == reflect.Struct:
			list = append(list, mutants(f.Type, at)...)
		}
	}
	return list
}
