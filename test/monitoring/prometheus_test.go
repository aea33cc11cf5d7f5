package monitoring

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"archipelago/test/testnode"
)

// need skips the test where a program isn't installed.
func need(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed (Debian: prometheus)", name)
		}
	}
}

// end ends a process that the test has started.
func end(t *testing.T, cmd *exec.Cmd) {
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		late.Stop()
	})
}

// serveMetrics starts `archipelago metrics` for a node and returns its address.
func serveMetrics(t *testing.T, dir string) string {
	t.Helper()
	cmd := exec.Command(testnode.Binary(t, "archipelago"), "-d", dir, "metrics", "--listen", "127.0.0.1:0")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end(t, cmd)
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if _, after, ok := strings.Cut(lines.Text(), "address="); ok {
			address, _, _ := strings.Cut(after, " ")
			return address
		}
	}
	t.Fatal("archipelago metrics ended")
	return ""
}

// prometheus is a server of its own, in a temporary directory.
type prometheus struct {
	t    *testing.T
	base string
}

// startPrometheus scrapes target every half second.
func startPrometheus(t *testing.T, target string) *prometheus {
	t.Helper()
	dir := testnode.TempDir(t)
	conf := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 500ms, scrape_timeout: 500ms}\n"+
		"scrape_configs:\n- job_name: archipelago\n  static_configs:\n  - targets: ['%s']\n", target)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	cmd := exec.Command("prometheus", "--config.file="+conf, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--log.level=error")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end(t, cmd)
	return &prometheus{t: t, base: "http://" + address}
}

// freeAddress is one that nobody has now: Prometheus 2.42 doesn't say which it has chosen itself.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// query returns how many series an expression has now.
func (p *prometheus) query(expr string) (int, error) {
	ctx, cancel := context.WithTimeout(p.t.Context(), testnode.Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/api/v1/query?query="+url.QueryEscape(expr), nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return 0, err
	}
	if answer.Status != "success" {
		return 0, fmt.Errorf("%s: %s", expr, answer.Error)
	}
	n := 0
	for _, r := range answer.Data.Result {
		if r.Value[1] != "NaN" { // a quantile of no requests
			n++
		}
	}
	return n, nil
}

// eventually waits until an expression has series; it says so if it never has.
func (p *prometheus) eventually(expr string) {
	p.t.Helper()
	var n int
	var err error
	for limit := time.Now().Add(testnode.Patience); time.Now().Before(limit); {
		if n, err = p.query(expr); n > 0 {
			return
		}
		// Time has to pass for it to scrape; there is nothing else to wait for.
		time.Sleep(100 * time.Millisecond)
	}
	p.t.Errorf("no data for %s (%v)", expr, err)
}
