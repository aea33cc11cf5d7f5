package doctor

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"archipelago/internal/config"
)

func TestText(t *testing.T) {
	r := &Report{}
	r.add(Result{Check: "clock", Summary: "fine"})
	r.add(Result{Check: "storage", Level: Problem, Summary: "2 directories", Findings: []Finding{
		{Problem, "blockerb: /srv/archip/blocks is read-only, and that has been so for some time now", "See the kernel's log (dmesg): a file system with errors is set read-only."},
		{Note, "small", ""},
	}})
	want := `ok       clock           fine
problem  storage         2 directories
         blockerb: /srv/archip/blocks is read-only, and that has been so for
         some time now
         → See the kernel's log (dmesg): a file system with errors is set
           read-only.
         note: small

1 problem, 0 warnings.
`
	if got := strings.Join(r.Lines(80, plain), "\n") + "\n"; got != want {
		t.Errorf("%s", got)
	}
}

// TestWidth: lines fit, but for words that are longer.
func TestWidth(t *testing.T) {
	long := "/" + strings.Repeat("x", 100)
	r := Result{Check: "storage", Summary: strings.Repeat("word ", 40), Findings: []Finding{
		{Warning, strings.Repeat("some words ", 30), "Do " + long + " and " + strings.Repeat("more ", 30)}}}
	for _, line := range r.lines(80, plain) {
		if n := utf8.RuneCountInString(line); n > 80 && !strings.Contains(line, long) {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestJSON(t *testing.T) {
	r := &Report{}
	r.add(Result{Check: "clock", Level: Warning, Findings: []Finding{{Warning, "a", "b"}}})
	b, err := json.Marshal(r)
	want := `{"node":"","version":"","problems":0,"warnings":1,"checks":[{"check":"clock","level":"warning",` +
		`"summary":"","findings":[{"level":"warning","what":"a","do":"b"}]}]}`
	if err != nil || string(b) != want {
		t.Errorf("%s %v", b, err)
	}
}

func TestMask(t *testing.T) {
	const secret = "s3cr3tValue"
	for _, text := range []string{
		"'cephx_id': '^', # user", "cephx_key = \"^\"", "password=^,user=x", "  \"auth_token\": \"^\"", "Secret: ^",
		"key = ^", "\tkey: '^'", "mount -o name=a,secret=^,rw", "https://u:^@host/path", "nbd://me:^@h",
		"access_key=^", "PASSPHRASE='^'", "-----BEGIN RSA PRIVATE KEY-----\n^\n-----END RSA PRIVATE KEY-----",
	} {
		got := string(mask([]byte(strings.ReplaceAll(text, "^", secret))))
		if strings.Contains(got, secret) || !strings.Contains(got, masked) {
			t.Errorf("%q became %q", text, got)
		}
	}
	if got := string(mask([]byte("x AQ" + strings.Repeat("b", 36) + "== y"))); got != "x "+masked+" y" {
		t.Error(got)
	}
	for _, text := range []string{"SEGMENT_SIZE = 5120", "monkey: 3", "nr_ops: 64", "path=/srv/x", "role=vlmcd", "https://host/a"} {
		if got := string(mask([]byte(text))); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add([]byte("'cephx_id': 'x'"))
	f.Fuzz(func(t *testing.T, b []byte) {
		once := mask(b)
		if !bytes.Contains(b, []byte("=")) && !bytes.Contains(b, []byte(":")) && !bytes.Contains(b, []byte("AQ")) && !bytes.Equal(once, b) {
			t.Errorf("%q became %q", b, once)
		}
	})
}

// unpack returns the files of an archive.
func unpack(t *testing.T, b []byte) map[string]string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(h.Name, "archipelago-support/")] = string(text)
	}
}

// TestBundle: the archive has what helps, and no secrets of the configuration.
func TestBundle(t *testing.T) {
	e := healthy(t)
	running(t, e)
	path := t.TempDir() + "/archipelago.conf"
	write(t, path, "# key = AQ"+strings.Repeat("x", 36)+"==\ncephx_id = 'topsecret'\n")
	e.cfg.Path = path
	e.cfg.Role("blockerm").Type, e.cfg.Role("blockerm").CephxID = config.TypeRados, "topsecret"
	load := func() (*config.Config, error) { return e.cfg, nil }
	var b bytes.Buffer
	if err := Bundle(context.Background(), &b, &Report{Version: "7"}, load); err != nil {
		t.Fatal(err)
	}
	files := unpack(t, b.Bytes())
	for name, want := range map[string]string{
		"doctor.txt": "No problems found.", "doctor.json": `"version": "7"`, "config.txt": "SEGMENT_NAME = ",
		"archipelago.conf": "cephx_id = " + masked, "status.json": `"segment_present": true`, "segment.json": `"Role": "vlmcd"`,
		"mounts.txt": "/", "versions.txt": "archipelago ", "journal.txt": "", "kernel.txt": "",
	} {
		if text, ok := files[name]; !ok || !strings.Contains(text, want) {
			t.Errorf("%s: no %q in %.300s", name, want, text)
		}
	}
	for name, text := range files {
		if strings.Contains(text, "topsecret") || strings.Contains(text, "AQxxx") {
			t.Errorf("a secret is in %s", name)
		}
	}
	// Without a configuration there is an archive, too.
	b.Reset()
	err := Bundle(context.Background(), &b, &Report{}, func() (*config.Config, error) { return nil, config.ErrNone })
	if _, ok := unpack(t, b.Bytes())["doctor.txt"]; err != nil || !ok {
		t.Error(err)
	}
}

// TestManual: the manual lists each check, in their order.
func TestManual(t *testing.T) {
	b, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(b), "| check | looks at |")
	for _, c := range checks {
		_, after, ok := strings.Cut(text, "| "+c.name+" |")
		if !ok {
			t.Errorf("%s is not in the manual, or at another place", c.name)
			continue
		}
		text = after
	}
}
