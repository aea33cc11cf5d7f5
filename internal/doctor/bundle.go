package doctor

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"archipelago/internal/config"
	"archipelago/internal/node"
	"archipelago/internal/stats"
	"archipelago/internal/version"
)

// Limits of an archive: a log that fills a disk must not fill another.
const (
	maxPart      = 8 << 20
	partPatience = 20 * time.Second
)

// part is one file of the archive.
type part struct {
	name string
	read func(context.Context) ([]byte, error)
}

// Bundle writes a support archive (tar.gz) to w: the report, the configuration, the state of the node,
// its segment and this machine, logs. Whatever looks like a secret is masked. A part that can't be
// had is replaced by the reason; only a failure to write is an error. load is as in Options.
func Bundle(ctx context.Context, w io.Writer, r *Report, load func() (*config.Config, error)) error {
	z := gzip.NewWriter(w)
	t := tar.NewWriter(z)
	now := time.Now()
	cfg, err := load()
	if err != nil {
		cfg = nil
	}
	for _, p := range parts(r, cfg) {
		text := p.get(ctx)
		h := &tar.Header{Name: "archipelago-support/" + p.name, Mode: 0o600, Size: int64(len(text)), ModTime: now}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(text); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), z.Close())
}

// get returns the masked text of a part.
func (p *part) get(ctx context.Context) []byte {
	ctx, cancel := context.WithTimeout(ctx, partPatience)
	defer cancel()
	text, err := p.read(ctx)
	if len(text) > maxPart {
		text = append([]byte("(the beginning was left out)\n"), text[len(text)-maxPart:]...)
	}
	if err != nil {
		text = fmt.Appendf(text, "\n(%v)\n", err)
	}
	return mask(text)
}

func parts(r *Report, cfg *config.Config) []part {
	list := []part{
		{"doctor.txt", func(context.Context) ([]byte, error) {
			plain := func(_ Level, s string) string { return s }
			return []byte(strings.Join(r.Lines(80, plain), "\n") + "\n"), nil
		}},
		{"doctor.json", func(context.Context) ([]byte, error) { return indented(r) }},
		{"versions.txt", func(context.Context) ([]byte, error) { return versions(), nil }},
		file("os-release", "/etc/os-release"),
		file("mounts.txt", "/proc/self/mountinfo"),
		file("memory.txt", "/proc/meminfo"),
		file("modules.txt", "/proc/modules"),
		file("uptime.txt", "/proc/uptime"),
		command("processes.txt", "ps", "-eo", "pid,ppid,user,stat,wchan:20,rss,etime,comm"),
		command("space.txt", "df", "-PT"),
		command("inodes.txt", "df", "-Pi"),
		command("shm.txt", "ls", "-la", "/dev/shm"),
		command("units.txt", "systemctl", "--no-pager", "status", "archipelago*"),
		command("journal.txt", "journalctl", "--no-pager", "-o", "short-iso-precise", "-n", "20000", "-u", "archipelago*"),
		command("kernel.txt", "dmesg", "--ctime"),
	}
	if cfg == nil {
		return list
	}
	list = append(list,
		part{"config.txt", func(context.Context) ([]byte, error) { return []byte(cfg.Format()), nil }},
		part{"status.json", func(context.Context) ([]byte, error) { return status(cfg) }},
		part{"segment.json", func(context.Context) ([]byte, error) { return segment(cfg) }})
	if cfg.Path != "" {
		list = append(list, file("archipelago.conf", cfg.Path))
	}
	return list
}

func file(name, path string) part {
	return part{name, func(context.Context) ([]byte, error) { return os.ReadFile(path) }}
}

func command(name, program string, args ...string) part {
	return part{name, func(ctx context.Context) ([]byte, error) {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.WaitDelay = time.Second
		cmd.Env = append(os.Environ(), "LC_ALL=C", "SYSTEMD_COLORS=0")
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
		}
		return out, err
	}}
}

func versions() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "archipelago %s\n", version.String())
	if release, err := os.ReadFile("/proc/version"); err == nil {
		b.Write(release)
	}
	self, err := os.Executable()
	if err != nil {
		return b.Bytes()
	}
	programs, _ := filepath.Glob(filepath.Join(filepath.Dir(self), "arch*")) // the pattern is right
	for _, p := range programs {
		fmt.Fprintf(&b, "%s: %s\n", p, buildOf(p))
	}
	return b.Bytes()
}

func status(cfg *config.Config) ([]byte, error) {
	rep, err := node.Status(cfg)
	if err != nil {
		return nil, err
	}
	return indented(rep)
}

func segment(cfg *config.Config) ([]byte, error) {
	w := stats.Watch(cfg.SegmentName)
	defer w.Close()
	_, now, err := w.Step()
	if err != nil {
		return nil, err
	}
	return indented(now)
}

func indented(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return append(b, '\n'), err
}
