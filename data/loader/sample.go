package loader

import "fmt"

// Sample writes to x (H, W, C) what sample i of the data set becomes in an epoch, before any mixing. It does not disturb epochs under way.
func (l *Loader) Sample(epoch, i int, x []float32) error {
	if i < 0 || i >= l.ds.Len() {
		return fmt.Errorf("%w: sample %d; want 0 to %d", ErrConfig, i, l.ds.Len()-1)
	}
	w := l.takeWorker()
	defer l.giveWorker(w)
	return l.read(w, epoch, i, x)
}
