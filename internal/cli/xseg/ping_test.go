package xseg

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

func TestPingText(t *testing.T) {
	p := &pinger{sent: 4}
	for _, ns := range []int64{1500, 1600, 40_000} {
		p.took.add(ns)
	}
	v := viewPing("seg", &xseg.PortInfo{No: 7, Role: "echo", PID: 5}, p)
	want := `PING port 7 (echo, pid 5): 4 sent, 3 answered
min 1.5µs  p50 1.6µs  p90 40µs  p99 40µs  max 40µs  mean 14µs

 FROM     TO  COUNT
1.0µs  2.0µs      2  ########################################
2.0µs  4.1µs      0
4.1µs  8.2µs      0
8.2µs   16µs      0
 16µs   33µs      0
 33µs   66µs      1  ####################
`
	if diff := cmp.Diff(want, strings.Join(v.lines(), "\n")+"\n"); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	none := viewPing("seg", &xseg.PortInfo{No: 7, Role: "echo", PID: 5}, &pinger{sent: 1})
	if got := none.lines(); len(got) != 1 || !strings.Contains(got[0], "1 sent, 0 answered") {
		t.Errorf("%q", got)
	}
}

// node makes a segment whose port 10 answers with h.
func node(t *testing.T, h xseg.Handler) *xseg.Segment {
	n := xsegtest.NewSized(t, 16, 8)
	p := n.Peer(t)
	p.Bind(10, xseg.BindOptions{Role: "server", Handler: h})
	p.Bind(11, xseg.BindOptions{Role: "silent"})
	p.Run()
	return n.Join(t)
}

func pingOnce(t *testing.T, ctx context.Context, s *xseg.Segment, no xseg.PortNo, opts pingOptions) (string, error) {
	t.Helper()
	var out strings.Builder
	cmd := &cobra.Command{}
	cmd.SetOut(&out)
	cmd.SetContext(ctx)
	opts.named = true
	err := ping(cmd, &cli.App{}, s, no, &opts)
	return out.String(), err
}

func TestPing(t *testing.T) {
	s := node(t, func(r *xseg.Request) {
		if r.Op() == xseg.OpPing {
			r.RespondOnLoop(0, 0)
		}
	})
	out, err := pingOnce(t, t.Context(), s, 10, pingOptions{count: 50, timeout: xsegtest.Patience})
	if err != nil || !strings.Contains(out, "PING port 10 (server, pid ") || !strings.Contains(out, "50 sent, 50 answered") {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := pingOnce(t, t.Context(), s, 10, pingOptions{count: 3, interval: time.Millisecond, timeout: xsegtest.Patience}); err != nil {
		t.Error(err)
	}
	for no, want := range map[xseg.PortNo]string{
		9:  "port 9 is bound by nobody",
		11: "role silent, which serves no requests",
		16: "there is no port 16, only 0 to 15",
	} {
		if _, err := pingOnce(t, t.Context(), s, no, pingOptions{count: 1, timeout: time.Second}); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("port %d: %v", no, err)
		}
	}
}

func TestPingOfAPeerThatRefuses(t *testing.T) {
	s := node(t, func(r *xseg.Request) { r.RespondOnLoop(syscall.EOPNOTSUPP, 0) })
	out, err := pingOnce(t, t.Context(), s, 10, pingOptions{count: 2, timeout: xsegtest.Patience})
	if !errors.Is(err, syscall.EOPNOTSUPP) || !strings.Contains(out, "2 sent, 2 answered") {
		t.Errorf("%q, %v", out, err)
	}
}

func TestPingOfAPeerThatHangs(t *testing.T) {
	held := make(chan *xseg.Request, 3)
	s := node(t, func(r *xseg.Request) { held <- r })
	var kept []*xseg.Request
	t.Cleanup(func() {
		for _, r := range kept {
			r.Respond(0, 0)
		}
	})
	out, err := pingOnce(t, t.Context(), s, 10, pingOptions{count: 2, timeout: 20 * time.Millisecond})
	if cli.ExitCode(err) != cli.ExitTryAgain || !strings.Contains(err.Error(), "no answer within 20ms") {
		t.Errorf("%q, %v", out, err)
	}
	if strings.Contains(out, "1 sent, 0 answered") { // else not even the connect was in time
		kept = append(kept, <-held)
	}
	for count, want := range map[uint64]int{0: cli.ExitOK, 2: cli.ExitInterrupted} {
		ctx, cancel := context.WithCancel(t.Context())
		flying := make(chan *xseg.Request, 1)
		go func() {
			flying <- <-held
			cancel()
		}()
		if _, err := pingOnce(t, ctx, s, 10, pingOptions{count: count, timeout: xsegtest.Patience}); cli.ExitCode(err) != want {
			t.Errorf("count %d: %v", count, err)
		}
		kept = append(kept, <-flying)
	}
}
