package data

import (
	"fmt"
	"slices"
	"strings"
)

// A layout is how the images of a tree form a data set.
type layout struct {
	classes    []string
	train, val []sample // ordered by class, then by name; nil where the part is absent
	notes      []string
}

// A sample is one image of a tree.
type sample struct {
	file  int32 // index into tree.files
	label int32
}

// A folder holds the images below one folder of a tree, as indices into tree.files.
type folder struct {
	name   string
	images []int32
}

// The names that the parts of a data set go by, in the order of preference; case does not matter.
var (
	trainNames = []string{"train", "training"}
	valNames   = []string{"val", "valid", "validation", "test", "testing"}
)

// children groups images, whose names agree in their first skip bytes, by the next folder, sorted by name. Those
// that lie directly in the common folder are returned apart.
func (t *tree) children(images []int32, skip int) (dirs []folder, loose []int32) {
	at := map[string]int{}
	for _, i := range images {
		name, _, below := strings.Cut(t.files[i].name[skip:], "/")
		if !below {
			loose = append(loose, i)
			continue
		}
		k, ok := at[name]
		if !ok {
			k = len(dirs)
			at[name] = k
			dirs = append(dirs, folder{name: name})
		}
		dirs[k].images = append(dirs[k].images, i)
	}
	slices.SortFunc(dirs, func(a, b folder) int { return strings.Compare(a.name, b.name) })
	return dirs, loose
}

// layout recognises train/<class>/* with or without a validation part, val/<class>/* alone, and <class>/*, each with
// any number of folders around it. An error says why images form no data set.
func (t *tree) layout(images []int32) (*layout, error) {
	l := &layout{}
	for skip := 0; ; {
		dirs, loose := t.children(images, skip)
		if len(dirs) == 0 {
			return nil, t.formatError("its %d images lie in no class folders", len(loose))
		}
		l.loose(loose, "class folders")
		if found, err := t.parts(l, dirs, skip); found || err != nil {
			return l, err
		}
		if len(dirs) > 1 {
			l.train = t.label(l, dirs)
			return l, nil
		}
		skip += len(dirs[0].name) + 1
		if sub, _ := t.children(dirs[0].images, skip); len(sub) == 0 {
			return nil, t.oneClass(dirs[0].name)
		}
		images = dirs[0].images
	}
}

// parts fills l if dirs are the parts of a data set rather than its classes. A folder called train is a part if it
// has folders of its own, because train may also be a class, as bicycle is.
func (t *tree) parts(l *layout, dirs []folder, skip int) (found bool, err error) {
	train, val := pick(dirs, trainNames), pick(dirs, valNames)
	trainDirs, trainLoose := t.below(train, skip)
	valDirs, valLoose := t.below(val, skip)
	onlyParts := !slices.ContainsFunc(dirs, func(d folder) bool { return !isPart(d.name) })
	onlyVal := onlyParts && train == nil && valDirs != nil
	switch {
	case trainDirs != nil:
		l.train = t.label(l, trainDirs)
		l.loose(trainLoose, "class folders of "+train.name)
	case onlyParts && !onlyVal:
		return false, t.formatError("%s holds images, but no class folders", dirs[0].name)
	case !onlyVal:
		return false, nil
	}
	for i := range dirs {
		if d := &dirs[i]; d != train && d != val {
			l.notes = append(l.notes, fmt.Sprintf("the %d images in %s are not used", len(d.images), d.name))
		}
	}
	switch {
	case valDirs != nil:
		l.loose(valLoose, "class folders of "+val.name)
		if err := t.validation(l, val.name, valDirs); err != nil {
			return false, err
		}
	case val != nil:
		l.notes = append(l.notes, fmt.Sprintf("the %d images in %s are not used, because they lie in no class folders", len(val.images), val.name))
	}
	if len(l.classes) == 1 {
		return false, t.oneClass(l.classes[0])
	}
	return true, nil
}

// below returns the folders in d, a folder whose own name starts after skip bytes, and the images beside them.
func (t *tree) below(d *folder, skip int) (dirs []folder, loose []int32) {
	if d == nil {
		return nil, nil
	}
	return t.children(d.images, skip+len(d.name)+1)
}

// validation labels the classes of the validation part by the names of the training part's. An unknown one is an
// error: numbering the folders of each part for itself would silently mix up all later classes.
func (t *tree) validation(l *layout, name string, dirs []folder) error {
	if l.classes != nil {
		for _, d := range dirs {
			if _, ok := slices.BinarySearch(l.classes, d.name); !ok {
				return t.formatError("class %s is in %s, but not in the training part", d.name, name)
			}
		}
		for _, c := range l.classes {
			if !slices.ContainsFunc(dirs, func(d folder) bool { return d.name == c }) {
				l.notes = append(l.notes, fmt.Sprintf("%s has no images of class %s", name, c))
			}
		}
	}
	l.val = t.label(l, dirs)
	return nil
}

func (t *tree) oneClass(name string) error {
	return t.formatError("there is one class only, %s, and telling classes apart takes two", name)
}

// pick returns the folder whose name comes first in names, or nil.
func pick(dirs []folder, names []string) *folder {
	for _, n := range names {
		for i := range dirs {
			if strings.EqualFold(dirs[i].name, n) {
				return &dirs[i]
			}
		}
	}
	return nil
}

func isPart(name string) bool {
	is := func(n string) bool { return strings.EqualFold(n, name) }
	return slices.ContainsFunc(trainNames, is) || slices.ContainsFunc(valNames, is)
}

// label lists the images of class folders. The first call decides the classes: their names, sorted.
func (t *tree) label(l *layout, dirs []folder) []sample {
	if l.classes == nil {
		for _, d := range dirs {
			l.classes = append(l.classes, d.name)
		}
	}
	var out []sample
	for _, d := range dirs {
		k, _ := slices.BinarySearch(l.classes, d.name)
		for _, i := range d.images {
			out = append(out, sample{file: i, label: int32(k)})
		}
	}
	return out
}

// loose notes images that lie beside folders instead of in them.
func (l *layout) loose(images []int32, beside string) {
	if len(images) > 0 {
		l.notes = append(l.notes, fmt.Sprintf("%d images beside the %s are not used", len(images), beside))
	}
}
