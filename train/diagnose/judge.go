package diagnose

import (
	"fmt"
	"math"
)

// The bounds between which Judge decides.
const (
	// SureErrors is how many standard errors two accuracies must lie apart to count as different: two, as usual. With 153 validation images and
	// accuracies near 90 % that is 7 points.
	SureErrors = 2
	// LeastDifference is a difference of accuracies that nobody would act on, however sure it is.
	LeastDifference = 0.01
	// MismatchDistance is how far, in the source's standard deviations, activations lie from what the trunk was trained on before it counts. Measured: a
	// ResNet-20 of CIFAR-10 sees CIFAR's test images at 0.13, photographs of flowers at 0.24, their negatives, which are still much like
	// photographs, at 0.31, and drawn digits at 0.37; a LeNet of digits sees other digits at 0.1 and their negatives at 1.5. The distance alone is
	// no verdict: the features must also serve badly.
	MismatchDistance = 0.35
	// LearnedByHeart is the share of its training images that a network classifies rightly once there is nothing left to learn from them.
	LearnedByHeart = 0.97
	// Serves is the share of its training images that a head on features which serve gets right at the least.
	Serves = 0.9
	// Underfits is how many of them fewer a frozen trunk gets right than the whole network before its features count as insufficient.
	Underfits = 0.03
	// Gap is the distance between the accuracies on training and validation images that more images would close.
	Gap = 0.15
	// Falls is how far the accuracy must drop between the best and the last epoch. The best of many is always a little better than any one.
	Falls = 0.03
	// FewImages of each class are few: published few-shot results rise steeply up to about there.
	FewImages = 20
	// StillGuesses is how far above chance, on a scale to 1, a network still has not learned anything.
	StillGuesses = 0.1
	// Forgets is a loss of source accuracy that a user would notice.
	Forgets = 0.1
)

// differs reports whether accuracy a is higher than b, measured on n images, by more than chance explains.
func differs(a, b float64, n int) bool {
	return a-b > max(LeastDifference, SureErrors*deviation(a, b, n))
}

// deviation is the standard error of the difference of two accuracies, each measured on n images. Both are measured on the same images, which makes
// it smaller; how much is not known.
func deviation(a, b float64, n int) float64 {
	// Half an image more right and wrong: an accuracy of 1 is not known exactly either.
	v := func(p float64) float64 { p = (p*float64(n) + 0.5) / (float64(n) + 1); return p * (1 - p) / float64(n) }
	return math.Sqrt(v(a) + v(b))
}

// Judge returns the findings, the gravest first; there is always one.
func Judge(r *Report) []Finding {
	var found []Finding
	for _, rule := range []func(*Report) *Finding{negativeTransfer, domainMismatch, tooLittleData, overFreezing, overFitting, forgetting} {
		if f := rule(r); f != nil {
			found = append(found, *f)
		}
	}
	if len(found) == 0 {
		found = append(found, ordinary(r))
	}
	return found
}

// best returns the better outcome of the pretrained weights.
func (r *Report) best() Outcome {
	if r.Probe.Top1 > r.Full.Top1 {
		return r.Probe
	}
	return r.Full
}

func (r *Report) better(a, b Outcome) bool { return differs(a.Top1, b.Top1, r.Val) }

func percent(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }

func negativeTransfer(r *Report) *Finding {
	if !r.better(r.Scratch, r.best()) {
		return nil
	}
	return &Finding{NegativeTransfer, fmt.Sprintf("random weights reach %s at the same budget, the pretrained ones %s (all layers) and %s (frozen): the pretraining does harm",
		percent(r.Scratch.Top1), percent(r.Full.Top1), percent(r.Probe.Top1)), "use --strategy scratch, or weights from data that is more alike"}
}

func domainMismatch(r *Report) *Finding {
	if r.Reference == "" || r.Distance < MismatchDistance || r.Probe.Fit >= Serves && !r.better(r.Full, r.Probe) && !r.better(r.Scratch, r.Probe) {
		return nil
	}
	return &Finding{DomainMismatch, fmt.Sprintf("the images excite the layers otherwise than those that they were trained on: their activations lie %.2f standard deviations from the %s "+
		"(more than %.2f), and the frozen features fit only %s of the training images and reach %s on the others (all layers: %s)", r.Distance, r.Reference, MismatchDistance,
		percent(r.Probe.Fit), percent(r.Probe.Top1), percent(r.Full.Top1)),
		"compare the preprocessing with that of the pretraining (data preview shows it: inverted? BGR? another scale?); if it is right, train all layers"}
}

func overFreezing(r *Report) *Finding {
	if !r.better(r.Full, r.Probe) || r.Probe.Fit > LearnedByHeart || r.Full.Fit-r.Probe.Fit < Underfits {
		return nil
	}
	return &Finding{OverFreezing, fmt.Sprintf("a head on the frozen trunk cannot even fit the training images: %s of them, where all layers fit %s; on the validation images %s and %s",
		percent(r.Probe.Fit), percent(r.Full.Fit), percent(r.Probe.Top1), percent(r.Full.Top1)), "train deeper layers: --strategy full, gradual or last:N"}
}

func overFitting(r *Report) *Finding {
	fell := differs(r.Full.Top1, r.Full.Last, r.Val) && r.Full.Top1-r.Full.Last > Falls
	if r.Full.Fit < LearnedByHeart || !r.better(r.Probe, r.Full) && !fell {
		return nil
	}
	why := fmt.Sprintf("training all layers fits %s of the training images and reaches %s on the others, where the frozen features reach %s", percent(r.Full.Fit), percent(r.Full.Top1), percent(r.Probe.Top1))
	if fell {
		why = fmt.Sprintf("training all layers fits %s of the training images, while the accuracy on the others fell from %s in epoch %d to %s", percent(r.Full.Fit), percent(r.Full.Top1), r.Full.BestEpoch, percent(r.Full.Last))
	}
	return &Finding{OverFineTuning, why + ": it learns the images by heart", "train fewer layers (--strategy head or last:N), at a lower rate (--lr, --lr-mult, --layer-decay), for fewer epochs, or with more augmentation"}
}

func forgetting(r *Report) *Finding {
	f := r.Forgotten
	if f == nil || f.Note != "" || f.Before-f.After < Forgets || r.better(r.Full, r.Probe) {
		return nil
	}
	return &Finding{OverFineTuning, fmt.Sprintf("training all layers forgot the source (%s of its images are recognised, %s before) and gained nothing by it: %s, where the frozen features reach %s",
		percent(f.After), percent(f.Before), percent(r.Full.Top1), percent(r.Probe.Top1)), "train the head alone, or all layers at a lower rate (--lr-mult, --layer-decay)"}
}

func tooLittleData(r *Report) *Finding {
	perClass := float64(r.Train) / float64(r.Classes)
	gap := min(r.Probe.Fit-r.Probe.Last, r.Full.Fit-r.Full.Last)
	if perClass >= FewImages || min(r.Probe.Fit, r.Full.Fit) < Serves || gap < Gap {
		return nil
	}
	return &Finding{TooLittleData, fmt.Sprintf("there are %.0f images of each class (fewer than %d); both the frozen and the trained features fit them (%s and %s) and then fail on others (%s and %s)",
		perClass, FewImages, percent(r.Probe.Fit), percent(r.Full.Fit), percent(r.Probe.Last), percent(r.Full.Last)), "collect more images, or augment them (--aa, --mixup)"}
}

// ordinary is the finding where nothing is wrong.
func ordinary(r *Report) Finding {
	best := r.best()
	if r.better(best, r.Scratch) {
		f := Finding{Kind: Healthy, Why: fmt.Sprintf("the pretrained weights reach %s (%s), random ones %s at the same budget: scratch is worse by %.1f points", percent(best.Top1), best.Strategy,
			percent(r.Scratch.Top1), 100*(best.Top1-r.Scratch.Top1))}
		if chance := 1 / float64(r.Classes); r.Scratch.Fit < chance+(1-chance)*StillGuesses {
			f.Why += fmt.Sprintf("; but in so few epochs random weights learn nothing at all (%s of their training images): more --epochs may show what they can do", percent(r.Scratch.Fit))
		}
		switch {
		case r.better(r.Full, r.Probe):
			f.Remedy = "train all layers: it is worth it"
		case r.better(r.Probe, r.Full):
			f.Remedy = "train the head alone: that is enough"
		default:
			f.Remedy = "all layers gain nothing sure over the head alone, which is much faster to train"
		}
		return f
	}
	return Finding{NoDifference, fmt.Sprintf("the pretrained weights reach %s (%s), random ones %s at the same budget: on %d validation images that is no difference", percent(best.Top1), best.Strategy,
		percent(r.Scratch.Top1), r.Val), "compare with fewer epochs or fewer images, where pretraining shows, or with more validation images"}
}
