package vlmc

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"archipelago/internal/audit"
	"archipelago/internal/cli"
	"archipelago/xseg"
)

// TestCheckOutcome: damage says most, then interruption, then an unfinished check; what does no
// harm is no failure.
func TestCheckOutcome(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for name, c := range map[string]struct {
		ctx   context.Context
		found audit.Severity
		err   error
		want  int
	}{
		"clean":                     {t.Context(), 0, nil, cli.ExitOK},
		"orphan":                    {t.Context(), audit.Orphan, nil, cli.ExitOK},
		"half-done":                 {t.Context(), audit.HalfDone, nil, cli.ExitOK},
		"loss":                      {t.Context(), audit.Loss, nil, cli.ExitCorrupt},
		"corrupt":                   {t.Context(), audit.Corrupt, nil, cli.ExitCorrupt},
		"blocker gone":              {t.Context(), audit.Orphan, xseg.ErrNotRunning, cli.ExitPartly},
		"blocker gone after a loss": {t.Context(), audit.Loss, xseg.ErrNotRunning, cli.ExitCorrupt},
		"interrupted":               {ended, 0, context.Canceled, cli.ExitInterrupted},
		"interrupted after a loss":  {ended, audit.Loss, context.Canceled, cli.ExitCorrupt},
	} {
		v := checkView{}
		if c.found != 0 {
			v.count[c.found]++
		}
		err := v.outcome(c.ctx, c.err)
		if got := cli.ExitCode(err); got != c.want {
			t.Errorf("%s: status %d (%v), want %d", name, got, err, c.want)
		}
		if c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("%s: %v doesn't say %v", name, err, c.err)
		}
	}
}

// TestCheckBar: nothing is shown at once, then at intervals, and it goes away for findings that go
// to a terminal, too, and in the end.
func TestCheckBar(t *testing.T) {
	var out bytes.Buffer
	b := &checkBar{w: &out, mixed: true, next: time.Now().Add(time.Hour)}
	b.show(audit.Progress{Stage: audit.StageChunks, Names: 5})
	if out.Len() > 0 {
		t.Errorf("shown at once: %q", out.String())
	}
	b.next = time.Time{}
	b.show(audit.Progress{Stage: audit.StageObjects, Pass: 2, Names: 7})
	if want := "check: 7 objects, pass 2"; !strings.Contains(out.String(), want) {
		t.Errorf("shows %q, want %q", out.String(), want)
	}
	b.yield()
	if !strings.HasSuffix(out.String(), "\r\x1b[K") {
		t.Errorf("stays when a finding comes: %q", out.String())
	}
	out.Reset()
	b.next = time.Time{}
	b.show(audit.Progress{})
	b.end()
	if out.Len() > 0 {
		t.Errorf("comes back among the findings: %q", out.String())
	}
}
