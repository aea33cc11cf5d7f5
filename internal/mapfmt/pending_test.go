package mapfmt

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// pendingLog is a log in memory, written as a mapper does.
type pendingLog struct {
	h    *PendingHeader
	seed uint32
	data []byte
}

func newPendingLog(t interface{ Fatal(...any) }, h *PendingHeader) *pendingLog {
	data := make([]byte, h.FileBytes())
	head, err := EncodePendingHeader(h)
	if err != nil {
		t.Fatal(err)
	}
	copy(data, head)
	_, seed, err := DecodePendingHeader(data)
	if err != nil {
		t.Fatal(err)
	}
	return &pendingLog{h, seed, data}
}

func (l *pendingLog) put(t interface{ Fatal(...any) }, p *PendingRecord) {
	b, err := AppendPendingRecord(nil, l.seed, p)
	if err != nil {
		t.Fatal(err)
	}
	copy(l.data[l.h.Offset(p.Number):], b)
}

func (l *pendingLog) trim(first uint64) {
	word := TrimWord(first)
	for i := range 8 {
		l.data[PendingTrimOffset+i] = byte(word >> (8 * i))
	}
}

func (l *pendingLog) replay() (numbers []uint64, next uint64, err error) {
	_, next, err = ReplayPending(l.data, func(p *PendingRecord) error {
		numbers = append(numbers, p.Number)
		return nil
	})
	return numbers, next, err
}

// TestPendingReplay writes and trims round and round: replay gives what is between the two.
func TestPendingReplay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := samplePendingHeader()
		h.Slots = uint32(rapid.IntRange(1, 9).Draw(t, "slots"))
		h.First = rapid.Uint64Range(1, 1<<40).Draw(t, "first")
		l, pool := newPendingLog(t, h), genUUIDs(t)
		first, next := h.First, h.First
		var want []PendingRecord
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			if next-first < uint64(h.Slots) && rapid.Bool().Draw(t, "put") {
				p := PendingRecord{next, rapid.Int64Min(0).Draw(t, "index"), genEntry(t, pool, 4<<20)}
				l.put(t, &p)
				want = append(want, p)
				next++
			} else if first < next {
				n := rapid.Uint64Range(1, next-first).Draw(t, "trim")
				first += n
				want = want[n:]
				l.trim(first)
			}
		}
		var got []PendingRecord
		gh, gn, err := ReplayPending(l.data, func(p *PendingRecord) error {
			got = append(got, *p)
			return nil
		})
		if err != nil || gn != next || gh.First != first || !slices.Equal(got, want) {
			t.Fatalf("%v, next %d of %d, first %d of %d\ngot  %+v\nwant %+v",
				err, gn, next, gh.First, first, got, want)
		}
	})
}

func fullPendingLog(t *testing.T) *pendingLog {
	h := samplePendingHeader()
	h.First = 10
	l := newPendingLog(t, h)
	for n := range uint64(h.Slots) {
		l.put(t, &PendingRecord{10 + n, 5, largestEntry(UUID{1}, n)})
	}
	return l
}

// TestPendingTorn spoils each byte of each record in turn: those before it stay, it and those
// after it don't count.
func TestPendingTorn(t *testing.T) {
	l := fullPendingLog(t)
	for n := range uint64(l.h.Slots) {
		at := l.h.Offset(10 + n)
		for i := range int64(PendingRecordBytes) {
			l.data[at+i] ^= 0x10
			got, next, err := l.replay()
			if err != nil || next != 10+n || uint64(len(got)) != n {
				t.Fatalf("byte %d of record %d: %v, %d, %v", i, 10+n, got, next, err)
			}
			l.data[at+i] ^= 0x10
		}
	}
}

// TestPendingTrimWord: no bit of the word can turn over unseen.
func TestPendingTrimWord(t *testing.T) {
	for _, first := range []uint64{1, 2, 0xffff, 1 << 32, MaxPendingNumber} {
		word := TrimWord(first)
		if got, err := ParseTrimWord(word); got != first || err != nil {
			t.Errorf("%d: %d, %v", first, got, err)
		}
		for bit := range 64 {
			if _, err := ParseTrimWord(word ^ 1<<bit); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%d with bit %d turned over: %v", first, bit, err)
			}
		}
	}
	l := fullPendingLog(t)
	clear(l.data[PendingTrimOffset:PendingHeaderBytes])
	if _, _, err := l.replay(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("trim word of zeros: %v", err)
	}
}

// TestPendingOtherLog: records of another log, in whatever the two differ, don't check.
func TestPendingOtherLog(t *testing.T) {
	for name, change := range map[string]func(*PendingHeader){
		"store":       func(h *PendingHeader) { h.Store[0]++ },
		"volume":      func(h *PendingHeader) { h.Volume[0]++ },
		"boot id":     func(h *PendingHeader) { h.BootID[0]++ },
		"incarnation": func(h *PendingHeader) { h.Incarnation[0]++ },
		"generation":  func(h *PendingHeader) { h.Generation++ },
		"epoch":       func(h *PendingHeader) { h.Epoch++ },
	} {
		l := fullPendingLog(t)
		h := *l.h
		change(&h)
		head, err := EncodePendingHeader(&h)
		if err != nil {
			t.Fatal(err)
		}
		copy(l.data, head)
		if got, next, err := l.replay(); err != nil || len(got) != 0 || next != 10 {
			t.Errorf("other %s: %v, %d, %v", name, got, next, err)
		}
	}
}

func TestPendingRefused(t *testing.T) {
	l := fullPendingLog(t)
	if _, _, err := ReplayPending(l.data[:len(l.data)-1], nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("short file: %v", err)
	}
	stop := errors.New("stop")
	if _, _, err := ReplayPending(l.data, func(*PendingRecord) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error of the callback: %v", err)
	}
	for _, p := range []PendingRecord{{0, 0, Entry{}}, {MaxPendingNumber + 1, 0, Entry{}}, {1, -1, Entry{}}} {
		if _, err := AppendPendingRecord(nil, 0, &p); !errors.Is(err, ErrArgument) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	if _, err := AppendPendingRecord(nil, 0, &PendingRecord{1, 0, Entry{NumLevels: 4}}); !errors.Is(err, ErrEntry) {
		t.Errorf("four levels: %v", err)
	}
	for _, h := range []PendingHeader{{ObjectSize: 1}, {ObjectSize: 4 << 20, First: 1}, {ObjectSize: 4 << 20, Slots: 1}} {
		if _, err := EncodePendingHeader(&h); !errors.Is(err, ErrArgument) {
			t.Errorf("%+v: %v", h, err)
		}
	}
}
