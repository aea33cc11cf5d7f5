package table

import (
	"os"
	"testing"

	"archipelago/test/model"
)

// two: two clients of one server.
func two() Config {
	kills := uint8(1)
	if os.Getenv("ARCHIPELAGO_SOAK") == "1" {
		kills = 2 // ten times as many states
	}
	return Config{Kills: kills, Peers: []Peer{
		{Port: 1, Dst: 3, Lives: 2},
		{Port: 2, Dst: 3, Lives: 1},
		{Port: 3, Serves: true, Lives: 3},
	}}
}

// one: a client of one server, and another one that comes later.
func one() Config {
	return Config{Kills: 1, Peers: []Peer{
		{Port: 1, Dst: 3, Lives: 2},
		{Port: 3, Serves: true, Lives: 2},
	}}
}

// hops: a client of a server that passes on to another.
func hops() Config {
	return Config{Kills: 2, Peers: []Peer{
		{Port: 1, Dst: 3, Lives: 2},
		{Port: 3, Dst: 4, Serves: true, Lives: 3},
		{Port: 4, Serves: true, Lives: 3},
	}}
}

// hop: the same with one kill.
func hop() Config {
	c := hops()
	c.Kills = 1
	return c
}

// late: handshakes, or whole channels, are given up.
func late() Config {
	c := one()
	c.Timeouts = 2
	return c
}

// last: a client that nobody follows.
func last() Config {
	c := one()
	c.Peers[0].Lives = 1
	return c
}

// orderly: a server ends in order and another one follows it.
func orderly() Config {
	return Config{Kills: 1, Stops: 1, Timeouts: 1, Peers: []Peer{
		{Port: 1, Dst: 3, Lives: 2},
		{Port: 3, Serves: true, Lives: 1},
		{Port: 3, Serves: true, Lives: 2},
	}}
}

func explore(t *testing.T, cfg Config) model.Result {
	t.Helper()
	if raceEnabled && (len(cfg.Peers) > 2 || cfg.Timeouts > 1) {
		t.Skip("ten times slower under the race detector, and there is but one goroutine")
	}
	r, err := Explore(cfg, model.Options{MaxStates: 4_000_000})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTables(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
	}{{"two", two()}, {"hops", hops()}, {"late", late()}, {"orderly", orderly()}} {
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
	{fault: NoOutwait, cfg: hop()},
	{fault: ReapUndrained, cfg: two()},
	{fault: PassedOnForgotten, cfg: hops()},
	{fault: LiveJudgedDead, cfg: two()},
	{fault: LockByState, cfg: last()},
	{fault: ControlShared, cfg: two()},
	{fault: SetupsStay, cfg: one()},
	{fault: SignUnchecked, cfg: orderly()},
	{fault: ReleaseUnchecked, cfg: orderly()},
	{fault: SignNoSerial, cfg: late()},
	{fault: NoReservation, cfg: late()},
	{fault: ReleaseEarly, cfg: two()},
}

// TestFaultIsFound shows that the model can fail: it finds every fault.
func TestFaultIsFound(t *testing.T) {
	tried := map[Fault]bool{ReleaseNoSerial: true} // see TestSecondLine
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

// TestSecondLine: that a release looks at the serial too is more than is needed. A row can't be
// another channel's, nor of another life, before the release of what the same server had signed.
func TestSecondLine(t *testing.T) {
	for _, cfg := range []Config{late(), orderly()} {
		cfg.Fault = ReleaseNoSerial
		if r := explore(t, cfg); r.Violation != nil {
			t.Error(r)
		}
	}
}
