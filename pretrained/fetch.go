package pretrained

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cnnctl/cnnctl/checkpoint"
)

const (
	tries       = 5                // in a row without a byte
	firstWait   = time.Second      // doubled from try to try
	idleTimeout = 30 * time.Second // without a byte
	maxBytes    = 4 << 30          // of a file; the largest that is published, VGG-19's, has an eighth of it
)

// client has no timeout for the transfer, whose length nobody knows: stalls are found by idleTimeout.
func (f *Finder) client() *http.Client {
	if f.Client != nil {
		return f.Client
	}
	t := http.DefaultTransport.(*http.Transport).Clone() // proxies from the environment, timeouts for the handshake
	t.DialContext = (&net.Dialer{Timeout: 15 * time.Second}).DialContext
	t.ResponseHeaderTimeout = idleTimeout
	return &http.Client{Transport: t}
}

// A permanent error is one that another try would give as well.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// fetch downloads w to path, by way of a partial file beside it that a later call continues, and puts it in place once its hash is right.
func (f *Finder) fetch(ctx context.Context, w Weights, path string) error {
	part := path + ".part"
	resumed, err := size(part)
	if err != nil {
		return err
	}
	if err := f.download(ctx, w, part); err != nil {
		return err
	}
	err = checkHash(ctx, part, w.Hash())
	if errors.Is(err, checkpoint.ErrCorrupt) {
		// A part that another file's rest was added to says nothing about the server.
		if err := os.Remove(part); err != nil {
			return checkpoint.ExplainWrite(part, err)
		}
		if resumed == 0 {
			return fmt.Errorf("what %s sent was removed: %w", w.URL, err)
		}
		return f.fetch(ctx, w, path)
	}
	if err != nil {
		return err
	}
	return checkpoint.Rename(part, path)
}

// download repeats tries until the partial file is whole.
func (f *Finder) download(ctx context.Context, w Weights, part string) error {
	client := f.client()
	for failures := 0; ; {
		before, err := size(part)
		if err != nil {
			return err
		}
		err = f.try(ctx, client, w, part, before)
		if err == nil || ctx.Err() != nil {
			return err
		}
		var lasting permanent
		if errors.As(err, &lasting) {
			return lasting.error
		}
		if after, sizeErr := size(part); sizeErr == nil && after > before {
			failures = 0
		}
		if failures++; failures == tries {
			return fmt.Errorf("%w, %d times: %w", ErrUnavailable, tries, err)
		}
		if err := f.wait(ctx, firstWait<<(failures-1)); err != nil {
			return err
		}
	}
}

func (f *Finder) wait(ctx context.Context, d time.Duration) error {
	if f.Wait != nil {
		return f.Wait(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// try asks once for what the partial file lacks after its first have bytes.
func (f *Finder) try(ctx context.Context, client *http.Client, w Weights, part string, have int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL, nil)
	if err != nil {
		return permanent{err}
	}
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	res, err := client.Do(req)
	if err != nil {
		return explainRequest(err)
	}
	defer res.Body.Close()
	total := int64(0)
	switch res.StatusCode {
	case http.StatusOK: // from the start: nothing was asked for, or the server cannot continue
		have, total = 0, max(0, res.ContentLength)
	case http.StatusPartialContent:
		start, all, ok := contentRange(res.Header.Get("Content-Range"))
		if !ok || start != have {
			return permanent{fmt.Errorf("%w: %s answered a request for bytes from %d with %q", ErrUnavailable, w.URL, have, res.Header.Get("Content-Range"))}
		}
		total = all
	case http.StatusRequestedRangeNotSatisfiable:
		if _, all, _ := contentRange(res.Header.Get("Content-Range")); all == have {
			return nil // it is whole
		}
		if err := os.Remove(part); err != nil {
			return permanent{checkpoint.ExplainWrite(part, err)}
		}
		return fmt.Errorf("%s has fewer bytes than the part that was there", w.URL)
	case http.StatusTooManyRequests, http.StatusRequestTimeout:
		return fmt.Errorf("%s answered %s", w.URL, res.Status)
	default:
		err := fmt.Errorf("%s answered %s", w.URL, res.Status)
		if res.StatusCode >= 500 {
			return err
		}
		return permanent{fmt.Errorf("%w: %w", ErrUnavailable, err)}
	}
	if total > maxBytes {
		return permanent{fmt.Errorf("%w: %s has %d bytes, wanted at most %d", ErrUnavailable, w.URL, total, int64(maxBytes))}
	}
	if err := checkpoint.CheckWritable(filepath.Dir(part), max(0, total-have)); err != nil {
		return permanent{err}
	}
	stalled := time.AfterFunc(idleTimeout, func() { cancel(fmt.Errorf("no byte for %v", idleTimeout)) })
	defer stalled.Stop()
	body := &meter{r: res.Body, read: func(done int64) {
		stalled.Reset(idleTimeout)
		if f.Progress != nil {
			f.Progress(w.File(), done, total)
		}
	}, done: have}
	if err := appendTo(part, have, io.LimitReader(body, maxBytes-have)); err != nil {
		return err
	}
	if body.err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(body.err, cause) {
			return fmt.Errorf("%w: %w", cause, body.err)
		}
		return body.err
	}
	if total > 0 && body.done != total {
		return fmt.Errorf("%s sent %d of %d bytes", w.URL, body.done, total)
	}
	return nil
}

// appendTo writes what r has behind the first n bytes of a file. Its errors are the disk's, for which another try is no remedy.
func appendTo(path string, n int64, r io.Reader) (err error) {
	flags := os.O_WRONLY | os.O_CREATE
	if n == 0 {
		flags |= os.O_TRUNC
	}
	file, err := os.OpenFile(path, flags, 0o666)
	if err == nil {
		defer file.Close()
		if n > 0 {
			err = file.Truncate(n)
		}
		if err == nil {
			_, err = file.Seek(n, io.SeekStart)
		}
	}
	if err == nil {
		_, err = io.Copy(file, r)
	}
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		return permanent{checkpoint.ExplainWrite(path, err)}
	}
	return nil
}

// A meter counts what is read. It keeps a failure to itself and ends, so that errors of the connection and of the disk are not confused.
type meter struct {
	r    io.Reader
	read func(done int64)
	done int64
	err  error
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.done += int64(n)
	if n > 0 {
		m.read(m.done)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		m.err, err = err, io.EOF
	}
	return n, err
}

// contentRange reads "bytes 100-199/200" and "bytes */200"; a length that the server does not know is 0.
func contentRange(s string) (start, total int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes ")
	span, all, isRange := strings.Cut(s, "/")
	if !ok || !isRange {
		return 0, 0, false
	}
	total, _ = strconv.ParseInt(all, 10, 64)
	from, _, _ := strings.Cut(span, "-")
	start, err := strconv.ParseInt(from, 10, 64)
	return start, total, err == nil
}

// explainRequest marks what repeating does not help: a machine without network, a name that does not exist, a certificate that is not trusted.
func explainRequest(err error) error {
	var dial *net.OpError
	var name *net.DNSError
	var unreachable bool
	switch {
	case errors.As(err, &name):
		unreachable = !name.IsTimeout
	case errors.As(err, &dial):
		unreachable = (dial.Op == "dial" || dial.Op == "proxyconnect") && !dial.Timeout()
	}
	var u *url.Error
	if errors.As(err, &u) && strings.Contains(u.Err.Error(), "certificate") {
		unreachable = true
	}
	if unreachable {
		return permanent{fmt.Errorf("%w: %w", ErrUnavailable, err)}
	}
	return err
}
