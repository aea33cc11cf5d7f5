package trace

import (
	"bufio"
	"context"
	"encoding/json"
	"os/exec"
	"testing"
	"time"

	"archipelago/internal/node"
	"archipelago/internal/volume"
	"archipelago/test/testnode"
	"archipelago/xseg"
)

// record traces a volume until the test ends; armed is closed when it has begun.
func record(t *testing.T, c *volume.Client, name string) (records <-chan volume.TraceRecord, anew <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	armed, again, out := make(chan struct{}), make(chan struct{}, 100), make(chan volume.TraceRecord, 1<<16)
	done := make(chan error, 2)
	first := true
	go func() {
		done <- c.Trace(ctx, name, func(got volume.Traced) error {
			if first {
				close(armed)
				first = false
			}
			if got.Anew {
				again <- struct{}{}
			}
			for _, r := range got.Records {
				out <- r
			}
			if got.Lost > 0 {
				t.Errorf("%d records lost", got.Lost)
			}
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-armed:
	case err := <-done:
		done <- err
		t.Fatalf("the trace has ended: %v", err)
	case <-time.After(testnode.Patience):
		t.Fatal("never armed")
	}
	return out, again
}

func next(t *testing.T, records <-chan volume.TraceRecord) volume.TraceRecord {
	t.Helper()
	select {
	case r := <-records:
		return r
	case <-time.After(testnode.Patience):
		t.Fatal("no record")
		return volume.TraceRecord{}
	}
}

func TestTraceOfARealVolume(t *testing.T) {
	n := testnode.Start(t)
	c := n.Dial()
	t.Cleanup(func() { c.Close() })
	if _, err := c.Create(t.Context(), "v", 16<<20, 0); err != nil {
		t.Fatal(err)
	}
	v, err := c.Open(t.Context(), "v")
	if err != nil {
		t.Fatal(err)
	}
	records, anew := record(t, c, "v")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 4096)
	must(v.WriteAt(t.Context(), buf, 8192))
	must(v.WriteAt(t.Context(), buf, 12288))
	must(v.ReadAt(t.Context(), buf, 0))
	must(v.Flush(t.Context()))
	first := next(t, records)
	if first.Op != xseg.OpWrite || first.Offset != 8192 || first.Length != 4096 || first.Errno != 0 ||
		first.Spent[volume.PhaseReserve] == 0 || first.Spent[volume.PhaseCommit] == 0 || first.Latency > testnode.Patience {
		t.Errorf("first write: %+v", first)
	}
	second, read, flush := next(t, records), next(t, records), next(t, records)
	if second.Spent[volume.PhaseCommit] != 0 || second.Spent[volume.PhaseData] == 0 {
		t.Errorf("write in place: %+v", second)
	}
	if read.Op != xseg.OpRead || flush.Op != xseg.OpFlush || flush.Spent[volume.PhaseFlush] == 0 {
		t.Errorf("%+v\n%+v", read, flush)
	}
	// A restarted vlmcd is armed by the next question, and the tracer says so.
	ctl, err := node.DialControl(n.Config())
	must(err)
	defer ctl.Close()
	must(ctl.Restart(t.Context(), "vlmcd"))
	select {
	case <-anew:
	case <-time.After(testnode.Patience):
		t.Fatal("nobody tells of the restart")
	}
	must(v.WriteAt(t.Context(), buf, 8<<20))
	if r := next(t, records); r.Op != xseg.OpWrite || r.Offset != 8<<20 {
		t.Errorf("after a restart: %+v", r)
	}
}

// TestTraceCommand: lines of JSON come while requests do.
func TestTraceCommand(t *testing.T) {
	n := testnode.Start(t)
	c := n.Dial()
	defer c.Close()
	if _, err := c.Create(t.Context(), "v", 4<<20, 0); err != nil {
		t.Fatal(err)
	}
	v, err := c.Open(t.Context(), "v")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(testnode.Binary(t, "vlmc"), "-d", n.Dir, "trace", "v", "--for", testnode.Patience.String(), "--json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1000)
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	// It says nothing when it is armed, so requests are made until one is told of.
	var line string
	for deadline := time.Now().Add(testnode.Patience); line == "" && time.Now().Before(deadline); {
		if err := v.WriteAt(t.Context(), make([]byte, 512), 1024); err != nil {
			t.Fatal(err)
		}
		select {
		case line = <-lines:
		case <-time.After(10 * time.Millisecond):
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	var got struct {
		Op             string
		Offset, Length int64
		Latency        float64            `json:"latency_us"`
		Spent          map[string]float64 `json:"spent_us"`
	}
	if err := json.Unmarshal([]byte(line), &got); err != nil || got.Op != "write" || got.Offset != 1024 || got.Length != 512 || got.Latency <= 0 {
		t.Errorf("%q: %v", line, err)
	}
}
