package train

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// mayChange lists the settings that a continued run may change, because the epochs that are done do not depend on them: they decide how long
// it goes on, where it computes, and what is kept. Whether it is the same data is told by its digest, wherever it lies, and what takes the place of
// a corrupt sample does not depend on how many there may be.
var mayChange = []string{"epochs", "patience", "workers", "device", "winograd", "save-every", "data", "skip-corrupt"}

// changed lists the settings in which c differs from those of the run that it is to continue, those that may change left out.
func (c Config) changed(before Config) []string {
	var names []string
	now, then := reflect.ValueOf(c), reflect.ValueOf(before)
	for i := range now.NumField() {
		name, _, _ := strings.Cut(now.Type().Field(i).Tag.Get("yaml"), ",")
		if !slices.Contains(mayChange, name) && !reflect.DeepEqual(now.Field(i).Interface(), then.Field(i).Interface()) {
			names = append(names, name)
		}
	}
	return names
}

// continues reports settings that a continued run must not change. The error wraps ErrConfig.
func (c Config) continues(before Config) error {
	if names := c.changed(before); len(names) > 0 {
		return fmt.Errorf("%w: --%s would make the epochs that are done untrue; --resume lets only --%s change; start a new run for the rest",
			ErrConfig, strings.Join(names, ", --"), strings.Join(mayChange, ", --"))
	}
	return nil
}
