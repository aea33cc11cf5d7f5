package xseg

import (
	"crypto/rand"
	"testing"
	"time"

	"archipelago/xseg/internal/shm"
)

// loopForTest makes a loop in a segment of its own.
func loopForTest(t *testing.T, opts LoopOptions) *Loop {
	t.Helper()
	name := "xsegtest-" + rand.Text()[:12]
	err := Create(Spec{Name: name, Ports: 16, SizeMiB: 16, PageShift: 12},
		CreateOptions{RuntimeDir: t.TempDir(), Group: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = Destroy(name, true) })
	s, err := Join(name)
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.NewLoopWith(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close(); _ = s.Leave() })
	return l
}

// TestSleepRightsTheWord: whatever somebody has written into the wait word, the loop is odd while
// it sleeps, so that it can be woken, and even afterwards.
func TestSleepRightsTheWord(t *testing.T) {
	l := loopForTest(t, LoopOptions{})
	for _, scribbled := range []uint32{0, 1, 2, 7, ^uint32(0), ^uint32(0) - 1} {
		l.word.Store(scribbled)
		asleep := make(chan uint32, 1)
		l.wait = func(v uint32) { asleep <- v }
		l.sleep()
		if v := <-asleep; v&1 == 0 {
			t.Errorf("word %d: asleep with %d", scribbled, v)
		}
		if v := l.word.Load(); v&1 != 0 {
			t.Errorf("word %d: awake with %d", scribbled, v)
		}
	}
}

// TestSpinGivesUpWhereItLoses: a yield that costs a time slice stops the spins for a while, longer
// each time; ones that pay bring them back.
func TestSpinGivesUpWhereItLoses(t *testing.T) {
	found := func() bool { return true }
	s := spinner{score: 1}
	lose := func() {
		s.found = true
		s.began(spinLost+1, 1)
	}
	rests := func() (n int) {
		for !s.spin(found) {
			n++
			s.slept(1) // short sleeps alone would bring the spin back
		}
		return n
	}
	for range 10 {
		s.found = true
		if s.began(spinLost+1, lostFew+1); !s.spin(found) {
			t.Fatal("no spin after losses that many requests have shared")
		}
	}
	if lose(); !s.spin(found) {
		t.Fatal("no spin after a single loss")
	}
	s.began(1, 1)
	s.found = true
	s.began(1, 1)
	if lose(); !s.spin(found) {
		t.Fatal("no spin after two losses that are far apart")
	}
	lose()
	first := rests()
	lose()
	lose()
	second := rests()
	if first < penaltyMin || second < 2*first-2 {
		t.Errorf("%d rests without a spin, then %d", first, second)
	}
	for range 20 * 1024 {
		s.found = true
		s.began(1, 1)
	}
	lose()
	lose()
	if third := rests(); third > first+2 {
		t.Errorf("%d rests without a spin, though spins have paid long since", third)
	}
}

// TestSpinsAreShortWhereBatchesAreLong: they share the wake-up that a long spin would save.
func TestSpinsAreShortWhereBatchesAreLong(t *testing.T) {
	s := spinner{score: 1}
	for _, c := range []struct {
		handled int
		alone   bool
		limit   int64
	}{
		{1, false, spinShared}, {1, true, spinAlone}, {spinFew, true, spinAlone},
		{spinFew + 1, true, spinShort}, {32, false, spinShort}, {0, false, spinShared},
	} {
		s.alone = c.alone
		if s.began(1, c.handled); s.limit() != c.limit {
			t.Errorf("after a batch of %d, alone %v, a spin takes %d ns, not %d", c.handled, c.alone, s.limit(), c.limit)
		}
	}
}

// TestSpinKnowsWhetherItIsAlone: looks that take long mean that yields gave the core to somebody.
func TestSpinKnowsWhetherItIsAlone(t *testing.T) {
	for _, busy := range []bool{true, false} {
		s := spinner{score: 1, alone: busy}
		for try := 0; s.alone == busy; try++ { // the machine may take the core from who is alone
			if try == 1000 {
				t.Fatalf("a spin beside somebody: %v, but it is alone: %v", busy, s.alone)
			}
			s.score = 1
			s.spin(func() bool {
				for end := shm.Monotonic() + aloneBelow; busy && shm.Monotonic() < end; {
				}
				return false
			})
		}
	}
}

// TestSpinsEndWhereWorkComesLate: gaps that are longer than a spin stop the spins, shorter ones
// bring them back.
func TestSpinsEndWhereWorkComesLate(t *testing.T) {
	s := spinner{score: spinMax, alone: true}
	for range spinMax {
		s.slept(spinAlone + 1)
	}
	if s.score > 0 {
		t.Errorf("score %d after long sleeps", s.score)
	}
	if s.slept(spinAlone - 1); s.score <= 0 {
		t.Error("no spin after a short sleep")
	}
}

// TestYields: a loop that doesn't sleep for long lets the runtime have its processor now and then;
// one that does has done so by that.
func TestYields(t *testing.T) {
	l := loopForTest(t, LoopOptions{})
	asleep := time.Duration(0)
	l.wait = func(uint32) { time.Sleep(asleep) }
	l.yielded = l.now
	if l.rest(); l.yielded != l.now {
		t.Error("a yield at once")
	}
	l.now += yieldEvery + 1
	if l.rest(); l.yielded != l.now {
		t.Error("no yield in time")
	}
	asleep = 2 * time.Duration(shm.NapLimit.Nano())
	before := shm.Monotonic()
	if l.rest(); l.yielded <= before || l.naps {
		t.Error("a long sleep counts for nothing")
	}
}

// TestForgottenWork: work that was there though nobody woke the loop is told; what nobody wakes for
// isn't.
func TestForgottenWork(t *testing.T) {
	l := loopForTest(t, LoopOptions{})
	l.wait = func(uint32) {}
	if l.sleep() {
		t.Error("nothing was forgotten: there was nothing")
	}
	l.wait = func(uint32) { l.mail.full.Store(true) } // it comes while we sleep
	if !l.sleep() {
		t.Error("work without a wake-up isn't told")
	}
	l.mail.full.Store(false)
	l.wait = func(uint32) {
		l.mail.full.Store(true)
		l.word.Add(2) // as whoever wakes us does
	}
	if l.sleep() {
		t.Error("work with a wake-up is told")
	}
	l.mail.full.Store(false)
}
