package monitoring

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"archipelago/test/testnode"
)

// run runs archipelago on a node; it returns its output and status.
func run(t *testing.T, n *testnode.Node, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := exec.Command(testnode.Binary(t, "archipelago"), append([]string{"-d", n.Dir}, args...)...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), errs.String(), cmd.ProcessState.ExitCode()
}

// TestTop: the live screen, its keys, a new size, a restart of the node, and the end.
func TestTop(t *testing.T) {
	n := testnode.Start(t)
	stop := load(t, n)
	x := onTerminal(t, testnode.Binary(t, "archipelago"), "-d", n.Dir, "top", "-i", "100ms")
	x.await("VOLUME")
	x.await("one")
	x.await("PEER")
	x.await("vlmcd")
	if x.echoes() {
		t.Error("keys are echoed onto the screen")
	}
	x.typed("?")
	x.await("Keys of archipelago top")
	x.typed(" /tw")
	x.await("filter: tw_")
	x.typed("\r")
	if shown := x.await("names with tw"); strings.Contains(shown[strings.LastIndex(shown, "\x1b[H"):], "one ") {
		t.Errorf("the filter lets the other through: %q", shown)
	}
	x.size(60, 10)
	x.await("… and")
	x.size(80, 24)
	x.await("q quit")
	stop()
	n.Stop()
	x.await("not running; waiting")
	n.Run()
	x.await("no volume is in use")
	x.typed("q")
	if err := x.cmd.Wait(); err != nil {
		t.Error(err)
	}
	x.await("\x1b[?1049l")
	if !x.echoes() {
		t.Error("the terminal isn't as it was")
	}

	x = onTerminal(t, testnode.Binary(t, "archipelago"), "-d", n.Dir, "top")
	x.await("PEER")
	x.typed("\x03") // Ctrl-C
	if err := x.cmd.Wait(); err != nil || !x.echoes() {
		t.Errorf("Ctrl-C: %v", err)
	}
}

// TestTopInPipe: once, as text and as JSON; wrong flags; and no node.
func TestTopInPipe(t *testing.T) {
	n := testnode.Start(t)
	stop := load(t, n)
	defer stop()
	out, _, status := run(t, n, "top", "-i", "200ms")
	if status != 0 || strings.Count(out, "VOLUME") != 1 || !strings.Contains(out, "\none ") || strings.Contains(out, "\x1b") {
		t.Errorf("%d %s", status, out)
	}
	out, _, status = run(t, n, "top", "--batch", "-n", "3", "-i", "50ms", "--filter", "TWO", "--no-peers")
	if status != 0 || strings.Count(out, "VOLUME") != 3 || strings.Contains(out, "\none ") || strings.Contains(out, "PEER") {
		t.Errorf("%d %s", status, out)
	}
	out, _, _ = run(t, n, "top", "--json", "-i", "500ms", "--sort", "name")
	var rep struct {
		Volumes []struct {
			Name, UUID string
			PerS       float64 `json:"per_s"`
			Write      struct {
				PerS float64 `json:"per_s"`
				P99  int64   `json:"p99_ns"`
			}
		}
		Ports []struct{ Role string }
	}
	if err := json.Unmarshal([]byte(out), &rep); err != nil || len(rep.Volumes) != 2 || len(rep.Ports) < 5 {
		t.Fatalf("%v: %s", err, out)
	}
	if v := rep.Volumes[1]; v.Name != "two" || v.PerS < v.Write.PerS || v.Write.PerS == 0 || v.Write.P99 == 0 || len(v.UUID) != 36 {
		t.Errorf("%+v", v)
	}
	for _, c := range []struct {
		args   []string
		status int
		text   string
	}{
		{[]string{"top", "--sort", "size"}, 2, "want one of iops"}, {[]string{"top", "-i", "0s"}, 2, "at least 10ms"},
		{[]string{"metrics", "--listen", "unix:/" + strings.Repeat("x", 110)}, 1, "1 to 107 are possible"},
		{[]string{"metrics", "--listen", "nowhere"}, 1, "listen on nowhere"},
	} {
		if _, errs, status := run(t, n, c.args...); status != c.status || !strings.Contains(errs, c.text) {
			t.Errorf("%v: %d %s", c.args, status, errs)
		}
	}
	stop()
	n.Stop()
	if _, errs, status := run(t, n, "top", "--once"); status != 13 || !strings.Contains(errs, "no such segment") {
		t.Errorf("without a node: %d %s", status, errs)
	}
}

// TestDoctor: on a node that runs, with a role killed, and stopped; and its archive.
func TestDoctor(t *testing.T) {
	n := testnode.Start(t)
	out, errs, status := run(t, n, "doctor")
	if status != 0 || !strings.Contains(out, "ok       segment") || !strings.Contains(out, "ok       sockets") || errs != "" {
		t.Errorf("%d %s%s", status, out, errs)
	}
	archive := filepath.Join(testnode.TempDir(t), "support.tar.gz")
	if out, errs, status = run(t, n, "doctor", "--json", "--bundle", archive); status != 0 || !strings.Contains(errs, "wrote "+archive) {
		t.Errorf("%d %s%s", status, out, errs)
	}
	var rep struct {
		Checks []struct{ Check, Level string }
	}
	if err := json.Unmarshal([]byte(out), &rep); err != nil || len(rep.Checks) != 12 {
		t.Errorf("%v: %s", err, out)
	}
	if st, err := os.Stat(archive); err != nil || st.Mode().Perm() != 0o600 || st.Size() < 2000 {
		t.Errorf("%v %v", st, err)
	}
	if _, errs, status = run(t, n, "doctor", "--bundle", archive); status != 1 || !strings.Contains(errs, "exists") {
		t.Errorf("over an archive: %d %s", status, errs)
	}
	n.KillAll()
	if out, _, status = run(t, n, "doctor"); status != 1 || !strings.Contains(out, "not running: blockerb") {
		t.Errorf("%d %s", status, out)
	}
	n.Run()
	n.Stop()
	if out, _, status = run(t, n, "doctor"); status != 0 || !strings.Contains(out, "the node is not running") {
		t.Errorf("%d %s", status, out)
	}
}
