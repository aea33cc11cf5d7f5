package vlmc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"archipelago/internal/cli"
)

// memVolume is a volume in memory that knows what was written.
type memVolume struct {
	mu      sync.Mutex
	data    []byte
	written int64
	fail    error // of the next write
}

func (v *memVolume) WriteAt(ctx context.Context, p []byte, off int64) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.fail != nil {
		return v.fail
	}
	v.written += int64(len(p))
	copy(v.data[off:off+int64(len(p))], p)
	return ctx.Err()
}

func (v *memVolume) ReadAt(ctx context.Context, p []byte, off int64) error {
	copy(p, v.data[off:])
	return ctx.Err()
}

func noBar() *cli.Progress { return cli.NewProgress(io.Discard, "", 0) }

// TestDataRuns: the runs hold every byte that isn't zero, are whole pieces, and never touch.
func TestDataRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 5*pieceBytes+3).Draw(t, "n")
		b := make([]byte, n)
		for _, at := range rapid.SliceOfN(rapid.IntRange(0, max(n-1, 0)), 0, 4).Draw(t, "at") {
			if n > 0 {
				b[at] = 1
			}
		}
		last := -1
		for _, r := range dataRuns(b) {
			if r.from <= last || r.from >= r.to || r.from%pieceBytes != 0 || r.to%pieceBytes != 0 && r.to != n {
				t.Fatalf("run %+v after %d", r, last)
			}
			clear(b[r.from:r.to])
			last = r.to
		}
		if bytes.Contains(b, []byte{1}) {
			t.Fatal("data outside the runs")
		}
	})
}

// sparseFile makes a file of the size with 4 KiB of data at each place.
func sparseFile(t *testing.T, size int64, places ...int64) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "image"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte{1})
	for _, at := range places {
		p := make([]byte, 4096)
		random.Read(p)
		if _, err := f.WriteAt(p[:min(4096, size-at)], at); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func TestCopyIn(t *testing.T) {
	const size = 5*blockBytes + 777
	f := sparseFile(t, size, 0, blockBytes-2048, 3*blockBytes, size-100)
	want, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	for _, sized := range []bool{true, false} {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		v := &memVolume{data: make([]byte, size)}
		if err := copyIn(t.Context(), v, &source{file: f, size: size, sized: sized}, size, noBar()); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(v.data, want) {
			t.Errorf("sized=%v: the copy differs", sized)
		}
		if v.written > 6*pieceBytes {
			t.Errorf("sized=%v: %d bytes written: zeros were not left out", sized, v.written)
		}
	}
}

// TestHolesAreSkipped: an enormous empty file is copied at once.
func TestHolesAreSkipped(t *testing.T) {
	const size = 8 << 40
	f := sparseFile(t, size, 1<<40)
	from, to, err := nextData(f, 0, size)
	if err != nil {
		t.Fatal(err)
	}
	if from == 0 {
		t.Skip("this file system has no holes")
	}
	if from > 1<<40 || to < 1<<40+4096 || to > 1<<40+1<<20 {
		t.Errorf("data from %d to %d", from, to)
	}
	if from, _, err = nextData(f, to, size); err != nil || from != size {
		t.Errorf("rest: %d, %v", from, err)
	}
}

func TestStreamTooLong(t *testing.T) {
	f := sparseFile(t, 1000, 0)
	err := copyIn(t.Context(), &memVolume{data: make([]byte, 512)}, &source{file: f}, 512, noBar())
	if err == nil || !strings.Contains(err.Error(), "longer than the volume") {
		t.Error(err)
	}
}

func TestCopyInFails(t *testing.T) {
	cause := errors.New("no space")
	f := sparseFile(t, 20*blockBytes, 0, 8*blockBytes, 19*blockBytes)
	v := &memVolume{data: make([]byte, 20*blockBytes), fail: cause}
	if err := copyIn(t.Context(), v, &source{file: f, size: 20 * blockBytes, sized: true}, 20*blockBytes, noBar()); !errors.Is(err, cause) {
		t.Error(err)
	}
}

// TestInterruptedPipe: an import that waits for a silent pipe can be interrupted.
func TestInterruptedPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := copyIn(ctx, &memVolume{}, &source{file: r}, 1<<30, noBar()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestCopyOut(t *testing.T) {
	f := sparseFile(t, 6*blockBytes+512, 0, 2*blockBytes+pieceBytes, 6*blockBytes)
	data, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	v := &memVolume{data: data}
	path := filepath.Join(t.TempDir(), "out")
	out, err := openSink(path, int64(len(data)), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := copyOut(t.Context(), v, int64(len(data)), out.write, noBar()); err != nil {
		t.Fatal(err)
	}
	if err := out.finish(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("the copy differs: %v", err)
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil || st.Blocks*512 > 8*pieceBytes {
		t.Errorf("%d bytes allocated: zeros were not left out (%v)", st.Blocks*512, err)
	}
	var stream bytes.Buffer
	err = copyOut(t.Context(), v, int64(len(data)), func(b block) error { stream.Write(b.data); return nil }, noBar())
	if err != nil || !bytes.Equal(stream.Bytes(), data) {
		t.Errorf("the stream differs: %v", err)
	}
}

func TestCopyOutFails(t *testing.T) {
	v := &memVolume{data: make([]byte, 9*blockBytes)}
	cause := errors.New("disk full")
	n := 0
	err := copyOut(t.Context(), v, 9*blockBytes, func(block) error {
		if n++; n == 3 {
			return cause
		}
		return nil
	}, noBar())
	if !errors.Is(err, cause) || n != 3 {
		t.Errorf("%v after %d blocks", err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := copyOut(ctx, v, 9*blockBytes, func(block) error { return nil }, noBar()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// slowReader ends a read only when it is told to stop, and counts those under way.
type slowReader struct{ busy atomic.Int32 }

func (r *slowReader) ReadAt(ctx context.Context, p []byte, off int64) error {
	r.busy.Add(1)
	defer r.busy.Add(-1)
	if off == 0 {
		return nil
	}
	<-ctx.Done()
	runtime.Gosched()
	return ctx.Err()
}

// TestNoReadOutlivesAnExport: the segment is unmapped afterwards, so nothing may still read it.
func TestNoReadOutlivesAnExport(t *testing.T) {
	for range 20 {
		r := &slowReader{}
		cause := errors.New("disk full")
		err := copyOut(t.Context(), r, 9*blockBytes, func(block) error { return cause }, noBar())
		if !errors.Is(err, cause) || r.busy.Load() != 0 {
			t.Fatalf("%v; %d reads are under way", err, r.busy.Load())
		}
	}
}

func TestSinkRefusals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "there")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openSink(path, 10, false); cli.ExitCode(err) != cli.ExitExists {
		t.Errorf("existing file: %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Error("it was harmed")
	}
	out, err := openSink(path, 10, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.abandon(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("a half-written file stays")
	}
}

func TestVolumeSize(t *testing.T) {
	f := sparseFile(t, 1000)
	for _, c := range []struct {
		src    source
		wanted int64
		want   int64
		code   int
	}{
		{source{file: f, size: 1000, sized: true}, 0, 1024, 0},
		{source{file: f, size: 1024, sized: true}, 0, 1024, 0},
		{source{file: f, size: 1000, sized: true}, 4096, 4096, 0},
		{source{file: f, size: 1000, sized: true}, 512, 0, 2},
		{source{file: f, sized: true}, 0, 0, 2},
		{source{file: f, sized: true}, 4096, 4096, 0},
		{source{file: f}, 0, 0, 2},
		{source{file: f}, 4096, 4096, 0},
	} {
		if got, err := volumeSize(&c.src, c.wanted); got != c.want || cli.ExitCode(err) != c.code {
			t.Errorf("%+v with %d: %d, %v", c.src, c.wanted, got, err)
		}
	}
}
