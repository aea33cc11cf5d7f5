package device

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"archipelago/internal/config"
	"archipelago/internal/mapfmt"
)

// fakeDriver makes devices that are files.
type fakeDriver struct {
	dir     string
	lacks   error
	fails   error
	breaks  bool // devices give errors
	resized map[string]int64
}

func (d *fakeDriver) missing(*config.Config) error { return d.lacks }

func (d *fakeDriver) attach(_ context.Context, _ *config.Config, m *Mapping, _ *Options) error {
	if d.fails != nil {
		return d.fails
	}
	m.Device, m.Backing = filepath.Join(d.dir, "dev-"+m.Name), m.UUID
	return os.WriteFile(m.Device, []byte(m.UUID), 0o600)
}

func (d *fakeDriver) detach(m *Mapping) error { return os.Remove(m.Device) }

func (d *fakeDriver) resize(m *Mapping, size int64) error {
	d.resized[m.Name] = size
	return nil
}

func (d *fakeDriver) alive(m *Mapping) bool {
	b, err := os.ReadFile(m.Device)
	return err == nil && string(b) == m.Backing
}

func (d *fakeDriver) broken(*Mapping) bool { return d.breaks }

// fake makes a configuration and puts a fake driver in place of all others.
func fake(t *testing.T) (*config.Config, *fakeDriver) {
	dir := t.TempDir()
	d := &fakeDriver{dir: dir, resized: map[string]int64{}}
	keptDrivers, keptOrder := drivers, order
	drivers, order = map[string]driver{"fake": d}, []string{"fake"}
	t.Cleanup(func() { drivers, order = keptDrivers, keptOrder })
	return &config.Config{RuntimeDir: filepath.Join(dir, "run"), MapDriver: "auto"}, d
}

func vol(name string) Volume { return Volume{Name: name, UUID: mapfmt.NewUUID(), Size: 1 << 20} }

func TestMapAndUnmap(t *testing.T) {
	cfg, d := fake(t)
	ctx := context.Background()
	if all, err := List(cfg); len(all) != 0 || err != nil {
		t.Errorf("nothing is mapped: %v, %v", all, err)
	}
	b := vol("b")
	m, err := Map(ctx, cfg, b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Map(ctx, cfg, b, Options{}); err != nil || !reflect.DeepEqual(again, m) {
		t.Errorf("map again: %+v, %v; first %+v", again, err, m)
	}
	if _, err := Map(ctx, cfg, b, Options{ReadOnly: true}); !errors.As(err, new(*ModeError)) {
		t.Errorf("map again, read-only: %v", err)
	}
	a := vol("a")
	a.ReadOnly = true
	if still, err := Map(ctx, cfg, a, Options{}); err != nil || !still.ReadOnly {
		t.Errorf("map a snapshot: %+v, %v", still, err)
	}
	all, err := List(cfg)
	if err != nil || len(all) != 2 || all[0].Name != "a" || all[1].Name != "b" {
		t.Errorf("list: %+v, %v", all, err)
	}
	if err := CheckUnmapped(cfg, "b"); !errors.As(err, new(*MappedError)) {
		t.Errorf("b is mapped: %v", err)
	}
	if err := Resized(cfg, "b", 2<<20); err != nil || d.resized["b"] != 2<<20 {
		t.Errorf("resize: %v, %v", err, d.resized)
	}
	for _, what := range []string{m.Device, "a"} {
		if err := Unmap(ctx, cfg, what, UnmapOptions{Force: true}); err != nil {
			t.Errorf("unmap %s: %v", what, err)
		}
		if err := Unmap(ctx, cfg, what, UnmapOptions{Force: true}); !errors.As(err, new(*NotMappedError)) {
			t.Errorf("unmap %s again: %v", what, err)
		}
	}
	if err := errors.Join(CheckUnmapped(cfg, "b"), Resized(cfg, "b", 1)); err != nil {
		t.Errorf("b isn't mapped: %v", err)
	}
}

// TestLeftover: after a crash or a reboot the file of a mapping is there, its device is not.
func TestLeftover(t *testing.T) {
	cfg, _ := fake(t)
	ctx := context.Background()
	v := vol("disk")
	m, err := Map(ctx, cfg, v, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.Device, []byte("somebody else's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := List(cfg); len(all) != 0 || err != nil {
		t.Errorf("list: %+v, %v", all, err)
	}
	if err := CheckUnmapped(cfg, "disk"); err != nil {
		t.Error(err)
	}
	if err := Unmap(ctx, cfg, m.Device, UnmapOptions{Force: true}); !errors.As(err, new(*NotMappedError)) {
		t.Errorf("unmap of somebody else's device: %v", err)
	}
	if _, err := Map(ctx, cfg, v, Options{}); err != nil {
		t.Error(err)
	}
	// A new volume of that name is another one.
	if _, err := Map(ctx, cfg, vol("disk"), Options{}); err == nil {
		t.Error("the device of an earlier volume was taken for that of its successor")
	}
}

func TestMapFails(t *testing.T) {
	cfg, d := fake(t)
	ctx := context.Background()
	d.fails = errors.New("broken")
	if _, err := Map(ctx, cfg, vol("disk"), Options{}); !errors.Is(err, d.fails) || !strings.Contains(err.Error(), "disk") {
		t.Errorf("attach fails: %v", err)
	}
	if left, err := os.ReadDir(Dir(cfg)); err != nil || len(left) != 1 { // the lock
		t.Errorf("left behind: %v, %v", left, err)
	}
	d.fails, d.lacks = nil, errors.New("not here")
	for _, driver := range []string{"", "auto", "fake", "xsegbd"} {
		if _, err := Map(ctx, cfg, vol("disk"), Options{Driver: driver}); !errors.Is(err, ErrNoDriver) {
			t.Errorf("driver %q: %v", driver, err)
		}
	}
	cfg.MapDriver = "xsegbd"
	d.lacks = nil
	if _, err := Map(ctx, cfg, vol("disk"), Options{}); !errors.Is(err, ErrNoDriver) {
		t.Errorf("configured driver: %v", err)
	}
}

// TestBroken: a device that only gives errors is made anew.
func TestBroken(t *testing.T) {
	cfg, d := fake(t)
	v := vol("disk")
	first, err := Map(context.Background(), cfg, v, Options{})
	if err != nil {
		t.Fatal(err)
	}
	d.breaks, first.Since = true, time.Time{}
	if err := store(cfg, first); err != nil {
		t.Fatal(err)
	}
	again, err := Map(context.Background(), cfg, v, Options{})
	if err != nil || again.Since.IsZero() {
		t.Errorf("%+v, %v", again, err)
	}
}

// TestLock: changes wait for each other, and give up when they are told to.
func TestLock(t *testing.T) {
	cfg, _ := fake(t)
	unlock, err := lock(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := Map(ctx, cfg, vol("disk"), Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("map while another change is under way: %v", err)
	}
	unlock()
	if _, err := Map(context.Background(), cfg, vol("disk"), Options{}); err != nil {
		t.Error(err)
	}
}

func TestDamagedFile(t *testing.T) {
	cfg, _ := fake(t)
	if _, err := Map(context.Background(), cfg, vol("good"), Options{}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "{", "{}", `{"name":"other","device":"/dev/x"}`, `{"name":"bad","device":"../x"}`} {
		if err := os.WriteFile(file(cfg, "bad"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		all, err := List(cfg)
		if err == nil || len(all) != 1 || all[0].Name != "good" {
			t.Errorf("%q: %v, %v", text, all, err)
		}
		if err := CheckUnmapped(cfg, "bad"); err == nil {
			t.Errorf("%q: taken for unmapped", text)
		}
	}
}

// FuzzParse: a file is read or refused, and what is read is written back the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"name":"disk","uuid":"x","device":"/dev/loop0","id":0,"driver":"loop","since":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parse(b)
		if err == nil && (mapfmt.CheckVolumeName(m.Name) != nil || !filepath.IsAbs(m.Device)) {
			t.Errorf("%q was taken: %+v", b, m)
		}
	})
}

func TestMountsOf(t *testing.T) {
	const table = "36 35 7:0 / /mnt/a\\040b rw - ext4 /dev/loop0 rw\n" +
		"37 35 7:10 / /mnt/c rw - ext4 /dev/loop10 rw\n38 35 7:0 / /mnt/d rw - ext4 /dev/loop0 rw\nx\n"
	want := []string{"mounted at /mnt/a b", "mounted at /mnt/d"}
	if got := mountsOf(table, "7:0"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}
