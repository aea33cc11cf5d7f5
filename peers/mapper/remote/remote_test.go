package remote_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/mapper"
	"archipelago/peers/mapper/remote"
	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const serverPort, clientPort = 1001, 500

// fake is a mapper that answers with whatever a test wants.
type fake func(op *mapper.Op) error

func (f fake) Submit(op *mapper.Op) {
	op.Err = f(op)
	op.Done(op)
}

// later ends every operation on a goroutine of its own.
type later struct{ mapper.Mapper }

func (l later) Submit(op *mapper.Op) { go l.Mapper.Submit(op) }

// posted submits on the loop, as a client with the option OnLoop must.
type posted struct {
	mapper.Mapper
	loop *xseg.Loop
}

func (p posted) Submit(op *mapper.Op) { p.loop.Post(func() { p.Mapper.Submit(op) }) }

func connect(t *testing.T, m mapper.Mapper, slots int) (*xseg.Channel, *xseg.Loop) {
	node := xsegtest.New(t)
	server := node.Peer(t)
	server.Bind(serverPort, xseg.BindOptions{Role: "mapperd", Handler: remote.Serve(m)})
	server.Run()
	client := node.Peer(t)
	port := client.Bind(clientPort, xseg.BindOptions{Role: "vlmcd"})
	client.Run()
	return client.Connect(port, serverPort, xseg.ChannelOptions{Slots: slots, BufferBytes: 8 << 20}), client.Loop
}

func entry(n uint64) mapfmt.Entry {
	e := mapfmt.Entry{NumLevels: 4, Bottom: mapfmt.BottomForeign, Key: mapfmt.ForeignKey(3, 4)}
	for i := range e.Levels {
		e.Levels[i] = mapfmt.Level{UUID: mapfmt.UUID{byte(n), byte(i)}, Epoch: n << 40, Birth: ^n, Mask: n + 7}
	}
	return e
}

var info = mapper.Info{
	UUID: mapfmt.UUID{1, 2}, Name: "v", Size: 1 << 50, ObjectSize: 64 << 20, Flags: 257, Epoch: 1 << 60,
	Term: 5, Generation: 1 << 61, Chunks: 4096, Created: -1, Modified: 1 << 40, Origin: mapfmt.UUID{9}, Port: 512,
}

// exchange is an operation, what the server must see of it and what the client must get.
var exchanges = []struct {
	name   string
	op     mapper.Op
	answer func(op *mapper.Op)
}{
	{"open", mapper.Op{Kind: mapper.Open, Name: "v", Volume: mapfmt.UUID{1}}, func(op *mapper.Op) { op.Info = info }},
	{"close", mapper.Op{Kind: mapper.Close, Name: "v", Volume: mapfmt.UUID{1}}, func(*mapper.Op) {}},
	{"read", mapper.Op{Kind: mapper.MapRead, Volume: mapfmt.UUID{1}, Name: "v", Index: 1 << 40, Entries: make([]mapfmt.Entry, 3)},
		func(op *mapper.Op) {
			for i := range op.Entries {
				op.Entries[i] = entry(uint64(i))
			}
		}},
	{"read without a name", mapper.Op{Kind: mapper.MapRead, Volume: mapfmt.UUID{1}, Index: 1, Entries: make([]mapfmt.Entry, 1)},
		func(op *mapper.Op) { op.Entries[0] = mapfmt.Entry{} }},
	{"write", mapper.Op{Kind: mapper.MapWrite, Volume: mapfmt.UUID{1}, Name: "v", Index: 5, Term: 6},
		func(op *mapper.Op) { op.Entry = entry(1) }},
	{"commit", mapper.Op{Kind: mapper.Commit, Volume: mapfmt.UUID{1}, Name: "v", Index: 5, Term: 6, Entry: entry(2)},
		func(op *mapper.Op) { op.Entry = entry(3) }},
	{"flush", mapper.Op{Kind: mapper.Flush, Volume: mapfmt.UUID{1}, Name: "v"}, func(*mapper.Op) {}},
	{"snapshot", mapper.Op{Kind: mapper.Snapshot, Volume: mapfmt.UUID{1}, Name: "v", Other: "s", RequestID: [16]byte{4}},
		func(op *mapper.Op) { op.Info = info; op.Info.Name = "s" }},
	{"clone", mapper.Op{Kind: mapper.Clone, Name: "v", Other: "s", Size: 1 << 50, RequestID: [16]byte{4}},
		func(op *mapper.Op) { op.Info = info }},
	{"blank", mapper.Op{Kind: mapper.Clone, Name: "v", Size: 512, ObjectSize: 64 << 20},
		func(op *mapper.Op) { op.Info = info }},
	{"info", mapper.Op{Kind: mapper.InfoOf, Name: "v"}, func(op *mapper.Op) { op.Info = info }},
	{"list", mapper.Op{Kind: mapper.List, Other: "after", Data: make([]byte, 100)},
		func(op *mapper.Op) { op.N = int64(copy(op.Data, "names")); op.More = true }},
	{"last list", mapper.Op{Kind: mapper.List, Data: make([]byte, 100)}, func(*mapper.Op) {}},
	{"replace", mapper.Op{Kind: mapper.Commit, Volume: mapfmt.UUID{1}, Name: "v", Index: 5, Term: 6, Replace: true,
		Entry: mapfmt.Entry{NumLevels: 1, Levels: [4]mapfmt.Level{{UUID: mapfmt.UUID{1}, Birth: 9}}}},
		func(op *mapper.Op) { op.Entry = mapfmt.Entry{} }},
	{"snapshot of a group", mapper.Op{Kind: mapper.Snapshot, Name: "v", Other: "s", Group: [16]byte{7}, Members: 4096},
		func(op *mapper.Op) { op.Info = info; op.Info.Name = "s" }},
	{"group", mapper.Op{Kind: mapper.SnapshotGroup, Group: [16]byte{7}, Members: 1, Data: names("s1")}, func(*mapper.Op) {}},
	{"rename", mapper.Op{Kind: mapper.Rename, Name: "v", Volume: mapfmt.UUID{1}, Other: "w", RequestID: [16]byte{4}},
		func(op *mapper.Op) { op.Info = info; op.Info.Name = "w" }},
	{"rollback", mapper.Op{Kind: mapper.Rollback, Name: "v", Volume: mapfmt.UUID{1}, Other: "s", RequestID: [16]byte{4}},
		func(op *mapper.Op) { op.Info = info }},
	{"resize", mapper.Op{Kind: mapper.Resize, Name: "v", Volume: mapfmt.UUID{1}, Size: 1 << 50, RequestID: [16]byte{4}},
		func(op *mapper.Op) { op.Info = info }},
	{"usage", mapper.Op{Kind: mapper.UsageOf, Name: "v"},
		func(op *mapper.Op) {
			op.Usage = mapper.Usage{Allocated: 3 << 40, Exclusive: 1 << 40, Shared: 2 << 40, Objects: 7}
		}},
	{"diff", mapper.Op{Kind: mapper.Diff, Name: "v", Other: "s", Index: 1 << 33, Ranges: make([]mapper.Range, 20)},
		func(op *mapper.Op) {
			op.Ranges[0] = mapper.Range{Offset: 1 << 49, Length: 4096}
			op.Ranges[1] = mapper.Range{Offset: 1<<49 + 8192, Length: 1 << 40, Kind: mapper.RangeZero}
			op.N, op.Index, op.More = 2, 1<<34, true
		}},
	{"last diff", mapper.Op{Kind: mapper.Diff, Name: "v", Other: "s", Ranges: make([]mapper.Range, 1)}, func(*mapper.Op) {}},
	{"remove", mapper.Op{Kind: mapper.Delete, Name: "v", Volume: mapfmt.UUID{1}, RequestID: [16]byte{4}}, func(*mapper.Op) {}},
}

// names encodes names as the data of SNAPSHOT_GROUP.
func names(list ...string) []byte {
	b := make([]byte, 4096)
	n := 0
	for _, name := range list {
		n, _ = blocker.PutName(b, n, name)
	}
	return b[:n]
}

var ignoreDone = cmpopts.IgnoreFields(mapper.Op{}, "Done", "User")

// TestFields: everything of an operation arrives, and everything of its answer comes back.
func TestFields(t *testing.T) {
	for _, ways := range []string{"inline", "later"} {
		t.Run(ways, func(t *testing.T) {
			var seen mapper.Op
			var answer func(*mapper.Op)
			var server mapper.Mapper = fake(func(op *mapper.Op) error {
				seen = *op
				// Room for the answer: what it holds beforehand means nothing.
				seen.Entries = make([]mapfmt.Entry, len(op.Entries))
				if op.Kind == mapper.List {
					seen.Data = make([]byte, len(op.Data))
				}
				seen.Ranges = make([]mapper.Range, len(op.Ranges))
				answer(op)
				return nil
			})
			if ways == "later" {
				server = later{server}
			}
			ch, _ := connect(t, server, 8)
			m := remote.New(ch)
			for _, x := range exchanges {
				op, want := x.op, x.op
				op.Entries = append([]mapfmt.Entry(nil), x.op.Entries...)
				op.Data = append([]byte(nil), x.op.Data...)
				op.Ranges = append([]mapper.Range(nil), x.op.Ranges...)
				answer = x.answer
				if err := mapper.Do(m, &op); err != nil {
					t.Errorf("%s: %v", x.name, err)
					continue
				}
				if d := cmp.Diff(x.op, seen, ignoreDone, cmpopts.EquateEmpty()); d != "" {
					t.Errorf("%s: arrived otherwise:\n%s", x.name, d)
				}
				want.Entries = append([]mapfmt.Entry(nil), x.op.Entries...)
				want.Data = append([]byte(nil), x.op.Data...)
				want.Ranges = append([]mapper.Range(nil), x.op.Ranges...)
				answer(&want)
				if d := cmp.Diff(want, op, ignoreDone, cmpopts.EquateEmpty()); d != "" {
					t.Errorf("%s: came back otherwise:\n%s", x.name, d)
				}
			}
		})
	}
}

// TestErrors: kind and text of an error come back.
func TestErrors(t *testing.T) {
	var fail error
	ch, _ := connect(t, fake(func(*mapper.Op) error { return fail }), 8)
	m := remote.New(ch)
	for _, c := range []struct{ from, want error }{
		{mapper.ErrNotFound, mapper.ErrNotFound}, {mapper.ErrExists, mapper.ErrExists},
		{mapper.ErrName, mapper.ErrArgument}, {mapper.ErrTooSmall, mapper.ErrTooSmall},
		{mapper.ErrReadOnly, mapper.ErrReadOnly}, {mapper.ErrNotRO, mapper.ErrNotRO},
		{mapper.ErrBusy, mapper.ErrBusy}, {mapper.ErrAgain, mapper.ErrAgain},
		{mapper.ErrStale, mapper.ErrStale}, {mapper.ErrCorrupt, mapper.ErrCorrupt},
		{mapper.ErrNoSpace, mapper.ErrNoSpace}, {mapper.ErrIO, mapper.ErrIO},
		{syscall.ETIMEDOUT, syscall.ETIMEDOUT}, {errors.New("odd"), mapper.ErrIO},
	} {
		fail = c.from
		err := mapper.Do(m, &mapper.Op{Kind: mapper.Flush})
		if !errors.Is(err, c.want) {
			t.Errorf("%v came back as %v", c.from, err)
		}
		fail = fmt.Errorf("volume v: %w%s", c.from, strings.Repeat(".", 300))
		err = mapper.Do(m, &mapper.Op{Kind: mapper.Flush})
		if !errors.Is(err, c.want) || !strings.HasPrefix(err.Error(), "volume v: "+c.from.Error()) {
			t.Errorf("%v came back as %v", fail, err)
		}
	}
}

// TestMoreThanSlots: what finds no room waits for it.
func TestMoreThanSlots(t *testing.T) {
	ch, loop := connect(t, later{fake(func(op *mapper.Op) error {
		op.Entry = entry(uint64(op.Index))
		return nil
	})}, 2)
	for _, m := range []mapper.Mapper{remote.New(ch), posted{remote.New(ch, remote.OnLoop()), loop}} {
		var wait sync.WaitGroup
		for i := range 100 {
			wait.Go(func() {
				op := mapper.Op{Kind: mapper.MapWrite, Index: int64(i)}
				if err := mapper.Do(m, &op); err != nil || op.Entry != entry(uint64(i)) {
					t.Errorf("%d: %v, %v", i, op.Entry, err)
				}
			})
		}
		wait.Wait()
	}
}

// TestRefusedByTheClient: what no request can carry doesn't reach the channel.
func TestRefusedByTheClient(t *testing.T) {
	ch, _ := connect(t, fake(func(op *mapper.Op) error { t.Errorf("arrived: %+v", op); return nil }), 2)
	m := remote.New(ch)
	for _, op := range []mapper.Op{
		{}, {Kind: 99}, {Kind: mapper.Open, Name: strings.Repeat("n", 177)},
		{Kind: mapper.Snapshot, Name: "v", Other: strings.Repeat("n", 300)},
		{Kind: mapper.List, Data: make([]byte, xseg.MaxData+1)},
		{Kind: mapper.MapRead, Entries: make([]mapfmt.Entry, xseg.MaxData/remote.EntryBytes+1)},
	} {
		if err := mapper.Do(m, &op); mapper.Errno(err) != syscall.EINVAL {
			t.Errorf("%d: %v", op.Kind, err)
		}
	}
}

// TestRefusedByTheServer: bad requests end with EINVAL and never reach the mapper.
func TestRefusedByTheServer(t *testing.T) {
	ch, _ := connect(t, fake(func(op *mapper.Op) error { t.Errorf("arrived: %+v", op); return nil }), 2)
	for name, x := range map[string]struct {
		op     uint32
		target string
		size   uint64
		data   []byte
		inline []byte
	}{
		"operation":            {op: xseg.OpRead, target: "v"},
		"unknown operation":    {op: 1 << 30, target: "v"},
		"no name":              {op: xseg.OpOpen},
		"bad name":             {op: xseg.OpInfo, target: "a/b"},
		"bad name of volume":   {op: xseg.OpMapw, target: "-"},
		"more than fits":       {op: xseg.OpMapr, target: "v", size: 2, data: make([]byte, 399)},
		"far more than fits":   {op: xseg.OpMapr, target: "v", size: 1 << 63, data: make([]byte, 399)},
		"no entry":             {op: xseg.OpCommit, target: "v"},
		"entry of five levels": {op: xseg.OpCommit, target: "v", inline: append([]byte{0, 5}, make([]byte, 198)...)},
		"entry of odd bottom":  {op: xseg.OpCommit, target: "v", inline: append([]byte{3, 0}, make([]byte, 198)...)},
		"no snapshot name":     {op: xseg.OpSnapshot, target: "v"},
		"empty snapshot name":  {op: xseg.OpSnapshot, target: "v", data: make([]byte, remote.NameArgsBytes)},
		"no new name":          {op: xseg.OpRename, target: "v"},
		"no group":             {op: xseg.OpSnapshotGroup},
		"group of many":        {op: xseg.OpSnapshotGroup, inline: append(make([]byte, 19), 1, 0, 0, 0, 0)},
		"bit of a group":       {op: xseg.OpSnapshot, target: "v", data: make([]byte, remote.NameArgsBytes), inline: make([]byte, 23)},
		"no room for ranges":   {op: xseg.OpDiff, target: "v", data: make([]byte, remote.NameArgsBytes)},
		"too many ranges":      {op: xseg.OpDiff, target: "v", size: 11, data: make([]byte, remote.NameArgsBytes)},
		"no other name":        {op: xseg.OpDiff, target: "v", size: 1, data: make([]byte, remote.NameArgsBytes)},
		"no clone arguments":   {op: xseg.OpClone, target: "v", data: make([]byte, remote.CloneArgsBytes-1)},
		"negative size":        {op: xseg.OpClone, target: "v", data: negativeSize()},
	} {
		call, err := ch.GetWait(t.Context(), len(x.data))
		if err != nil {
			t.Fatal(err)
		}
		call.Op, call.Size = x.op, x.size
		call.SetTarget(x.target)
		copy(call.Data(), x.data)
		call.SetPayloadLen(copy(call.Payload(), x.inline))
		if err := call.Do(t.Context()); err != nil {
			t.Fatal(err)
		}
		if call.Errno() != syscall.EINVAL {
			t.Errorf("%s: %v", name, call.Errno())
		}
		call.Put()
	}
}

func negativeSize() []byte {
	b := make([]byte, remote.CloneArgsBytes)
	remote.PutCloneArgs(b, remote.CloneArgs{Size: -1})
	return b
}

// TestNoAllocation holds for the operations of the I/O path, at both ends together.
func TestNoAllocation(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	ch, _ := connect(t, fake(func(op *mapper.Op) error { return nil }), 8)
	m := remote.New(ch)
	done := make(chan struct{})
	op := mapper.Op{Volume: mapfmt.UUID{1}, Name: "v", Entries: make([]mapfmt.Entry, 2)}
	op.Done = func(*mapper.Op) { done <- struct{}{} }
	for _, kind := range []mapper.Kind{mapper.MapRead, mapper.MapWrite, mapper.Commit, mapper.Flush} {
		op.Kind = kind
		n := testing.AllocsPerRun(200, func() {
			m.Submit(&op)
			<-done
		})
		if n > 0.1 { // a pool may be emptied by the collector
			t.Errorf("operation %d: %.2f allocations", kind, n)
		}
	}
}
