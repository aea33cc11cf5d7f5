package metrics

import (
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"archipelago/internal/config"
	"archipelago/xseg"
)

// TestSharedProcess: a process that several roles share is there once, so that sums stay right.
func TestSharedProcess(t *testing.T) {
	cfg := &config.Config{Roles: []config.Role{{Name: "a"}, {Name: "b"}, {Name: "c"}}}
	me, parent := os.Getpid(), os.Getppid()
	for want, pids := range map[string][]int{"all": {me, me, me}, "b all": {me, parent, me}, "a": {me, 0, 0}} {
		var list []xseg.PortInfo
		for i, pid := range pids {
			if pid != 0 {
				list = append(list, xseg.PortInfo{Role: cfg.Roles[i].Name, PID: pid, Alive: true})
			}
		}
		out := make(chan prometheus.Metric, 100)
		roles(out, cfg, list)
		close(out)
		got := map[string]int{}
		for m := range out {
			if m.Desc() == roleCPU.desc {
				got[labelOf(t, m)]++
			}
		}
		for _, role := range strings.Fields(want) {
			if got[role] != 1 {
				t.Errorf("%v: role %s is there %d times", pids, role, got[role])
			}
			delete(got, role)
		}
		if len(got) > 0 {
			t.Errorf("%v: also %v", pids, got)
		}
	}
}

func labelOf(t *testing.T, m prometheus.Metric) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(one{m})
	families, err := registry.Gather()
	if err != nil || len(families) != 1 {
		t.Fatal(families, err)
	}
	return families[0].GetMetric()[0].GetLabel()[0].GetValue()
}

// one is a collector of one metric.
type one struct{ m prometheus.Metric }

func (o one) Describe(ch chan<- *prometheus.Desc) { ch <- o.m.Desc() }
func (o one) Collect(ch chan<- prometheus.Metric) { ch <- o.m }
