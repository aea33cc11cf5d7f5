package archipelago

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"archipelago/internal/cli"
	"archipelago/internal/mapfmt"
	"archipelago/internal/systemd"
	"archipelago/internal/systemd/systemdtest"
)

// configText is a node of four roles without a segment.
const configText = `
SEGMENT_NAME = '%s'
RUNTIME_DIR = '%s'
roles = [('blockerb', 'file_blocker'), ('blockerm', 'file_blocker'), ('mapperd', 'mapperd'), ('vlmcd', 'vlmcd')]
blockerb = {'portno': 1000, 'archip_dir': '/nowhere/blocks'}
blockerm = {'portno': 1002, 'archip_dir': '/nowhere/maps'}
mapperd = {'portno': 1001, 'blockerb_port': 1000, 'blockerm_port': 1002}
vlmcd = {'portno_start': 500, 'portno_end': 999, 'blocker_port': 1000, 'mapper_port': 1001}
`

var testRoles = []string{"blockerb", "blockerm", "mapperd", "vlmcd"}

// controlled node: a configuration, and a double of systemd with its units.
type testUnits struct {
	t      *testing.T
	bus    *systemdtest.Daemon
	double *systemdtest.Manager
	conf   string
	run    string // RUNTIME_DIR
}

func newTestUnits(t *testing.T) *testUnits {
	t.Helper()
	bus := systemdtest.Bus(t)
	u := &testUnits{t: t, bus: bus, double: systemdtest.NewManager(t, bus)}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.Address)
	dir := t.TempDir()
	u.conf, u.run = filepath.Join(dir, "conf"), filepath.Join(dir, "run")
	text := fmt.Sprintf(configText, fmt.Sprintf("archip-test-left%d", os.Getpid()), u.run)
	if err := os.WriteFile(u.conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	before := unitConfig
	unitConfig = u.conf
	t.Cleanup(func() { unitConfig = before })
	for _, unit := range []string{systemd.Target, systemd.Segment, systemd.Modules} {
		u.double.Add(unit, systemdtest.Behaviour{})
	}
	for i := range testRoles {
		u.set(i, systemdtest.Behaviour{}, "inactive")
	}
	return u
}

// set gives a role a behaviour and a state.
func (u *testUnits) set(i int, how systemdtest.Behaviour, active string) {
	var after []string
	for _, role := range testRoles[:i] {
		after = append(after, systemd.Peer(role))
	}
	u.double.Set(systemd.Peer(testRoles[i]), how, systemdtest.State{Active: active, After: after})
}

func (u *testUnits) setAll(active string) {
	u.double.Set(systemd.Segment, systemdtest.Behaviour{}, systemdtest.State{Active: active})
	for i := range testRoles {
		u.set(i, systemdtest.Behaviour{}, active)
	}
}

// command runs archipelago; it returns what was printed, and the exit status.
func (u *testUnits) command(args ...string) (stdout, stderr string, code int) {
	u.t.Helper()
	root := New(nil)
	var out, errOut bytes.Buffer
	root.SetArgs(append([]string{"-c", u.conf}, args...))
	root.SetOut(&out)
	root.SetErr(&errOut)
	err := root.ExecuteContext(context.Background())
	code = cli.Report(&errOut, "archipelago", false, err)
	return out.String(), errOut.String(), code
}

// jobs returns what systemd was asked for, with short names.
func (u *testUnits) jobs() string {
	text := strings.Join(u.double.Log(), ", ")
	return strings.NewReplacer("archipelago-peer@", "", "archipelago-", "", ".service", "").Replace(text)
}

func (u *testUnits) want(gotOut, gotErr string, gotCode int, out, errText string, code int) {
	u.t.Helper()
	if gotCode != code || (errText == "" && gotErr != "") || !strings.Contains(gotErr, errText) {
		u.t.Errorf("exit status %d, want %d; stderr %q, want %q in it", gotCode, code, gotErr, errText)
	}
	if out != "*" && gotOut != out {
		u.t.Errorf("printed\n%swant\n%s", gotOut, out)
	}
}

func TestStartStop(t *testing.T) {
	u := newTestUnits(t)
	out, errOut, code := u.command("start")
	u.want(out, errOut, code, ""+
		"Starting modules       OK\n"+
		"Starting segment       OK\n"+
		"Starting blockerb      OK\n"+
		"Starting blockerm      OK\n"+
		"Starting mapperd       OK\n"+
		"Starting vlmcd         OK\n", "", 0)
	if got := u.jobs(); got != "start modules, start segment, start blockerb, start blockerm, start mapperd, "+
		"start vlmcd, start archipelago.target" {
		t.Error(got)
	}
	out, errOut, code = u.command("start")
	u.want(out, errOut, code, "", "the node runs already", 0)
	out, errOut, code = u.command("stop")
	u.want(out, errOut, code, ""+
		"Stopping vlmcd         OK\n"+
		"Stopping mapperd       OK\n"+
		"Stopping blockerm      OK\n"+
		"Stopping blockerb      OK\n"+
		"Stopping segment       OK\n"+
		"Stopping modules       OK\n", "", 0)
	out, errOut, code = u.command("stop")
	u.want(out, errOut, code, ""+
		"Stopping vlmcd         Not running\n"+
		"Stopping mapperd       Not running\n"+
		"Stopping blockerm      Not running\n"+
		"Stopping blockerb      Not running\n"+
		"Stopping segment       Not running\n"+
		"Stopping modules       Not running\n", "", 0)
}

// TestUserLeavesSegmentAlone: -u is about the peers.
func TestUserLeavesSegmentAlone(t *testing.T) {
	u := newTestUnits(t)
	out, errOut, code := u.command("start", "-u")
	u.want(out, errOut, code, "", "the node has no segment", 13)
	u.double.Set(systemd.Segment, systemdtest.Behaviour{}, systemdtest.State{Active: "active"})
	for _, verb := range []string{"start", "stop"} {
		out, errOut, code = u.command(verb, "--user")
		u.want(out, errOut, code, "*", "", 0)
	}
	if got := u.jobs(); strings.Contains(got, "segment") || strings.Contains(got, "modules") || !strings.Contains(got, "stop vlmcd") {
		t.Error(got)
	}
}

func TestStartRefusesHalfUp(t *testing.T) {
	u := newTestUnits(t)
	u.set(1, systemdtest.Behaviour{}, "active")
	out, errOut, code := u.command("start")
	u.want(out, errOut, code, "", "the node is half up: blockerm up, blockerb, mapperd, vlmcd down", 12)
	if !strings.Contains(errOut, "`archipelago stop` all down") || u.jobs() != "" {
		t.Errorf("%s\n%s", errOut, u.jobs())
	}
}

// TestStartFails: the cause is told, its exit status passed on, and nothing is left half up.
func TestStartFails(t *testing.T) {
	u := newTestUnits(t)
	broken := systemdtest.State{Active: "activating", Sub: "auto-restart", Result: "exit-code", Status: 14}
	u.set(2, systemdtest.Behaviour{Result: "failed", Unit: broken}, "inactive")
	out, errOut, code := u.command("start")
	u.want(out, errOut, code, "*", "mapperd: start archipelago-peer@mapperd.service: exit status 14", 14)
	if !strings.Contains(out, "Starting mapperd       FAILED\nStopping mapperd       FAILED\nStopping blockerm      OK\n") ||
		!strings.HasSuffix(out, "Stopping segment       OK\n") {
		t.Error(out)
	}
	if strings.Contains(u.jobs(), "vlmcd") {
		t.Error(u.jobs())
	}
}

// TestStartForgetsFailures: what failed before doesn't count.
func TestStartForgetsFailures(t *testing.T) {
	u := newTestUnits(t)
	u.set(3, systemdtest.Behaviour{}, "failed")
	out, errOut, code := u.command("start")
	u.want(out, errOut, code, "*", "", 0)
	if !strings.Contains(u.jobs(), "reset vlmcd") {
		t.Error(u.jobs())
	}
}

// TestStartKnowsNewOrder: roles that were changed since the generator ran.
func TestStartKnowsNewOrder(t *testing.T) {
	u := newTestUnits(t)
	u.double.Set(systemd.Peer("vlmcd"), systemdtest.Behaviour{}, systemdtest.State{Active: "inactive"})
	out, errOut, code := u.command("start")
	u.want(out, errOut, code, "*", "", 0)
	if !strings.HasPrefix(u.jobs(), "reload, ") {
		t.Error(u.jobs())
	}
}

func TestOneRole(t *testing.T) {
	u := newTestUnits(t)
	out, errOut, code := u.command("start", "vlmcd")
	u.want(out, errOut, code, "", "the node has no segment", 13)
	u.setAll("active")
	for _, verb := range []string{"stop", "start", "restart"} {
		out, errOut, code = u.command(verb, "vlmcd")
		u.want(out, errOut, code, "*", "", 0)
	}
	if got := u.jobs(); got != "stop vlmcd, reset vlmcd, start vlmcd, reset vlmcd, restart vlmcd" {
		t.Error(got)
	}
	_, errOut, code = u.command("stop", "nonsense")
	u.want("", errOut, code, "", `no role "nonsense" in the configuration; known: blockerb, blockerm`, 2)
}

// TestRestart: one role after the other; the segment stays.
func TestRestart(t *testing.T) {
	u := newTestUnits(t)
	u.setAll("active")
	u.set(1, systemdtest.Behaviour{}, "failed")
	out, errOut, code := u.command("restart")
	u.want(out, errOut, code, ""+
		"Restarting blockerb    OK\n"+
		"Restarting blockerm    OK\n"+
		"Restarting mapperd     OK\n"+
		"Restarting vlmcd       OK\n", "", 0)
	if got := u.jobs(); strings.Contains(got, "stop") || strings.Contains(got, "segment") {
		t.Error(got)
	}
}

func TestRestartOfStoppedNodeStartsIt(t *testing.T) {
	u := newTestUnits(t)
	out, errOut, code := u.command("restart")
	u.want(out, errOut, code, "*", "", 0)
	if !strings.HasSuffix(out, "Starting vlmcd         OK\n") {
		t.Error(out)
	}
}

// TestStepHasDeadline: a unit that never gets ready.
func TestStepHasDeadline(t *testing.T) {
	u := newTestUnits(t)
	u.setAll("active")
	u.set(3, systemdtest.Behaviour{Never: true}, "active")
	begin := time.Now()
	out, errOut, code := u.command("restart", "vlmcd", "--timeout", "50ms")
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	u.want(out, errOut, code, "Restarting vlmcd       FAILED\n", "timed out", 75)
	_, errOut, code = u.command("restart", "--timeout", "0s")
	u.want("", errOut, code, "", "--timeout must be more than 0", 2)
}

func TestBusLostMeanwhile(t *testing.T) {
	u := newTestUnits(t)
	u.setAll("active")
	u.set(3, systemdtest.Behaviour{Never: true}, "active")
	go func() {
		u.double.Await(2) // reset, restart
		u.bus.Kill()
	}()
	out, errOut, code := u.command("restart", "vlmcd")
	u.want(out, errOut, code, "Restarting vlmcd       FAILED\n", "connection to the bus lost", 1)
}

// TestNotAllowed: the way out is told.
func TestNotAllowed(t *testing.T) {
	u := newTestUnits(t)
	denied := systemdtest.Behaviour{Error: "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"}
	u.setAll("active")
	u.set(3, denied, "active")
	out, errOut, code := u.command("stop", "vlmcd")
	u.want(out, errOut, code, "Stopping vlmcd         FAILED\n", "member of group archipelago", 1)
}

// TestStopRefusesMapped: a device must not lose its volume.
func TestStopRefusesMapped(t *testing.T) {
	u := newTestUnits(t)
	u.setAll("active")
	dir := filepath.Join(u.run, "mapped")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	// What can't be read may be a mapping.
	if err := os.WriteFile(filepath.Join(dir, "v.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errOut, code := u.command("stop")
	if code == 0 || out != "" || u.jobs() != "" {
		t.Errorf("%d, %s%s", code, out, errOut)
	}
	out, errOut, code = u.command("stop", "-f")
	u.want(out, errOut, code, "*", "", 0)
}

func TestRowsAsJSON(t *testing.T) {
	u := newTestUnits(t)
	u.setAll("active")
	out, _, code := u.command("--json", "restart", "vlmcd")
	var s step
	if err := json.Unmarshal([]byte(out), &s); err != nil || code != 0 ||
		s.Action != "restarting" || s.Name != "vlmcd" || s.Result != "ok" {
		t.Errorf("%d, %s, %v", code, out, err)
	}
}

// TestStopNeedsPeersToClose: a lock that can't be given back is told before anything stops.
func TestStopNeedsPeersToClose(t *testing.T) {
	u := newTestUnits(t)
	u.setAll("active")
	u.set(1, systemdtest.Behaviour{}, "inactive")
	pending := fmt.Sprintf("/dev/shm/archip-test-left%d.pending", os.Getpid())
	if err := os.Mkdir(pending, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(pending) })
	log := filepath.Join(pending, mapfmt.PendingLogName(mapfmt.NewUUID(), mapfmt.NewUUID()))
	for path, text := range map[string]string{log: "", log + mapfmt.PendingNameSuffix: "v"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, errOut, code := u.command("stop")
	u.want(out, errOut, code, "", "1 volumes can't be closed, because role blockerm is down", 13)
	if u.jobs() != "" {
		t.Error(u.jobs())
	}
	// By force, and not as if nothing was left.
	out, errOut, code = u.command("stop", "-f")
	u.want(out, errOut, code, "*", "their locks stay with this node", 13)
	if !strings.HasSuffix(out, "Stopping segment       OK\nStopping modules       Not running\n") {
		t.Error(out)
	}
}

// TestStartInterrupted: Ctrl-C leaves nothing half up, either.
func TestStartInterrupted(t *testing.T) {
	u := newTestUnits(t)
	u.set(1, systemdtest.Behaviour{Never: true}, "inactive")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		u.double.Await(4) // modules, segment, blockerb, blockerm
		cancel()
	}()
	root := New(nil)
	var out, errOut bytes.Buffer
	root.SetArgs([]string{"-c", u.conf, "start"})
	root.SetOut(&out)
	root.SetErr(&errOut)
	if code := cli.ExitCode(root.ExecuteContext(ctx)); code != cli.ExitInterrupted {
		t.Errorf("exit status %d", code)
	}
	if !strings.HasSuffix(out.String(), "Starting blockerm      FAILED\nStopping blockerm      Not running\n"+
		"Stopping blockerb      OK\nStopping segment       OK\n") {
		t.Error(out.String())
	}
}
