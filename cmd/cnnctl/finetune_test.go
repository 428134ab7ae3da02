package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A network that was trained on eight classes of strokes becomes one for two others, from a checkpoint of the run and from one that does not say what it
// is; a run that was killed goes on.
func TestFinetune(t *testing.T) {
	if testing.Short() {
		t.Skip("several trainings")
	}
	t.Parallel()
	work := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", filepath.Join(work, "cache"))
}
