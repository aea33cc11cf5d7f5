package filed

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"archipelago/peers/blocker"
	"archipelago/peers/blocker/blockertest"
)

// tracer records the calls that change a disk, and may fail or hold them.
type tracer struct {
	mu    sync.Mutex
	calls []string
	hook  func(call, path string) error
}

// watch attaches a tracer to a store that is idle.
func watch(s *Store) *tracer {
	tr := &tracer{}
	s.disk.observe, s.locks.disk.observe = tr.note, tr.note
	return tr
}

func (tr *tracer) note(call, path string) error {
	tr.mu.Lock()
	tr.calls = append(tr.calls, call+" "+path)
	hook := tr.hook
	tr.mu.Unlock()
	if hook != nil {
		return hook(call, path)
	}
	return nil
}

func (tr *tracer) on(f func(call, path string) error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.hook = f
}

// failSync makes each sync of that path fail.
func (tr *tracer) failSync(failing string) {
	tr.on(func(call, path string) error {
		if call == "fdatasync" && path == failing {
			return unix.EIO
		}
		return nil
	})
}

// take returns the calls so far, with numbers of temporary files made equal, and forgets them.
func (tr *tracer) take() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	calls := tr.calls
	tr.calls = nil
	for i, c := range calls {
		if at := strings.Index(c, " .tmp/"); at >= 0 {
			calls[i] = c[:at] + " temp"
		}
	}
	return calls
}

// order checks that calls holds want in this order, with anything in between.
func order(t *testing.T, calls []string, want ...string) {
	t.Helper()
	rest := calls
	for _, w := range want {
		i := slices.Index(rest, w)
		if i < 0 {
			t.Fatalf("no %q in its place among\n  %s", w, strings.Join(calls, "\n  "))
		}
		rest = rest[i+1:]
	}
}

func count(calls []string, call string) (n int) {
	for _, c := range calls {
		if c == call {
			n++
		}
	}
	return n
}

func do(t testing.TB, s blocker.Store, op *blocker.Op) *blocker.Op {
	t.Helper()
	if err := blocker.Do(s, op); err != nil {
		t.Error(err)
	}
	return op
}

func put(t testing.TB, s blocker.Store, name, data string) {
	t.Helper()
	do(t, s, &blocker.Op{Kind: blocker.Write, Name: name, Data: []byte(data)})
}

// TestSyscalls: what has to be durable is made so, in the order that leaves no gap.
func TestSyscalls(t *testing.T) {
	s := open(t, nil)
	tr := watch(s)

	put(t, s, "a/b/x", "1")
	if calls := tr.take(); count(calls, "fdatasync a/b/x") != 0 {
		t.Errorf("a plain write syncs: %q", calls)
	}
	do(t, s, &blocker.Op{Kind: blocker.Sync})
	order(t, tr.take(), "syncfs .", "fdatasync a/b/x", "syncdir a/b", "syncdir a", "syncdir .")
	put(t, s, "a/b/x", "2")
	do(t, s, &blocker.Op{Kind: blocker.Sync})
	if calls := tr.take(); !slices.Equal(calls, []string{"write a/b/x", "fdatasync a/b/x"}) {
		t.Errorf("an old object: %q", calls)
	}
	do(t, s, &blocker.Op{Kind: blocker.Sync})
	if calls := tr.take(); len(calls) != 0 {
		t.Errorf("nothing is dirty: %q", calls)
	}

	do(t, s, &blocker.Op{Kind: blocker.Create, Name: "a/c/y", Data: []byte("1")})
	order(t, tr.take(), "creat temp", "write temp", "fdatasync temp", "link a/c/y", "syncdir a/c", "syncdir a")
	do(t, s, &blocker.Op{Kind: blocker.Replace, Name: "a/c/y", Data: []byte("2")})
	order(t, tr.take(), "creat temp", "write temp", "fdatasync temp", "rename a/c/y", "syncdir a/c")
	do(t, s, &blocker.Op{Kind: blocker.Write, Name: "a/c/z", Flags: blocker.FlagFUA})
	order(t, tr.take(), "creat a/c/z", "write a/c/z", "fdatasync a/c/z", "syncdir a/c")
	do(t, s, &blocker.Op{Kind: blocker.TruncateTail, Name: "a/c/y"})
	order(t, tr.take(), "truncate a/c/y", "fdatasync a/c/y")
	do(t, s, &blocker.Op{Kind: blocker.Delete, Name: "a/c/y"})
	if calls := tr.take(); !slices.Equal(calls, []string{"unlink a/c/y"}) {
		t.Errorf("a plain delete: %q", calls)
	}
	do(t, s, &blocker.Op{Kind: blocker.Delete, Name: "a/c/z", Flags: blocker.FlagFUA})
	order(t, tr.take(), "unlink a/c/z", "syncdir a/c")
	chain := physical("l/x")
	do(t, s, &blocker.Op{Kind: blocker.LockAdvance, Name: "l/x"})
	order(t, tr.take(), "write temp", "fdatasync temp", "link "+chain+"/1", "syncdir "+chain, "syncdir "+parent(chain), "syncdir l", "syncdir .")
}

// TestSyncCoversOwnVolume: a volume's Sync leaves others' objects alone, but syncs one that both
// have written.
func TestSyncCoversOwnVolume(t *testing.T) {
	s := open(t, nil)
	one, two := blocker.UUID{1}, blocker.UUID{2}
	write := func(v blocker.UUID, name string) {
		do(t, s, &blocker.Op{Kind: blocker.Write, Volume: v, Name: name, Data: []byte{1}})
	}
	do(t, s, &blocker.Op{Kind: blocker.Sync})
	tr := watch(s)
	write(one, "x/1")
	write(two, "x/2")
	write(one, "x/both")
	write(two, "x/both")
	tr.take()
	do(t, s, &blocker.Op{Kind: blocker.Sync, Volume: two})
	calls := tr.take()
	if count(calls, "fdatasync x/1") != 0 || count(calls, "fdatasync x/2") != 1 || count(calls, "fdatasync x/both") != 1 {
		t.Errorf("sync of the second volume: %q", calls)
	}
	do(t, s, &blocker.Op{Kind: blocker.Sync, Volume: one})
	if calls := tr.take(); count(calls, "fdatasync x/1") != 1 || count(calls, "fdatasync x/both") != 0 {
		t.Errorf("sync of the first volume: %q", calls)
	}
}

// TestNameIsCloned: a name whose memory is used again is still found dirty.
func TestNameIsCloned(t *testing.T) {
	s := open(t, nil)
	name := []byte("clone/a")
	put(t, s, unsafe.String(&name[0], len(name)), "1")
	copy(name, "XXXXXXX")
	tr := watch(s)
	do(t, s, &blocker.Op{Kind: blocker.Sync, Name: "clone/a"})
	if n := count(tr.take(), "fdatasync clone/a"); n != 1 {
		t.Errorf("synced %d times", n)
	}
}

// hold stops the first call that matches until it is released.
func (tr *tracer) hold(t *testing.T, call string) (reached chan struct{}, release func()) {
	reached = make(chan struct{})
	gate := make(chan struct{})
	var once sync.Once
	tr.on(func(c, path string) error {
		if c+" "+path == call {
			first := false
			once.Do(func() { first = true })
			if first {
				close(reached)
				<-gate
			}
		}
		return nil
	})
	release = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release)
	return reached, release
}

// start submits op, which runs on the pool: a sync that is held up must not hold up the test.
func start(s blocker.Store, op *blocker.Op) chan error {
	if s, ok := s.(*Store); ok {
		s.pace.usual.Store(0)
	}
	done := make(chan error, 1)
	op.Done = func(op *blocker.Op) { done <- op.Err }
	s.Submit(op)
	return done
}

// TestWriteDuringSync: a sync that had started before a write doesn't make it clean; one that waits
// for a sync under way that covers it is no second one.
func TestWriteDuringSync(t *testing.T) {
	s := open(t, nil)
	do(t, s, &blocker.Op{Kind: blocker.Sync})
	put(t, s, "x", "1")
	do(t, s, &blocker.Op{Kind: blocker.Sync})
	tr := watch(s)
	put(t, s, "x", "2")
	reached, release := tr.hold(t, "fdatasync x")
	first := start(s, &blocker.Op{Kind: blocker.Sync})
	<-reached
	same := start(s, &blocker.Op{Kind: blocker.Sync}) // waits for the one that runs
	x := s.objects["x"]
	waitFor(t, s, func() bool { return len(x.running.jobs) == 2 })
	put(t, s, "x", "3")
	later := start(s, &blocker.Op{Kind: blocker.Sync}) // needs one of its own
	put(t, s, "x", "4")
	joined := start(s, &blocker.Op{Kind: blocker.Sync, Name: "x"}) // and this one shares it
	select {
	case <-first:
		t.Error("a sync has ended before its fdatasync")
	case <-same:
		t.Error("a sync that finds the object syncing doesn't wait")
	case <-later:
		t.Error("a sync has ended before its fdatasync")
	default:
	}
	// All four are waiting in the store: Submit hands Sync to the pool, so see that they arrived.
	waitFor(t, s, func() bool {
		o := s.objects["x"]
		return o.next != nil && len(o.next.jobs) == 2 && len(o.running.jobs) == 2
	})
	release()
	for _, c := range []chan error{first, same, later, joined} {
		if err := <-c; err != nil {
			t.Error(err)
		}
	}
	if n := count(tr.take(), "fdatasync x"); n != 2 {
		t.Errorf("%d syncs for four that waited, want 2", n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.objects["x"].dirty() || len(s.dirty) != 0 {
		t.Error("the object is dirty after all syncs")
	}
}

// waitFor polls the store's state, which nothing announces.
func waitFor(t *testing.T, s *Store, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		s.mu.Lock()
		done := ok()
		s.mu.Unlock()
		if done {
			return
		}
		runtime.Gosched()
	}
	t.Fatal("the store doesn't get there")
}

// TestSyncDuringWrite: a write that hasn't ended when a sync starts isn't clean after it.
func TestSyncDuringWrite(t *testing.T) {
	s := open(t, nil)
	do(t, s, &blocker.Op{Kind: blocker.Sync})
	put(t, s, "x", "1")
	tr := watch(s)
	reached, release := tr.hold(t, "write x")
	writing := start(s, &blocker.Op{Kind: blocker.Write, Name: "x", Data: make([]byte, inlineMax+1)})
	<-reached
	do(t, s, &blocker.Op{Kind: blocker.Sync}) // doesn't wait for a write that hasn't ended
	release()
	if err := <-writing; err != nil {
		t.Fatal(err)
	}
	tr.take()
	do(t, s, &blocker.Op{Kind: blocker.Sync})
	if n := count(tr.take(), "fdatasync x"); n != 1 {
		t.Errorf("the write was synced %d times", n)
	}
}

// failing is a store with fdatasync failing on demand.
type failing struct {
	*Store
	tr *tracer
}

func (f failing) FailSync(fail func(name string) error) {
	f.tr.on(func(call, path string) error {
		if call == "fdatasync" {
			return fail(path)
		}
		return nil
	})
}

func TestSyncFailure(t *testing.T) {
	for _, direct := range []bool{false, true} {
		blockertest.RunSyncFailure(t, func(t *testing.T) blockertest.Faulty {
			s := open(t, func(o *Options) { o.Direct = direct })
			return failing{s, watch(s)}
		})
	}
}

// TestDirectorySyncFailure: an object whose name may be lost is bad as well.
func TestDirectorySyncFailure(t *testing.T) {
	s := open(t, nil)
	tr := watch(s)
	fail := true
	tr.on(func(call, _ string) error {
		if call == "syncdir" && fail {
			return unix.EIO
		}
		return nil
	})
	put(t, s, "a/x", "1")
	if err := blocker.Do(s, &blocker.Op{Kind: blocker.Sync}); !errors.Is(err, unix.EIO) {
		t.Errorf("sync: %v", err)
	}
	for _, op := range []*blocker.Op{
		{Kind: blocker.Create, Name: "b/x"},
		{Kind: blocker.Replace, Name: "b/y"},
		{Kind: blocker.Delete, Name: "a/x", Flags: blocker.FlagFUA},
		{Kind: blocker.LockAdvance, Name: "l/x"},
	} {
		if err := blocker.Do(s, op); !errors.Is(err, unix.EIO) {
			t.Errorf("kind %d: %v", op.Kind, err)
		}
	}
	tr.on(nil)
	do(t, s, &blocker.Op{Kind: blocker.Replace, Name: "a/x", Data: []byte("2")})
	do(t, s, &blocker.Op{Kind: blocker.Sync})
}

// TestRecovery: the first Sync covers what a predecessor has left unsynced; when that fails,
// nothing is promised any more.
func TestRecovery(t *testing.T) {
	s := open(t, nil)
	tr := watch(s)
	tr.on(func(call, _ string) error {
		if call == "syncfs" {
			return unix.EIO
		}
		return nil
	})
	for range 2 {
		for _, name := range []string{"", "x"} {
			err := blocker.Do(s, &blocker.Op{Kind: blocker.Sync, Name: name})
			if !errors.Is(err, blocker.ErrBad) || !errors.Is(err, unix.EIO) {
				t.Errorf("sync: %v", err)
			}
		}
	}
	if n := count(tr.take(), "syncfs ."); n != 1 {
		t.Errorf("%d times syncfs: a second one would say that all is well", n)
	}

	s = open(t, nil)
	tr = watch(s)
	for range 3 {
		do(t, s, &blocker.Op{Kind: blocker.Sync})
	}
	if n := count(tr.take(), "syncfs ."); n != 1 {
		t.Errorf("%d times syncfs, want 1", n)
	}
}

// TestEviction: a dirty descriptor is synced before it is closed, and a bad one stays.
func TestEviction(t *testing.T) {
	s := open(t, func(o *Options) { o.FDCache = 8 })
	do(t, s, &blocker.Op{Kind: blocker.Sync})
	tr := watch(s)
	tr.failSync("e/3")
	for i := range 30 {
		put(t, s, fmt.Sprintf("e/%d", i), "1")
	}
	calls := tr.take()
	for i := range 20 {
		if count(calls, fmt.Sprintf("fdatasync e/%d", i)) != 1 {
			t.Errorf("e/%d was not synced once", i)
		}
	}
	s.mu.Lock()
	n, bad := s.lru.len, s.objects["e/3"]
	s.mu.Unlock()
	if n > 9 || bad == nil {
		t.Errorf("%d descriptors are open, the bad one: %v", n, bad != nil)
	}
	if err := blocker.Do(s, &blocker.Op{Kind: blocker.Sync}); !errors.Is(err, blocker.ErrBad) {
		t.Errorf("sync: %v", err)
	}
}

// TestLongWritesGoInPieces: a long write reaches the page cache in pieces that end at multiples of
// their size, so that the kernel keeps it in pages that small writes don't suffer from.
func TestLongWritesGoInPieces(t *testing.T) {
	s := open(t, nil)
	do(t, s, &blocker.Op{Kind: blocker.Write, Name: "x", Data: []byte{1}})
	tr, writes := watch(s), 0
	tr.on(func(call, _ string) error {
		if call == "write" {
			writes++
		}
		return nil
	})
	data := bytes.Repeat([]byte("abcdefg"), 3*cachePiece/7)
	do(t, s, &blocker.Op{Kind: blocker.Write, Name: "x", Data: data, Offset: cachePiece - 100})
	if want := 4; writes != want { // the 100 bytes before the first boundary, and three more
		t.Errorf("%d calls, want %d", writes, want)
	}
	got := make([]byte, len(data))
	do(t, s, &blocker.Op{Kind: blocker.Read, Name: "x", Data: got, Offset: cachePiece - 100})
	if !bytes.Equal(got, data) {
		t.Error("what was read isn't what was written")
	}
}
