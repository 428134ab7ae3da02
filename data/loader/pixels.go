package loader

import "github.com/cnnctl/cnnctl/data"

// Pixels returns a loader of the same samples whose batches hold bytes, Pix and Flip in place of X, and leave the normalisation to the device: a
// quarter of the memory and of the copying. By the table of the pipeline (augment.Pipeline.Table) they are the very numbers that l gives. It returns nil
// where these are needed on the host, by MixUp, CutMix or random erasing, and for tensors.
func (l *Loader) Pixels() *Loader {
	ds, images := l.ds.(data.Dataset)
	if !images || l.pipe == nil || !l.pipe.Pixels() || l.cfg.Mix.On() {
		return nil
	}
	p := &Loader{ds: l.ds, size: l.size, pipe: l.pipe, cfg: l.cfg, chunk: l.chunk}
	p.readPixels = func(w *worker, epoch, i int, pix []byte) (bool, error) {
		err := p.draw(ds, w, epoch, i)
		mirror := false
		if err == nil {
			mirror, err = p.pipe.ApplyPixels(&w.rng, &w.work, pix)
		}
		return mirror, p.named(i, err)
	}
	return p
}
