package volume

import (
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"archipelago/xseg"
)

func TestTraceRecord(t *testing.T) {
	var b []byte
	want := []TraceRecord{
		{Number: 7, End: time.Unix(12, 34), Latency: time.Millisecond, Op: xseg.OpWrite, Flags: xseg.ReqFUA,
			Offset: 4096, Length: 512, Errno: syscall.ENOSPC, Spent: [NumPhases]time.Duration{PhaseData: 5, PhaseWait: 6}},
		{Number: 9, End: time.Unix(13, 0), Op: xseg.OpFlush},
	}
	for i := range want {
		b = AppendTrace(b, &want[i])
	}
	got, err := ParseTrace(b)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := ParseTrace(b[1:]); err == nil {
		t.Error("a torn record was taken")
	}
	if _, err := ParseTrace(append(b[traceBytes:], b[:traceBytes]...)); err == nil {
		t.Error("records out of order were taken")
	}
}

func TestLostBefore(t *testing.T) {
	records := []TraceRecord{{Number: 15}}
	for _, c := range []struct {
		records    []TraceRecord
		asked, now uint64
		want       uint64
	}{{nil, 0, 7, 0}, {records, 10, 16, 5}, {records, 15, 16, 0}, {nil, 9, 9, 0}, {nil, 9, 1, 0}} {
		if got := lostBefore(c.records, c.asked, c.now); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func FuzzTrace(f *testing.F) {
	f.Add(AppendTrace(nil, &TraceRecord{Number: 1, Op: xseg.OpRead}))
	f.Add(make([]byte, 3*traceBytes))
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := ParseTrace(b)
		if err != nil {
			return
		}
		var again []byte
		for i := range records {
			_ = records[i].OpName()
			again = AppendTrace(again, &records[i])
		}
		if len(again) != len(b) {
			t.Errorf("%d bytes became %d", len(b), len(again))
		}
	})
}
