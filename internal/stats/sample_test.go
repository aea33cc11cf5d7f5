package stats

import (
	"testing"
	"time"

	"archipelago/xseg"
)

// TestChannelMadeAnew: an entry of the channel table that was given to others isn't compared with
// what it was.
func TestChannelMadeAnew(t *testing.T) {
	c := func(src xseg.PortNo, requests uint64) *Sample {
		return &Sample{Channels: []xseg.ChannelInfo{{ID: 0, Src: src, Dst: 500, Counters: xseg.Counters{Requests: requests}}}}
	}
	for _, x := range []struct {
		old, now *Sample
		want     uint64
	}{
		{c(1003, 100), c(1003, 150), 50},
		{c(1003, 100), c(1004, 150), 150},
		{c(1003, 100), c(1003, 20), 20},
		{&Sample{}, c(1003, 20), 20},
	} {
		if got := submitted(x.old, x.now)[x.now.Channels[0].Src].Requests; got != x.want {
			t.Errorf("%d, want %d", got, x.want)
		}
	}
}

// volume is a row with some writes of two lengths, and one that failed.
func volume(uuid byte, short, long, failed uint64) xseg.VolumeInfo {
	v := xseg.VolumeInfo{UUID: xseg.UUID{uuid}, Name: string(rune('a' + uuid)), SizeBytes: 1 << 30, Alive: true, Depth: 3, Port: 500}
	w := &v.Ops[xseg.VolumeWrite]
	w.Requests, w.Bytes, w.Errors = short+long+failed, (short+long)*4096, failed
	w.Latency[2], w.Latency[10] = short+failed, long
	return v
}

// TestVolumes: rates are of the time between two samples; a row that was begun anew, and a volume
// that is new, count from zero.
func TestVolumes(t *testing.T) {
	old := &Sample{At: time.Unix(100, 0), Volumes: []xseg.VolumeInfo{volume(1, 1000, 0, 0), volume(2, 500, 0, 0)}}
	now := &Sample{At: time.Unix(102, 0), Volumes: []xseg.VolumeInfo{volume(1, 1990, 8, 2), volume(2, 20, 0, 0), volume(3, 4, 0, 0)}}
	now.Volumes[0].Ops[xseg.VolumeRead] = xseg.VolumeCounters{Requests: 1000, Bytes: 1 << 20}
	now.Volumes[0].Ops[xseg.VolumeRead].Latency[2] = 1000
	got := Volumes(old, now)
	if len(got) != 3 {
		t.Fatalf("%+v", got)
	}
	a := got[0]
	if a.Write.PerSecond != 500 || a.Write.FailedPerSecond != 1 || a.Write.BytesPerSecond != 499*4096 ||
		a.Read.PerSecond != 500 || a.PerSecond != 1000 || a.BytesPerSecond != 499*4096+1<<19 || a.FailedPerSecond != 1 {
		t.Errorf("%+v", a)
	}
	if a.Write.P50 < 1024 || a.Write.P50 > 2048 || a.Write.P99 > 2048 || a.P50 < 1024 || a.P50 > 2048 {
		t.Errorf("%+v", a)
	}
	if a.Depth != 3 || a.Port != 500 || a.Name != "b" || a.UUID != "01000000-0000-0000-0000-000000000000" {
		t.Errorf("%+v", a)
	}
	if got[1].PerSecond != 10 || got[2].PerSecond != 2 {
		t.Errorf("begun anew %v, new %v", got[1].PerSecond, got[2].PerSecond)
	}
}

// TestNoTime: two samples of one instant have no rates, not infinite ones.
func TestNoTime(t *testing.T) {
	s := &Sample{At: time.Unix(1, 0), Volumes: []xseg.VolumeInfo{volume(1, 10, 0, 0)},
		Ports: []xseg.PortInfo{{No: 1, Incarnation: 1, Counters: xseg.Counters{Requests: 5}}}}
	if v := Volumes(&Sample{At: s.At}, s)[0]; v.PerSecond != 0 || v.BytesPerSecond != 0 {
		t.Errorf("%+v", v)
	}
	if p := Ports(&Sample{At: s.At}, s)[0]; p.Received != 0 {
		t.Errorf("%+v", p)
	}
}
