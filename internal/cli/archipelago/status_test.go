package archipelago

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"archipelago/internal/device"
	"archipelago/internal/node"
	"archipelago/internal/systemd"
	"archipelago/internal/systemd/systemdtest"
)

// busyNode is a node of which everything is to be told, in large numbers.
func busyNode() *statusView {
	role := func(name, state, detail string) roleStatus {
		return roleStatus{
			RoleReport: node.RoleReport{Role: name, State: state, PID: 4194304}, Detail: detail,
			Since: time.Now().Add(-364*24*time.Hour - 23*time.Hour), Restarts: 123456,
			Memory: 1023 << 20, PerSecond: 1_234_567,
		}
	}
	return &statusView{
		Report:      node.Report{Running: true, Joined: true, SizeMiB: 1 << 20, Socket: "/run/archipelago/nbd.sock"},
		Manager:     "systemd",
		SegmentUsed: 1<<40 - 1,
		Lease:       &leaseStatus{Term: 7, LeftMS: -1500},
		Peers:       []roleStatus{role("blockerb", "running", ""), role("vlmcd", "not running", "restarting (12 restarts): exit status 14")},
		Modules:     []module{{"fuse", true}, {"nbd", false}},
		Mapped:      []device.Mapping{{Name: "v", Device: "/dev/nbd0", Driver: "nbd", ReadOnly: true}},
		Locks:       []string{"a", "b", "c", "d"},
		Stores:      []storeStatus{{"blockerb", "/srv/archip/blocks", 100 << 30, 88 << 30}},
		Unknown:     []string{"locks: no"},
	}
}

func TestStatusLines(t *testing.T) {
	lines := busyNode().lines(false)
	text := strings.Join(lines, "\n") + "\n"
	for _, want := range []string{
		"\nfuse                   Loaded\n",
		"\nnbd                    Not loaded\n",
		"\nblockerb               running                4194304    364d 123k  1023M   1.2M\n",
		"\nvlmcd                  not running            restarting (12 restarts): exit status 14\n",
		"\nstorage of blockerb    88 GiB free of 100 GiB, 12% used: /srv/archip/blocks\n",
		"\nlocks                  4: a, b, c, …\n",
		"\nlease                  term 7, ENDED 1.5s ago\n",
		"\nnot known: locks: no\n",
		"/dev/nbd0",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, line := range lines {
		if utf8.RuneCountInString(line) > 80 && !strings.HasPrefix(line, "vlmcd") {
			t.Errorf("too wide: %q", line)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Error("colours where there is no terminal")
	}
}

// TestSharedProcess: what all roles share is told once.
func TestSharedProcess(t *testing.T) {
	v := busyNode()
	v.Manager, v.Supervisor, v.InProcess = "run", v.Peers[0].PID, true
	v.shareProcess()
	text := strings.Join(v.lines(false), "\n") + "\n"
	for _, want := range []string{
		"\nblockerb               running                4194304       - 123k      -   1.2M\n",
		"\nrun by                 archipelago run --in-process, pid 4194304, memory 1023M\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if v.Memory != 1023<<20 || v.Peers[0].Memory != -1 {
		t.Errorf("memory %d, of a role %d", v.Memory, v.Peers[0].Memory)
	}
}

// TestColoursTakeNoRoom: on a terminal the same text stands at the same place.
func TestColoursTakeNoRoom(t *testing.T) {
	v := busyNode()
	plain := v.lines(false)
	for i, line := range v.lines(true) {
		for _, code := range []string{"\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"} {
			line = strings.ReplaceAll(line, code, "")
		}
		if strings.TrimRight(line, " ") != plain[i] {
			t.Errorf("%q, without colours %q", line, plain[i])
		}
	}
}

func TestRates(t *testing.T) {
	was, is := busyNode(), busyNode()
	was.Peers[0].Requests, is.Peers[0].Requests = 100, 600
	was.Peers[1].Requests, is.Peers[1].Requests, is.Peers[1].PID = 100, 600, 5
	is.Peers[1].PerSecond = 0
	is.rates(was, 2*time.Second)
	if is.Peers[0].PerSecond != 250 || is.Peers[1].PerSecond != 0 {
		t.Errorf("%v, and of another process %v", is.Peers[0].PerSecond, is.Peers[1].PerSecond)
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m1s", 59*time.Minute + 59*time.Second: "59m59s",
		25 * time.Hour: "1d1h", 99*24*time.Hour + 23*time.Hour: "99d23h", 100 * 24 * time.Hour: "100d",
		-time.Hour: "-",
	} {
		if got := age(d); got != want || len(got) > 7 {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestStartTicks(t *testing.T) {
	line := "7 (a) b) S" + strings.Repeat(" 1", 18) + " 4711 99"
	if got, err := startTicks([]byte(line)); err != nil || got != 4711 {
		t.Errorf("%d, %v", got, err)
	}
	for _, bad := range []string{"", "7 (x", "7 (x) S 1"} {
		if _, err := startTicks([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if got := anonymous([]byte("Name:\tx\nRssAnon:\t    1884 kB\n")); got != 1884<<10 {
		t.Error(got)
	}
	if got := anonymous([]byte("Name:\tx\n")); got != -1 {
		t.Error(got)
	}
}

// TestStatusOfUnits: what systemd knows of a node that is down.
func TestStatusOfUnits(t *testing.T) {
	u := newTestUnits(t)
	u.double.Set(systemd.Peer("vlmcd"), systemdtest.Behaviour{}, systemdtest.State{
		Active: "activating", Sub: "auto-restart", Result: "exit-code", Status: 14, Restarts: 3,
	})
	out, errOut, code := u.command("status")
	u.want(out, errOut, code, "*", "the node is not running", 13)
	for _, want := range []string{
		"\nvlmcd                  not running            restarting (3 restarts): exit status 14\n",
		"\nsegment                not there\n", "\nrun by                 systemd\n", "not known: storage of blockerb",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	out, _, _ = u.command("status", "--json")
	var v statusView
	if err := json.Unmarshal([]byte(out), &v); err != nil || v.Manager != "systemd" || v.Running ||
		len(v.Peers) != 4 || v.Peers[3].Restarts != 3 {
		t.Errorf("%s%v", out, err)
	}
}

// TestStatusWithoutBus: what runs the node is not known, everything else is.
func TestStatusWithoutBus(t *testing.T) {
	u := newTestUnits(t)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
	out, errOut, code := u.command("status")
	u.want(out, errOut, code, "*", "the node is not running", 13)
	if !strings.Contains(out, "\nrun by                 nobody\n") {
		t.Error(out)
	}
}

func TestWatchTime(t *testing.T) {
	u := newTestUnits(t)
	for _, args := range [][]string{{"--watch=0"}, {"--watch=x"}, {"--watch", "0.1"}, {"5"}, {"--watch", "1", "2"}, {"--watch=NaN"}} {
		_, errOut, code := u.command(append([]string{"status"}, args...)...)
		if code != 2 {
			t.Errorf("%v: %d %s", args, code, errOut)
		}
	}
}

// FuzzProcess: what /proc may say, and what it may not, is no reason to fail badly.
func FuzzProcess(f *testing.F) {
	f.Add([]byte("7 (a) b) S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 4711 99"))
	f.Add([]byte("Name:\tx\nRssAnon:\t    1884 kB\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = startTicks(data)
		if got := anonymous(data); got < -1 {
			t.Errorf("%d bytes", got)
		}
	})
}
