package systemd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGenerate(t *testing.T) {
	dir := t.TempDir()
	err := Generate(dir, []Role{{"blockerb", "file_blocker"}, {"mapperd", "mapperd"}, {"show", "fused"}})
	if err != nil {
		t.Fatal(err)
	}
	link, err := os.Readlink(filepath.Join(dir, "archipelago.target.wants/archipelago-peer@mapperd.service"))
	if err != nil || link != template {
		t.Errorf("%s, %v", link, err)
	}
	for name, want := range map[string]string{
		"blockerb": "[Unit]\n",
		"mapperd":  "[Unit]\nAfter=archipelago-peer@blockerb.service\n",
		"show":     "[Unit]\nAfter=archipelago-peer@blockerb.service\nAfter=archipelago-peer@mapperd.service\n",
	} {
		text, err := os.ReadFile(filepath.Join(dir, Peer(name)+".d", "50-order.conf"))
		if err != nil || !strings.HasSuffix(string(text), want) {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, Peer("mapperd")+".d", "50-type.conf")); err == nil {
		t.Error("a mapper needs nothing beyond the others")
	}
	text, err := os.ReadFile(filepath.Join(dir, Peer("show")+".d", "50-type.conf"))
	if err != nil || !strings.Contains(string(text), "DeviceAllow=/dev/fuse") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestMisordered(t *testing.T) {
	a, b := &Unit{}, &Unit{After: []string{"x.slice", Peer("a")}}
	if got := Misordered([]string{"a", "b"}, []*Unit{a, b}); got != "" {
		t.Error(got)
	}
	if got := Misordered([]string{"b", "a"}, []*Unit{b, a}); got != "a" {
		t.Error(got)
	}
}
