package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// progressAfter: what ends sooner shows no bar.
	progressAfter = time.Second
	progressEvery = 200 * time.Millisecond
	progressWidth = 30
)

// Progress shows on a terminal how far a transfer is; elsewhere it shows nothing. Add and End are
// safe for use by many goroutines.
type Progress struct {
	w     io.Writer
	label string
	total int64 // bytes; 0 = not known
	start time.Time
	done  atomic.Int64
	stop  chan struct{}
	once  sync.Once
	ended sync.WaitGroup
}

// NewProgress starts a bar on w for total bytes. End must be called.
func NewProgress(w io.Writer, label string, total int64) *Progress {
	p := &Progress{w: w, label: label, total: total, start: time.Now(), stop: make(chan struct{})}
	if IsTerminal(w) {
		p.ended.Go(p.run)
	}
	return p
}

// Add says that n more bytes are done.
func (p *Progress) Add(n int64) { p.done.Add(n) }

// End takes the bar away for good. Further calls do nothing.
func (p *Progress) End() {
	p.once.Do(func() { close(p.stop) })
	p.ended.Wait()
}

// Before returns a writer to w that takes the bar away before anything is written, if w is a
// terminal too: bar and data would be mixed there.
func (p *Progress) Before(w io.Writer) io.Writer {
	if !IsTerminal(w) {
		return w
	}
	return &afterBar{p, w}
}

type afterBar struct {
	bar *Progress
	w   io.Writer
}

func (a *afterBar) Write(b []byte) (int, error) {
	a.bar.End()
	return a.w.Write(b)
}

func (p *Progress) run() {
	timer := time.NewTimer(progressAfter)
	defer timer.Stop()
	shown := false
	for {
		select {
		case <-p.stop:
			if shown {
				fmt.Fprint(p.w, "\r\x1b[K")
			}
			return
		case <-timer.C:
			fmt.Fprintf(p.w, "\r%s\x1b[K", p.line(time.Since(p.start)))
			shown = true
			timer.Reset(progressEvery)
		}
	}
}

// line is the bar after the given time.
func (p *Progress) line(elapsed time.Duration) string {
	done := p.done.Load()
	speed := FormatSize(int64(float64(done)/elapsed.Seconds())) + "/s"
	if p.total <= 0 {
		return fmt.Sprintf("%s %s, %s", p.label, FormatSize(done), speed)
	}
	part := min(float64(done)/float64(p.total), 1)
	full := int(part * progressWidth)
	bar := strings.Repeat("=", full) + strings.Repeat(" ", progressWidth-full)
	return fmt.Sprintf("%s [%s] %3.0f%% of %s, %s", p.label, bar, part*100, FormatSize(p.total), speed)
}
