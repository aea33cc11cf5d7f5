package fused

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"strings"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// fsName makes the type of the file system fuse.archipelago.
const fsName = "archipelago"

// Tuning.
const (
	maxIO         = 1 << 20 // bytes of one read or write
	maxBackground = 256     // direct I/O under way that nobody waits for in a system call
)

// Mount is a mounted file system.
type Mount struct {
	path   string
	fs     *FS
	log    *slog.Logger
	server *fuse.Server
	ended  chan struct{}
}

// MountAt mounts f at a directory, which is made if need be, and serves it. What a killed
// predecessor left mounted there goes first; another file system there is an error. source is shown
// in the table of mounts.
func MountAt(path, source string, f *FS, log *slog.Logger) (*Mount, error) {
	if err := clearStale(path, log); err != nil {
		return nil, fmt.Errorf("mount point %s: %w", path, err)
	}
	if err := os.Mkdir(path, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("mount point: %w", err)
	}
	server, err := mount(path, source, f, log)
	if err != nil {
		return nil, fmt.Errorf("mount the volumes at %s: %w", path, err)
	}
	m := &Mount{path: path, fs: f, log: log, server: server, ended: make(chan struct{})}
	go func() {
		defer close(m.ended)
		server.Serve()
	}()
	return m, server.WaitMount()
}

// mount mounts by the system call where this process may, else by fusermount3.
func mount(path, source string, f *FS, log *slog.Logger) (*fuse.Server, error) {
	opts := &fuse.MountOptions{
		Name: fsName, FsName: source, DirectMountStrict: true,
		// The kernel checks permissions; without it root alone, or the owner, could look.
		AllowOther: true, Options: []string{"default_permissions"},
		MaxWrite: maxIO, MaxBackground: maxBackground,
		DisableXAttrs: true, DisableReadDirPlus: true, // a list of names asks for nothing else
		Logger: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	server, err := fuse.NewServer(f, path, opts)
	if err == nil || !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES) {
		return server, err
	}
	opts.DirectMountStrict = false
	if opts.AllowOther = othersAllowed(); !opts.AllowOther {
		log.Warn("other users don't see the volumes: user_allow_other isn't set in /etc/fuse.conf")
	}
	return fuse.NewServer(f, path, opts)
}

// othersAllowed says whether fusermount3 lets users mount what others may see.
func othersAllowed() bool {
	conf, err := os.ReadFile("/etc/fuse.conf")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(conf)) {
		if strings.TrimSpace(line) == "user_allow_other" {
			return true
		}
	}
	return false
}

// Wait returns when the file system was unmounted: ErrUnmounted unless Unmount did it.
func (m *Mount) Wait() error {
	<-m.ended
	if m.fs.life.Err() != nil {
		return context.Canceled
	}
	return ErrUnmounted
}

// Unmount takes the file system away. Files that are open then fail from now on: whoever stops a
// node looks for its users before.
func (m *Mount) Unmount() {
	err := unix.Unmount(m.path, 0)
	if errors.Is(err, unix.EPERM) {
		err = fusermount("-u", m.path)
	}
	if err != nil && mounted(m.path) {
		m.log.Warn("files of volumes are still open: their users will get errors", "error", err)
		err = detach(m.path)
	}
	m.fs.end()
	if err != nil && mounted(m.path) {
		m.log.Error("the volumes can't be unmounted", "error", err)
		return
	}
	_ = os.Remove(m.path) // made again at the next start; somebody else's file in it keeps it
}

// clearStale unmounts what a killed predecessor left at path.
func clearStale(path string, log *slog.Logger) error {
	for mounted(path) {
		typ := mountType(path)
		if typ != "fuse."+fsName {
			return fmt.Errorf("a file system of type %s is mounted there", typ)
		}
		log.Warn("unmounting what a killed predecessor left", "path", path)
		if err := detach(path); err != nil {
			return fmt.Errorf("unmount what a killed predecessor left: %w", err)
		}
	}
	return nil
}

// detach takes a mount out of the tree at once, whoever uses it.
func detach(path string) error {
	err := unix.Unmount(path, unix.MNT_DETACH)
	if errors.Is(err, unix.EPERM) {
		return fusermount("-uz", path)
	}
	return err
}

func fusermount(flag, path string) error {
	out, err := exec.Command("fusermount3", flag, "--", path).CombinedOutput()
	if err != nil {
		return fmt.Errorf("fusermount3: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

func mounted(path string) bool { return mountType(path) != "" }

// mountType returns the type of the file system that is mounted at path, "" if none is. It reads
// the table of mounts: looking at the path itself hangs or fails if its server is dead.
func mountType(path string) string {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	typ := ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if at, t := parseMount(lines.Text()); at == path {
			typ = t // the last one lies on top
		}
	}
	return typ
}

// octal undoes how the table writes characters that would end a field.
var octal = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// parseMount returns the place and the type of a line of mountinfo.
func parseMount(line string) (path, typ string) {
	left, right, ok := strings.Cut(line, " - ")
	fields := strings.Fields(left)
	if !ok || len(fields) < 5 {
		return "", ""
	}
	typ, _, _ = strings.Cut(right, " ")
	return octal.Replace(fields[4]), typ
}
