package pretrained

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/cnnctl/cnnctl/checkpoint"
)

// A Finder looks for weights in caches and fetches what is in none. The zero Finder uses the user's caches and the network, silently.
type Finder struct {
	Cache    string                                           // where fetched files are kept; "" means CacheDir
	Torch    string                                           // torch's own cache, which is only read; "" means TorchDir
	Client   *http.Client                                     // nil means one with timeouts for all but the transfer itself
	Progress func(file string, done, total int64)             // called while a file is fetched; total is 0 where it is unknown
	Wait     func(ctx context.Context, d time.Duration) error // between two tries; nil means to sleep
}

// CacheDir returns the folder for fetched files: cnnctl in XDG_CACHE_HOME, or in ~/.cache.
func CacheDir() (string, error) { return underCache("cnnctl") }

// TorchDir returns the folder in which PyTorch keeps what it fetches: hub/checkpoints in TORCH_HOME, or in torch below XDG_CACHE_HOME or
// ~/.cache (torch.hub.get_dir).
func TorchDir() (string, error) {
	home := os.Getenv("TORCH_HOME")
	if home == "" {
		var err error
		if home, err = underCache("torch"); err != nil {
			return "", err
		}
	}
	return filepath.Join(home, "hub", "checkpoints"), nil
}

func underCache(name string) (string, error) {
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, name), nil
	}
	if runtime.GOOS == "windows" {
		dir, err := os.UserCacheDir()
		return filepath.Join(dir, name), err
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("looking for the cache: %w; set XDG_CACHE_HOME", err)
	}
	return filepath.Join(home, ".cache", name), nil
}

// Find returns the path of the published weights of a model on this machine; it fetches them first if they are not there. The error wraps
// ErrNone, ErrUnavailable, checkpoint.ErrCorrupt where what was fetched is not what was published, checkpoint.ErrDiskFull or
// checkpoint.ErrReadOnly, or the context's.
func (f *Finder) Find(ctx context.Context, model string) (string, error) {
	w, err := Lookup(model)
	if err != nil {
		return "", err
	}
	return f.find(ctx, w)
}

func (f *Finder) find(ctx context.Context, w Weights) (string, error) {
	cache, torch, err := f.dirs()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, w.File())
	for _, candidate := range []string{path, filepath.Join(torch, w.File())} {
		if checkHash(ctx, candidate, w.Hash()) == nil {
			return candidate, nil
		}
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
	}
	if err := os.MkdirAll(cache, 0o777); err != nil {
		return "", checkpoint.ExplainWrite(path, err)
	}
	unlock, err := checkpoint.Lock(ctx, filepath.Join(cache, "."+w.File()+".lock"))
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return "", err
	}
	defer unlock()
	// Another process may have fetched it while this one waited.
	if err := checkHash(ctx, path, w.Hash()); err == nil {
		return path, nil
	}
	err = f.fetch(ctx, w, path)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if errors.Is(err, ErrUnavailable) {
		return "", fmt.Errorf("%s: no whole %s in %s or %s, and fetching it failed: %w; download %s elsewhere (its SHA-256 begins with %s) and put it at %s",
			w.Model, w.File(), cache, torch, err, w.URL, w.Hash(), path)
	}
	return path, err
}

func (f *Finder) dirs() (cache, torch string, err error) {
	cache, torch = f.Cache, f.Torch
	if cache == "" {
		if cache, err = CacheDir(); err != nil {
			return "", "", err
		}
	}
	if torch == "" {
		torch, err = TorchDir()
	}
	return cache, torch, err
}

// checkHash reads a file and compares its SHA-256 with the digits that it begins with.
func checkHash(ctx context.Context, path, want string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	h := sha256.New()
	buf := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := file.Read(buf)
		h.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if got := hex.EncodeToString(h.Sum(nil)); want == "" || !strings.HasPrefix(got, want) {
		return fmt.Errorf("%s: want a SHA-256 that begins with %s, as its name says, got %s: %w", path, want, got[:16], checkpoint.ErrCorrupt)
	}
	return nil
}

// size returns the bytes of a file, or 0 if there is none.
func size(path string) (int64, error) {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}
