package augment

import (
	"fmt"
	"math"
)

// maxSide bounds configured sizes, so that a wrong or hostile number in a file's metadata cannot exhaust memory.
const maxSide = 1 << 14

func validateSize(field string, h, w int) error {
	if h < 1 || w < 1 || h > maxSide || w > maxSide {
		return fmt.Errorf("%w: %s is %dx%d (height x width); want 1 to %d each", ErrConfig, field, h, w, maxSide)
	}
	return nil
}

func validateProbability(field string, p float64) error {
	if !(p >= 0 && p <= 1) {
		return fmt.Errorf("%w: %s is %g; want a probability, 0 to 1", ErrConfig, field, p)
	}
	return nil
}

// validateRange asks for 0 < lo <= hi <= limit.
func validateRange(field string, v [2]float64, limit float64) error {
	if !(v[0] > 0 && v[0] <= v[1] && v[1] <= limit) {
		return fmt.Errorf("%w: %s is %g..%g; want a range with 0 < low <= high <= %g", ErrConfig, field, v[0], v[1], limit)
	}
	return nil
}

// validateMagnitude asks for 0 <= v <= limit.
func validateMagnitude(field string, v, limit float64) error {
	if !(v >= 0 && v <= limit) {
		return fmt.Errorf("%w: %s is %g; want 0 to %g", ErrConfig, field, v, limit)
	}
	return nil
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// maxRatio bounds aspect ratios and zoom factors.
const maxRatio = 1000

func (t Resize) validate() error {
	return first(validateSize("the resize", t.H, t.W), t.Interpolation.validate())
}

func (t CenterCrop) validate() error { return validateSize("the crop", t.H, t.W) }

func (t RandomCrop) validate() error {
	return first(validateSize("the crop", t.H, t.W), validateMagnitude("crop padding", float64(t.Padding), maxSide))
}

func (t RandomResizedCrop) validate() error {
	return first(validateSize("the crop", t.H, t.W), validateRange("scale", t.Scale, 1),
		validateRange("ratio", t.Ratio, maxRatio), t.Interpolation.validate())
}

func (t RandomHorizontalFlip) validate() error { return validateProbability("hflip", t.P) }

func (t RandomVerticalFlip) validate() error { return validateProbability("vflip", t.P) }

func (t RandomRotation) validate() error {
	return first(validateMagnitude("rotation", t.Degrees, 180), t.Interpolation.validate())
}

func (t RandomAffine) validate() error {
	err := first(validateMagnitude("rotation", t.Degrees, 180),
		validateMagnitude("translation", t.Translate[0], 1), validateMagnitude("translation", t.Translate[1], 1),
		validateMagnitude("shear", t.Shear[0], 89), validateMagnitude("shear", t.Shear[1], 89), t.Interpolation.validate())
	if err == nil && t.Scale != [2]float64{} {
		err = validateRange("scale", t.Scale, maxRatio)
	}
	return err
}

func (t ColorJitter) validate() error {
	return first(validateMagnitude("brightness", t.Brightness, maxRatio), validateMagnitude("contrast", t.Contrast, maxRatio),
		validateMagnitude("saturation", t.Saturation, maxRatio), validateMagnitude("hue", t.Hue, 0.5))
}

func (t RandomErasing) validate() error {
	if t == (RandomErasing{}) {
		return nil
	}
	return first(validateProbability("the erasing probability", t.P), validateRange("the erased area", t.Scale, 1),
		validateRange("the erased ratio", t.Ratio, maxRatio), t.Mode.validate(), validateMagnitude("the number of erased rectangles", float64(t.Count), 100))
}

func (t Normalize) validate(channels int) error {
	if len(t.Mean) != channels || len(t.Std) != channels {
		return fmt.Errorf("%w: mean has %d and std has %d values; want one per channel, %d", ErrConfig, len(t.Mean), len(t.Std), channels)
	}
	if t.Scale != 1 && t.Scale != 255 {
		return fmt.Errorf("%w: scale is %g; want 1 or 255", ErrConfig, t.Scale)
	}
	for c, v := range t.Mean {
		if math.IsNaN(v) || math.Abs(v) > 1e6 {
			return fmt.Errorf("%w: mean is %g in channel %d; want a number between -1e6 and 1e6", ErrConfig, v, c)
		}
	}
	for c, v := range t.Std {
		if !(v >= 1e-6 && v <= 1e6) {
			return fmt.Errorf("%w: std is %g in channel %d; want a number between 1e-6 and 1e6", ErrConfig, v, c)
		}
	}
	return nil
}
