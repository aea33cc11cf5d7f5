package shm

import (
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"
)

func testFile(t *testing.T) (name string, f *File) {
	name = "xsegtest-shm-" + rand.Text()[:10]
	f, err := CreateFile(1<<20, 8192, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Publish(name, -1); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(Path(name)) })
	return name, f
}

func TestPublishIsExclusive(t *testing.T) {
	name, f := testFile(t)
	if err := f.Publish(name, -1); !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	g, err := OpenFile(name)
	if err != nil || g.Size() != 1<<20 {
		t.Fatal(g, err)
	}
	g.Close()
	if _, err := OpenFile(name + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

// TestLocksBelongToOpens: two opens exclude each other in one process too, and a lock ends with
// its open.
func TestLocksBelongToOpens(t *testing.T) {
	name, a := testFile(t)
	b, err := OpenFile(name)
	if err != nil {
		t.Fatal(err)
	}
	const pos = 1 << 41
	if ok, err := b.TryLock(pos); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, _ := a.TryLock(pos); ok || !a.LockedByOther(pos) || a.LockedByOther(pos+1) {
		t.Fatal("the lock of another open doesn't count")
	}
	b.Close()
	if a.LockedByOther(pos) {
		t.Fatal("a lock outlived its open")
	}
	if ok, _ := a.TryLock(pos); !ok {
		t.Fatal("a free lock was refused")
	}
	if err := a.Unlock(pos); err != nil {
		t.Fatal(err)
	}
}

func TestPunch(t *testing.T) {
	_, f := testFile(t)
	mem, err := f.Map()
	if err != nil {
		t.Fatal(err)
	}
	defer Unmap(mem)
	if err := f.Back(8192, 4096); err != nil {
		t.Fatal(err)
	}
	mem[8192] = 7
	if err := f.Punch(8192, 4096); err != nil || mem[8192] != 0 {
		t.Fatal(err, mem[8192])
	}
}

func TestWaitAndWake(t *testing.T) {
	_, f := testFile(t)
	mem, err := f.Map()
	if err != nil {
		t.Fatal(err)
	}
	defer Unmap(mem)
	var word atomic.Uint32
	word.Store(1)
	Wait(&word, 0, false) // another value: returns at once
	woken := make(chan struct{})
	go func() {
		for word.Load() == 1 {
			Wait(&word, 1, true)
		}
		close(woken)
	}()
	word.Store(2)
	Wake(&word)
	<-woken
}

func TestProcess(t *testing.T) {
	self, err := Self()
	if err != nil || self.PID != os.Getpid() || self.Ending() {
		t.Fatal(self, err)
	}
	if other := (Process{PID: self.PID, StartTime: self.StartTime + 1}); !other.Ending() {
		t.Fatal("a process whose id was used again counts as alive")
	}
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Skip("no sleep command: ", err)
	}
	st, err := readStat(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	child := Process{PID: cmd.Process.Pid, StartTime: st.start}
	if child.Ending() {
		t.Fatal("a live process counts as ending")
	}
	_ = cmd.Process.Kill()
	for limit := time.Now().Add(20 * time.Second); !child.Ending(); { // a zombie until it is waited for
		if time.Now().After(limit) {
			t.Fatal("a killed process doesn't count as ending")
		}
	}
	_ = cmd.Wait()
	if !child.Ending() {
		t.Fatal("a process that is gone counts as alive")
	}
}

func TestClocks(t *testing.T) {
	a := Monotonic()
	if b := Monotonic(); b < a || a <= 0 {
		t.Fatal(a, b)
	}
	if Boottime() == 0 {
		t.Fatal("no boot time")
	}
	if BootID() == [16]byte{} {
		t.Fatal("no boot id")
	}
}
