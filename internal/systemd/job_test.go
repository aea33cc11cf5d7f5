package systemd_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"archipelago/internal/systemd"
	"archipelago/internal/systemd/systemdtest"
)

// patience bounds what should take no time.
const patience = 20 * time.Second

func connect(t *testing.T) (context.Context, *systemdtest.Daemon, *systemdtest.Manager, *systemd.Manager) {
	t.Helper()
	bus := systemdtest.Bus(t)
	double := systemdtest.NewManager(t, bus)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	m, err := systemd.Connect(ctx, bus.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() }) // some tests take the bus away first
	return ctx, bus, double, m
}

func TestJobsEnd(t *testing.T) {
	ctx, _, double, m := connect(t)
	double.Add("a.service", systemdtest.Behaviour{})
	if err := m.Start(ctx, "a.service"); err != nil {
		t.Fatal(err)
	}
	u, err := m.Unit(ctx, "a.service")
	if err != nil || !u.Active() || u.PID == 0 || u.Memory != -1 || u.Cause() != "" {
		t.Fatalf("%+v, %v", u, err)
	}
	if err := m.Restart(ctx, "a.service"); err != nil {
		t.Fatal(err)
	}
	if err := m.Stop(ctx, "a.service"); err != nil {
		t.Fatal(err)
	}
	if u, err := m.Unit(ctx, "a.service"); err != nil || !u.Down() {
		t.Fatalf("%+v, %v", u, err)
	}
	if got := strings.Join(double.Log(), ", "); got != "start a.service, restart a.service, stop a.service" {
		t.Error(got)
	}
}

func TestJobFails(t *testing.T) {
	ctx, _, double, m := connect(t)
	failed := systemdtest.State{Active: "failed", Sub: "failed", Result: "exit-code", Status: 12}
	double.Add("bad.service", systemdtest.Behaviour{Result: "failed", Unit: failed})
	double.Add("needy.service", systemdtest.Behaviour{Result: "dependency"})
	double.Add("slow.service", systemdtest.Behaviour{Result: "timeout"})
	for _, c := range []struct{ unit, result, text string }{
		{"bad.service", "failed", "start bad.service: exit status 12"},
		{"needy.service", "dependency", "start needy.service: a unit that it needs did not start"},
		{"slow.service", "timeout", "start slow.service: job timeout"},
	} {
		err := m.Start(ctx, c.unit)
		job, ok := errors.AsType[*systemd.JobError](err)
		if !ok || job.Result != c.result || err.Error() != c.text {
			t.Errorf("%s: %v", c.unit, err)
		}
	}
	if err := m.ResetFailed(ctx, "bad.service"); err != nil || double.State("bad.service").Active != "inactive" {
		t.Errorf("reset: %v, %+v", err, double.State("bad.service"))
	}
	if err := m.ResetFailed(ctx, "none.service"); err != nil {
		t.Errorf("reset of what isn't in memory: %v", err)
	}
}

func TestCallsRefused(t *testing.T) {
	ctx, _, double, m := connect(t)
	for unit, c := range map[string]struct {
		bus  string
		want error
	}{
		"denied.service": {"org.freedesktop.DBus.Error.AccessDenied", systemd.ErrDenied},
		"asks.service":   {"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", systemd.ErrDenied},
		"masked.service": {"org.freedesktop.systemd1.UnitMasked", systemd.ErrMasked},
		"halt.service":   {"org.freedesktop.systemd1.ShuttingDown", systemd.ErrNoManager},
	} {
		double.Add(unit, systemdtest.Behaviour{Error: c.bus})
		if err := m.Start(ctx, unit); !errors.Is(err, c.want) || !strings.Contains(err.Error(), unit) {
			t.Errorf("%s: %v", unit, err)
		}
	}
	if err := m.Start(ctx, "none.service"); !errors.Is(err, systemd.ErrNoUnit) {
		t.Error(err)
	}
	if _, err := m.Unit(ctx, "none.service"); !errors.Is(err, systemd.ErrNoUnit) {
		t.Error(err)
	}
}

// TestManyJobs: more jobs at once than the bus allows unanswered calls; the end of each is told
// before the reply that names it, or just after.
func TestManyJobs(t *testing.T) {
	ctx, _, double, m := connect(t)
	double.Add("early.service", systemdtest.Behaviour{SignalFirst: true})
	double.Add("late.service", systemdtest.Behaviour{})
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			unit := []string{"early.service", "late.service"}[i%2]
			if err := m.Start(ctx, unit); err != nil {
				t.Errorf("job %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n := len(double.Log()); n != 200 {
		t.Errorf("%d jobs", n)
	}
}

func TestJobNeverEnds(t *testing.T) {
	ctx, _, double, m := connect(t)
	double.Add("never.service", systemdtest.Behaviour{Never: true})
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	err := m.Start(short, "never.service")
	if !errors.Is(err, systemd.ErrTimeout) || !strings.Contains(err.Error(), "the job goes on") {
		t.Fatal(err)
	}
	// Its end, late, disturbs nobody.
	double.Finish()
	double.Add("a.service", systemdtest.Behaviour{})
	if err := m.Start(ctx, "a.service"); err != nil {
		t.Fatal(err)
	}
}

func TestJobInterrupted(t *testing.T) {
	ctx, _, double, m := connect(t)
	double.Add("never.service", systemdtest.Behaviour{Never: true})
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error)
	go func() { done <- m.Start(ctx, "never.service") }()
	double.Await(1)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || errors.Is(err, systemd.ErrTimeout) {
		t.Fatal(err)
	}
}

// TestBusGoesAway: whoever waits for a job learns that nobody will tell of its end.
func TestBusGoesAway(t *testing.T) {
	ctx, bus, double, m := connect(t)
	double.Add("never.service", systemdtest.Behaviour{Never: true})
	done := make(chan error)
	go func() { done <- m.Start(ctx, "never.service") }()
	double.Await(1)
	bus.Kill()
	if err := <-done; !errors.Is(err, systemd.ErrLost) {
		t.Errorf("job: %v", err)
	}
	if err := m.Stop(ctx, "never.service"); !errors.Is(err, systemd.ErrLost) {
		t.Errorf("call afterwards: %v", err)
	}
}
