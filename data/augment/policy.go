package augment

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ParseAutoAugment returns the transform that a string describes, or nil for the empty one: "trivial" or "ta_wide" (torchvision's name) for
// TrivialAugmentWide, or RandAugment in timm's grammar, "rand" and any of these, joined by dashes and in any order:
//
//	mN      magnitude, default 10
//	nN      operations for each image, default 2
//	pX      probability of each operation, default 0.5
//	mstdX   deviation of the magnitude; above 100 or "inf": uniform up to the magnitude
//	mmaxN   bound of the magnitude, default 10
//	inc1    operations that grow stronger with the magnitude
//	tweights, w0   weighted choices: timm's, and those that timm had before version 0.8
//
// Errors wrap ErrConfig.
func ParseAutoAugment(s string) (Transform, error) {
	if s == "" {
		return nil, nil
	}
	name, rest, more := strings.Cut(s, "-")
	switch {
	case name == "rand":
		t := RandAugment{N: 2, P: 0.5, Magnitude: 10, Max: 10}
		for more {
			var part string
			part, rest, more = strings.Cut(rest, "-")
			if err := t.set(part); err != nil {
				return nil, fmt.Errorf("%w: aa is %q: %w", ErrConfig, s, err)
			}
		}
		return t, t.validate()
	case !more && (name == "trivial" || name == "ta_wide"):
		return TrivialAugmentWide{}, nil
	}
	return nil, fmt.Errorf("%w: aa is %q; want rand, such as rand-m9-n3-mstd0.5, or trivial", ErrConfig, s)
}

// set sets what one part of the grammar describes.
func (t *RandAugment) set(part string) error {
	key := strings.TrimRight(part, "0123456789.")
	value := part[len(key):]
	if part == "mstdinf" {
		key, value = "mstd", "inf"
	}
	number := func(dst *float64) error {
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("in %q, want a number after %s", part, key)
		}
		*dst = v
		return nil
	}
	whole := func() (int, error) {
		v, err := strconv.Atoi(value)
		if err != nil {
			return 0, fmt.Errorf("in %q, want a whole number after %s", part, key)
		}
		return v, nil
	}
	var err error
	switch key {
	case "m":
		err = number(&t.Magnitude)
	case "p":
		err = number(&t.P)
	case "mmax":
		err = number(&t.Max)
	case "mstd":
		if err = number(&t.Std); err == nil && t.Std > 100 {
			t.Std = math.Inf(1)
		}
	case "n":
		t.N, err = whole()
	case "inc":
		var v int
		v, err = whole()
		t.Increasing = v != 0
	case "tweights":
		t.Weights = RandWeighted
	case "w":
		var v int
		if v, err = whole(); err == nil && v != 0 {
			err = fmt.Errorf("in %q, want w0: there are no other weights", part)
		}
		t.Weights = RandOld
	default:
		err = fmt.Errorf("%q is unknown; want m, n, p, mstd, mmax, inc, each with a number, tweights or w0", part)
	}
	return err
}
