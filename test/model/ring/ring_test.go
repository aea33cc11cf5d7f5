package ring

import (
	"testing"

	"archipelago/test/model"
)

// pair: a submitter and a server that is killed, with requests given up.
func pair(mode Mode) Config {
	c := Config{Mode: mode, Requests: [2]uint8{2, 0}, Cancels: 1, ServerKills: 1}
	if mode == AtOnce {
		c.Requests[0], c.Early = 3, 1
	}
	return c
}

// beside: two submitters, one of which is killed.
func beside() Config {
	return Config{Mode: AtOnce, Requests: [2]uint8{2, 1}, ClientKills: 1}
}

// succession: a submitter is killed, and another follows that works on the same volume.
func succession(mode Mode) Config {
	c := Config{Mode: mode, Successor: true, Requests: [2]uint8{2, 1}, ClientKills: 1}
	if mode == PassOn {
		c.ServerKills = 1
	}
	return c
}

// twice: two kills of the server.
func twice(mode Mode) Config {
	return Config{Mode: mode, Requests: [2]uint8{2, 0}, ServerKills: 2, Cancels: 1}
}

// plain: a submitter and a server, of which each wake-up is needed.
func plain(mode Mode, kills uint8) Config {
	return Config{Mode: mode, Requests: [2]uint8{2, 0}, ServerKills: kills, Early: 1}
}

func explore(t *testing.T, cfg Config) model.Result {
	t.Helper()
	if raceEnabled && cfg != plain(AtOnce, 0) {
		t.Skip("ten times slower under the race detector, and there is but one goroutine")
	}
	r, err := Explore(cfg, model.Options{MaxStates: 4_000_000})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRing(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
	}{
		{"plain", plain(AtOnce, 0)},
		{"pair, at once", pair(AtOnce)}, {"pair, later", pair(Later)}, {"pair, passed on", pair(PassOn)},
		{"beside", beside()},
		{"succession, later", succession(Later)}, {"succession, passed on", succession(PassOn)},
		{"twice, at once", twice(AtOnce)}, {"twice, passed on", twice(PassOn)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if r := explore(t, c.cfg); r.Violation != nil {
				t.Fatal(r)
			} else {
				t.Log(r)
			}
		})
	}
}

// planted says in which instance each fault shows.
var planted = []struct {
	fault Fault
	cfg   Config
}{
	{Flag, beside()},
	{Reload, plain(AtOnce, 0)},
	{NoSecondLook, plain(AtOnce, 0)},
	{TailBeforeEntry, plain(AtOnce, 0)},
	{BitBeforeDone, plain(Later, 0)},
	{NoCAS, pair(AtOnce)},
	{CancelledReused, pair(AtOnce)},
	{NoRewind, pair(AtOnce)},
	{PushDoneAgain, pair(Later)},
	{AbandonedReused, pair(Later)},
	{NoOutwait, pair(PassOn)},
	{NoGhosts, succession(Later)},
	{NoBury, succession(Later)},
	{NoWakeAtConnect, plain(AtOnce, 1)},
}

// TestFaultIsFound shows that the model can fail: it finds every fault.
func TestFaultIsFound(t *testing.T) {
	tried := map[Fault]bool{KeepGeneration: true} // see TestSecondLine
	for _, p := range planted {
		tried[p.fault] = true
		t.Run(p.fault.String(), func(t *testing.T) {
			p.cfg.Fault = p.fault
			if r := explore(t, p.cfg); r.Violation == nil {
				t.Errorf("not found in %v", r)
			} else {
				t.Logf("found in %v", r)
			}
		})
	}
	for f := NoFault + 1; f < numFaults; f++ {
		if !tried[f] {
			t.Errorf("no instance for %v", f)
		}
	}
}

// TestSecondLine: that what is pushed again gets a new generation is more than is needed, as long
// as the rings are emptied, and nothing of the predecessor runs.
func TestSecondLine(t *testing.T) {
	cfg := pair(AtOnce)
	cfg.Fault = KeepGeneration
	if r := explore(t, cfg); r.Violation != nil {
		t.Error(r)
	}
}
