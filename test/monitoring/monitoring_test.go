package monitoring

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"archipelago/internal/metrics"
	"archipelago/internal/volume"
	"archipelago/test/testnode"
)

const (
	dashboardFile = "../../monitoring/grafana-dashboard.json"
	alertsFile    = "../../monitoring/alerts.yml"
)

// TestDashboard: each query of the dashboard, and the operands of each alert, have data of a node
// under load.
func TestDashboard(t *testing.T) {
	need(t, "prometheus")
	n := testnode.Start(t)
	stop := load(t, n)
	defer stop()
	p := startPrometheus(t, serveMetrics(t, n.Dir))
	queries := dashboardQueries(t)
	if len(queries) < 20 {
		t.Fatalf("only %d queries found", len(queries))
	}
	for _, q := range queries {
		p.eventually(q)
	}
	for _, name := range metricsOf(t, alertsFile) {
		if name != "archipelago_lease_left_seconds" { // a node alone on its storage has no lease
			p.eventually(name)
		}
	}
	for _, a := range alerts(t) {
		if _, err := p.query(a.expr); err != nil {
			t.Errorf("%s: %v", a.name, err)
		}
	}
	// Two of them for real: the server of the metrics outlives the node.
	stop()
	n.KillAll()
	p.eventually(exprOf(t, "ArchipelagoRoleDown"))
	n.Run()
	n.Stop()
	p.eventually(exprOf(t, "ArchipelagoNodeDown"))
}

// load does some of everything on two volumes, until it is stopped.
func load(t *testing.T, n *testnode.Node) (stop func()) {
	t.Helper()
	c := n.Dial()
	ctx, cancel := context.WithCancel(t.Context())
	var vols []*volume.Volume
	for _, name := range []string{"one", "two"} {
		if _, err := c.Create(ctx, name, 64<<20, 0); err != nil {
			t.Fatal(err)
		}
		v, err := c.Open(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		vols = append(vols, v)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 16<<10)
		for i := int64(0); ctx.Err() == nil; i++ {
			v, off := vols[i%2], i%1000*int64(len(buf))
			_ = v.WriteAt(ctx, buf, off)
			_ = v.ReadAt(ctx, buf, off)
			_ = v.ReadAt(ctx, buf, 64<<20) // past the end: an error
			if i%16 == 0 {
				_ = v.Flush(ctx)
				_ = v.Discard(ctx, off, 4<<20)
			}
			time.Sleep(2 * time.Millisecond) // a load, not a benchmark
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// dashboardQueries returns the expressions of the dashboard with its variables filled in.
func dashboardQueries(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("$__rate_interval", "10s", "$instance", ".*", "$volume", ".*")
	var list []string
	for _, p := range d.Panels {
		for _, x := range p.Targets {
			list = append(list, fill.Replace(x.Expr))
		}
	}
	return list
}

// metricsOf returns the names of metrics in a file.
func metricsOf(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`\barchipelago_[a-z_]+`).FindAllString(string(text), -1)
	slices.Sort(names)
	return slices.Compact(names)
}

type alert struct{ name, expr string }

// alerts reads the rules: a small part of YAML, as the file has it.
func alerts(t *testing.T) []alert {
	t.Helper()
	text, err := os.ReadFile(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	var list []alert
	for _, block := range strings.Split(string(text), "- alert: ")[1:] {
		name, rest, _ := strings.Cut(block, "\n")
		_, rest, _ = strings.Cut(rest, "expr: ")
		end := regexp.MustCompile(`\n        [a-z]+:`).FindStringIndex(rest)
		expr := strings.Join(strings.Fields(strings.TrimPrefix(rest[:end[0]], ">-")), " ")
		list = append(list, alert{name, expr})
	}
	return list
}

func exprOf(t *testing.T, name string) string {
	t.Helper()
	for _, a := range alerts(t) {
		if a.name == name {
			return "(" + a.expr + ")"
		}
	}
	t.Fatalf("no alert %s", name)
	return ""
}

// TestKnownMetrics: dashboard and rules name only metrics that there are.
func TestKnownMetrics(t *testing.T) {
	known := map[string]bool{}
	for _, m := range metrics.All() {
		known[m.Name] = true
		if m.Type == "histogram" {
			known[m.Name+"_bucket"] = true
		}
	}
	for _, name := range append(metricsOf(t, dashboardFile), metricsOf(t, alertsFile)...) {
		if !known[name] {
			t.Errorf("%s doesn't exist", name)
		}
	}
}

// TestRules: each alert fires when it should, and doesn't else; and the manual says what to do.
func TestRules(t *testing.T) {
	need(t, "promtool")
	for _, args := range [][]string{{"check", "rules", alertsFile}, {"test", "rules", "alerts_test.yml"}} {
		if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	tests, err := os.ReadFile("alerts_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	manual, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range alerts(t) {
		if !strings.Contains(string(tests), `{alertname="`+a.name+`"}`) {
			t.Errorf("no test of %s", a.name)
		}
		if !strings.Contains(string(manual), "| "+a.name+" |") {
			t.Errorf("%s is not in the manual", a.name)
		}
	}
}

// TestScrape: what is served passes the checks of Prometheus, over TCP and over a Unix socket, for a
// node that runs and for one that doesn't.
func TestScrape(t *testing.T) {
	need(t, "promtool")
	n := testnode.Start(t)
	address := serveMetrics(t, n.Dir)
	check(t, scrape(t, "tcp", address), "archipelago_up 1")
	n.Stop()
	check(t, scrape(t, "tcp", address), "archipelago_up 0")

	socket := filepath.Join(testnode.TempDir(t), "m.sock")
	for range 2 { // the second finds what a killed one has left
		cmd := exec.Command(testnode.Binary(t, "archipelago"), "-d", n.Dir, "metrics", "--listen", "unix:"+socket)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		check(t, scrape(t, "unix", socket), `archipelago_role_up{role="vlmcd",type="vlmcd"} 0`)
		if out, err := exec.Command(cmd.Path, cmd.Args[1:]...).CombinedOutput(); err == nil || !strings.Contains(string(out), "somebody serves it") {
			t.Errorf("a second server on the socket: %v %s", err, out)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

func scrape(t *testing.T, network, address string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}}}
	var err error
	for limit := time.Now().Add(testnode.Patience); time.Now().Before(limit); time.Sleep(20 * time.Millisecond) {
		var res *http.Response
		if res, err = client.Get("http://node/metrics"); err != nil { // it may not listen yet
			continue
		}
		text, readErr := io.ReadAll(res.Body)
		res.Body.Close()
		if readErr != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("status %s, %v\n%s", res.Status, readErr, text)
		}
		return string(text)
	}
	t.Fatal(err)
	return ""
}

func check(t *testing.T, text, want string) {
	t.Helper()
	if !strings.Contains(text, want+"\n") {
		t.Errorf("no %s in\n%s", want, text)
	}
	cmd := exec.Command("promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}
