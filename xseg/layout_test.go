package xseg

import (
	"errors"
	"testing"
	"unsafe"

	"archipelago/xseg/internal/abi"
)

func goodHeader() *abi.Header {
	h := &abi.Header{}
	t := tablesFor(64, 64)
	fillHeader(h, &t, "name", "/run/x")
	return h
}

func TestCheckHeader(t *testing.T) {
	if _, err := checkHeader(goodHeader(), 64<<20); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spoil func(*abi.Header)
		want  error
	}{
		"magic":     {func(h *abi.Header) { h.Magic++ }, ErrVersion},
		"version":   {func(h *abi.Header) { h.AbiVersion++ }, ErrVersion},
		"features":  {func(h *abi.Header) { h.Features = 1 }, ErrVersion},
		"slot size": {func(h *abi.Header) { h.SlotSize = 256 }, ErrVersion},
		"ports":     {func(h *abi.Header) { h.NrPorts = 1 << 20 }, ErrCorrupt},
		"size":      {func(h *abi.Header) { h.SegmentSize++ }, ErrCorrupt},
		"volumes":   {func(h *abi.Header) { h.NrVolumes = abi.MaxVolumes + 1 }, ErrCorrupt},
		"owners":    {func(h *abi.Header) { h.VolumeOwnersOffset = h.HeapOffset }, ErrCorrupt},
		"row size":  {func(h *abi.Header) { h.VolumeSize = 2048 }, ErrVersion},
		"heap":      {func(h *abi.Header) { h.HeapOffset = 0 }, ErrCorrupt},
		"overflow":  {func(h *abi.Header) { h.ChannelsOffset = ^uint64(4095) }, ErrCorrupt},
		"alignment": {func(h *abi.Header) { h.PortsOffset++ }, ErrCorrupt},
	} {
		h := goodHeader()
		c.spoil(h)
		if _, err := checkHeader(h, 64<<20); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzHeader: whatever a file says, tables that pass lie inside it.
func FuzzHeader(f *testing.F) {
	h := goodHeader()
	f.Add(unsafe.Slice((*byte)(unsafe.Pointer(h)), headerSize)[:256], uint32(64<<20))
	f.Fuzz(func(t *testing.T, b []byte, size uint32) {
		mem := make([]byte, headerSize)
		copy(mem, b)
		tb, err := checkHeader(headerOf(mem), uint64(size))
		if err != nil {
			return
		}
		end := max(tb.ports+uint64(tb.nrPorts)*portSize, tb.waiters+uint64(tb.nrWaiters)*waiterSize,
			tb.channels+uint64(tb.nrChannels)*channelSize, tb.owners+uint64(tb.nrVolumes)*ownerSize,
			tb.volumes+uint64(tb.nrVolumes)*volumeSize)
		if end > uint64(size) || tb.heap > uint64(size) || tb.ports < headerSize {
			t.Fatalf("%+v passes for a file of %d bytes", tb, size)
		}
	})
}

// FuzzVolume: whatever a row holds, it is described in words that a terminal can show, or not at all.
func FuzzVolume(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0, 1, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var row abi.Volume
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&row)), volumeSize), b)
		v, ok := loadVolume(&row)
		if len(v.Name) > abi.VolumeNameMax || ok == (row.Seq.Load()&1 != 0 || v.UUID == UUID{}) {
			t.Fatalf("%v %+v", ok, v)
		}
		for _, c := range v.Name {
			if c <= ' ' || c > '~' {
				t.Fatalf("%q", v.Name)
			}
		}
	})
}

func FuzzMessage(f *testing.F) {
	m := message{kind: msgHello, channel: 3, src: 9, serial: 1 << 40, srcInc: 5, dstInc: 6, errno: 2}
	f.Add(m.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMessage(b)
		if err != nil {
			return
		}
		if back, err := decodeMessage(m.encode()); err != nil || back != m {
			t.Fatalf("%+v became %+v, %v", m, back, err)
		}
	})
}

func TestBucket(t *testing.T) {
	for _, c := range []struct {
		ns   int64
		want int
	}{{-1, 0}, {0, 0}, {256, 0}, {511, 0}, {512, 1}, {1023, 1}, {1024, 2}, {1 << 39, 31}, {1 << 62, 31}} {
		if got := bucket(c.ns); got != c.want {
			t.Errorf("bucket(%d) = %d, want %d", c.ns, got, c.want)
		}
	}
}
