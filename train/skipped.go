package train

import "fmt"

// skippedShown bounds the warnings about single samples that one call prints.
const skippedShown = 5

// reportSkipped warns of the corrupt samples that were replaced since the last call: silence would hide that the network has not seen them.
func (r *Run) reportSkipped() {
	bad := r.source.Skipped()
	if len(bad) == len(r.skipped) {
		return
	}
	if r.skipped == nil {
		r.skipped = make(map[string]bool)
	}
	fresh := 0
	for _, b := range bad {
		if r.skipped[b.Name] {
			continue
		}
		r.skipped[b.Name] = true
		if fresh++; fresh <= skippedShown {
			r.notify(Warning{Message: fmt.Sprintf("%v; another sample of its class takes its place", b.Err)})
		}
	}
	more := ""
	if fresh > skippedShown {
		more = fmt.Sprintf("%d more; ", fresh-skippedShown)
	}
	r.notify(Warning{Message: fmt.Sprintf("%s%d corrupt samples so far, of which --skip-corrupt tolerates %d", more, len(bad), r.Config.SkipCorrupt)})
}
