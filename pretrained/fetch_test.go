package pretrained

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cnnctl/cnnctl/checkpoint"
)

// contents are those of the file that the tests' server publishes.
var contents = func() []byte {
	b := make([]byte, 300_000)
	for i := range b {
		b[i] = byte(i * i >> 3)
	}
	return b
}()

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])[:8]
}

// A rig is a finder with empty caches, a TLS server, and the weights that it publishes.
type rig struct {
	Finder
	weights  Weights
	requests atomic.Int32
	waits    atomic.Int32
}

func newRig(t *testing.T, handle http.HandlerFunc) *rig {
	t.Helper()
	r := &rig{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.requests.Add(1)
		handle(w, req)
	}))
	server.Config.ErrorLog = nil
	t.Cleanup(server.Close)
	dir := t.TempDir()
	r.Cache, r.Torch, r.Client = filepath.Join(dir, "cnnctl"), filepath.Join(dir, "torch"), server.Client()
	r.Wait = func(ctx context.Context, _ time.Duration) error { r.waits.Add(1); return ctx.Err() }
	r.weights = Weights{Model: "net", URL: server.URL + "/models/net-" + hashOf(contents) + ".pth"}
	return r
}

func (r *rig) path() string { return filepath.Join(r.Cache, r.weights.File()) }

func serve(w http.ResponseWriter, req *http.Request) {
	http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(contents))
}

// part announces a whole file, or the rest of one, and breaks the connection after n bytes.
func part(w http.ResponseWriter, req *http.Request, n int) {
	from := 0
	if _, err := fmt.Sscanf(req.Header.Get("Range"), "bytes=%d-", &from); err == nil {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(contents)-1, len(contents)))
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(contents)-from))
	if from > 0 {
		w.WriteHeader(http.StatusPartialContent)
	}
	w.Write(contents[from:min(from+n, len(contents))])
	if from+n < len(contents) {
		panic(http.ErrAbortHandler)
	}
}

func TestFetch(t *testing.T) {
	var mu sync.Mutex
	var ranges []string
	cases := []struct {
		name     string
		before   []byte // of the partial file
		handle   http.HandlerFunc
		requests int
		err      error
		about    string
		left     int // bytes of the partial file afterwards
	}{
		{name: "whole", handle: serve, requests: 1},
		{name: "resumed", before: contents[:100_000], requests: 1, handle: func(w http.ResponseWriter, req *http.Request) {
			if req.Header.Get("Range") != "bytes=100000-" {
				http.Error(w, "from the start?", http.StatusTeapot)
			}
			serve(w, req)
		}},
		{name: "interrupted again and again", requests: 7, handle: func(w http.ResponseWriter, req *http.Request) {
			mu.Lock()
			ranges = append(ranges, req.Header.Get("Range"))
			mu.Unlock()
			part(w, req, 45_000)
		}},
		{name: "whole but not yet in place", before: contents, handle: serve, requests: 1},
		{name: "no Range there", before: contents[:100_000], requests: 1, handle: func(w http.ResponseWriter, _ *http.Request) { w.Write(contents) }},
		{name: "another file's part", before: make([]byte, 1000), requests: 2, handle: serve},
		{name: "a part longer than the file", before: make([]byte, len(contents)+1), requests: 2, handle: serve},
		{name: "busy at first", requests: 3, handle: func() http.HandlerFunc {
			n := 0
			return func(w http.ResponseWriter, req *http.Request) {
				if n++; n < 3 {
					http.Error(w, "later", []int{503, 429}[n-1])
					return
				}
				serve(w, req)
			}
		}()},
		{name: "another range than asked for", before: contents[:10], requests: 1, err: ErrUnavailable, about: "bytes from 10", left: 10,
			handle: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Range", "bytes 5-9/10")
				w.WriteHeader(http.StatusPartialContent)
			}},
		{name: "wrong hash", requests: 1, err: checkpoint.ErrCorrupt, about: "begins with " + hashOf(contents),
			handle: func(w http.ResponseWriter, _ *http.Request) { w.Write(contents[1:]) }},
		{name: "nothing there", requests: 1, err: ErrUnavailable, about: "404", handle: http.NotFound},
		{name: "out of order", requests: 5, err: ErrUnavailable, about: "500", handle: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }},
		{name: "nothing comes through", requests: 5, err: ErrUnavailable, about: "5 times",
			handle: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{name: "too large", requests: 1, err: ErrUnavailable, about: "wanted at most", handle: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(int64(maxBytes)+1))
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.handle)
			if err := os.MkdirAll(r.Cache, 0o777); err != nil {
				t.Fatal(err)
			}
			if c.before != nil {
				if err := os.WriteFile(r.path()+".part", c.before, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			last := int64(-1)
			r.Progress = func(file string, done, total int64) {
				if file != r.weights.File() || total != int64(len(contents)) && total != 0 && c.err == nil {
					t.Errorf("progress of %s: %d of %d", file, done, total)
				}
				last = done
			}
			path, err := r.find(t.Context(), r.weights)
			if got := int(r.requests.Load()); got != c.requests {
				t.Errorf("got %d requests, want %d", got, c.requests)
			}
			if c.err != nil {
				if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.about) {
					t.Errorf("got %v, want %v with %q", err, c.err, c.about)
				}
				if errors.Is(err, ErrUnavailable) && (!strings.Contains(err.Error(), r.weights.URL) || !strings.Contains(err.Error(), r.path())) {
					t.Errorf("%q does not say what to fetch and where to put it", err)
				}
				if _, err := os.Stat(r.path()); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("a file is in place: %v", err)
				}
				if n, _ := size(r.path() + ".part"); n != int64(c.left) {
					t.Errorf("%d bytes are left, want %d", n, c.left)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, contents) || path != r.path() {
				t.Errorf("%s: got %d bytes, %v, want %d", path, len(got), err, len(contents))
			}
			if last != int64(len(contents)) && len(c.before) != len(contents) {
				t.Errorf("progress ended at %d", last)
			}
			if _, err := os.Stat(r.path() + ".part"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the partial file was left: %v", err)
			}
			// Once it is there, nobody is asked.
			if again, err := r.find(t.Context(), r.weights); err != nil || again != path || int(r.requests.Load()) != c.requests {
				t.Errorf("again: got %s, %v after %d requests", again, err, r.requests.Load())
			}
		})
	}
	if want := "[ bytes=45000- bytes=90000- bytes=135000- bytes=180000- bytes=225000- bytes=270000-]"; fmt.Sprint(ranges) != want {
		t.Errorf("asked for %v, want %s", ranges, want)
	}
}

// A stalled server is left after the idle timeout, which ends with the context here; what came is kept for the next time.
func TestFetchCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stopped")
	r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(contents)))
		w.Write(contents[:50_000])
		w.(http.Flusher).Flush()
		<-req.Context().Done()
	})
	r.Progress = func(_ string, done, _ int64) {
		if done >= 50_000 {
			cancel(stop)
		}
	}
	if _, err := r.find(ctx, r.weights); !errors.Is(err, stop) {
		t.Errorf("got %v, want the cause", err)
	}
	if n, err := size(r.path() + ".part"); n != 50_000 {
		t.Errorf("%d bytes were kept, %v, want 50000", n, err)
	}
}

func TestFetchUntrusted(t *testing.T) {
	r := newRig(t, serve)
	r.Client = &http.Client{} // which does not know the server's certificate
	_, err := r.find(t.Context(), r.weights)
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "certificate") || r.waits.Load() != 0 {
		t.Errorf("got %v after %d waits, want ErrUnavailable at once", err, r.waits.Load())
	}
}

func TestFetchOffline(t *testing.T) {
	r := newRig(t, serve)
	server := httptest.NewTLSServer(nil)
	r.weights.URL = strings.Replace(r.weights.URL, r.weights.URL[:strings.Index(r.weights.URL, "/models")], server.URL, 1)
	server.Close() // so that nobody listens there
	_, err := r.find(t.Context(), r.weights)
	if !errors.Is(err, ErrUnavailable) || r.waits.Load() != 0 {
		t.Fatalf("got %v after %d waits, want ErrUnavailable at once", err, r.waits.Load())
	}
	for _, part := range []string{r.weights.URL, r.path(), hashOf(contents), r.Torch} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
}

// Two at once: one fetches, the other waits for it.
func TestFetchOnce(t *testing.T) {
	r := newRig(t, func(w http.ResponseWriter, req *http.Request) {
		time.Sleep(50 * time.Millisecond)
		serve(w, req)
	})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			f := Finder{Cache: r.Cache, Torch: r.Torch, Client: r.Client, Wait: r.Wait}
			if _, err := f.find(t.Context(), r.weights); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := r.requests.Load(); n != 1 {
		t.Errorf("got %d requests, want 1", n)
	}
}

func TestTorchCache(t *testing.T) {
	r := newRig(t, serve)
	if err := os.MkdirAll(r.Torch, 0o777); err != nil {
		t.Fatal(err)
	}
	theirs := filepath.Join(r.Torch, r.weights.File())
	if err := os.WriteFile(theirs, contents, 0o666); err != nil {
		t.Fatal(err)
	}
	if path, err := r.find(t.Context(), r.weights); err != nil || path != theirs || r.requests.Load() != 0 {
		t.Errorf("got %s, %v after %d requests, want torch's file", path, err, r.requests.Load())
	}
	// A damaged one is left to its owner.
	if err := os.WriteFile(theirs, contents[1:], 0o666); err != nil {
		t.Fatal(err)
	}
	if path, err := r.find(t.Context(), r.weights); err != nil || path != r.path() {
		t.Errorf("got %s, %v, want a fetched file", path, err)
	}
	if n, _ := size(theirs); n != int64(len(contents)-1) {
		t.Error("torch's file was changed")
	}
}

func TestDamagedCache(t *testing.T) {
	r := newRig(t, serve)
	if err := os.MkdirAll(r.Cache, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.path(), contents[:7], 0o666); err != nil {
		t.Fatal(err)
	}
	path, err := r.find(t.Context(), r.weights)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, contents) {
		t.Error("the damaged file was used")
	}
}

func TestNoFolder(t *testing.T) {
	r := newRig(t, serve)
	if err := os.WriteFile(r.Cache, nil, 0o666); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	if _, err := r.find(t.Context(), r.weights); err == nil || errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), r.Cache) {
		t.Errorf("got %v, want an error of the disk", err)
	}
}

// A full disk is said to be full, at once, and not taken for a server that stutters.
func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full")
	}
	r := newRig(t, serve)
	if err := os.MkdirAll(r.Cache, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", r.path()+".part"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.find(t.Context(), r.weights); !errors.Is(err, checkpoint.ErrDiskFull) || r.requests.Load() != 1 {
		t.Errorf("got %v after %d requests, want ErrDiskFull after one", err, r.requests.Load())
	}
}

func TestMeterHidesFailures(t *testing.T) {
	broken := errors.New("broken")
	m := &meter{r: io.MultiReader(strings.NewReader("abc"), failing{broken}), read: func(int64) {}}
	b, err := io.ReadAll(m)
	if string(b) != "abc" || err != nil || !errors.Is(m.err, broken) || m.done != 3 {
		t.Errorf("got %q, %v, kept %v", b, err, m.err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
