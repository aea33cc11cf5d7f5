package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// state is what a volume is like when a measurement begins.
type state int

const (
	full        state = iota // every block was written, none is shared
	clone                    // of a full one, nothing was written since
	snapshotted              // a clone of which every second sub-block was written, then a snapshot made
)

// server is one side of the comparison.
type server interface {
	name() string
	// open makes a volume of that state, and serves it until it is closed.
	open(ctx context.Context, s state) (*export, error)
	close() error
}

// export is a volume that is served.
type export struct {
	uri   string
	pids  []named
	files []string // where its data lies: files, or directories of them
	close func() error
}

// benchDir is a directory with a node and the images of the others, all of the same content.
type benchDir struct {
	path string
	raw  string // a file full of data that can't be compressed or left out
	size int64
}

func newBenchDir(o *volumesOptions) (*benchDir, error) {
	path, err := os.MkdirTemp(o.dir, "archip-test-")
	if err != nil {
		return nil, err
	}
	d := &benchDir{path: path, raw: filepath.Join(path, "raw"), size: o.size}
	return d, errors.Join(writeNoise(d.raw, o.size), writeOnceLog(filepath.Join(path, onceLog), o.size))
}

func (d *benchDir) remove() error { return os.RemoveAll(d.path) }

// writeNoise writes a file of n bytes without zeros to speak of.
func writeNoise(path string, n int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	state := uint64(1)
	for at := int64(0); at < n; at += int64(len(block)) {
		for i := range block {
			state = state*6364136223846793005 + 1442695040888963407
			block[i] = byte(state >> 56)
		}
		if _, err := f.Write(block); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return f.Sync()
}

// run runs a command to its end.
func run(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// archipelagoServer is a node.
type archipelagoServer struct {
	bin   string
	node  *node
	sock  string
	procs []named
	purge *purger
	count int // of volumes made
}

func newArchipelago(ctx context.Context, o *volumesOptions, d *benchDir, v variant) (*archipelagoServer, error) {
	n, err := startNode(ctx, filepath.Join(o.bin, "archipelago"), d.path, v)
	if err != nil {
		return nil, err
	}
	s := &archipelagoServer{bin: o.bin, node: n}
	if s.sock, err = n.nbdSocket(); err == nil {
		s.procs, err = n.processes()
	}
	if err == nil {
		err = s.vlmc(ctx, "import", d.raw, "full")
	}
	if err == nil {
		err = s.vlmc(ctx, "import", d.raw, "origin")
	}
	if err == nil {
		err = s.vlmc(ctx, "snapshot", "origin", "base")
	}
	if err == nil {
		s.purge, err = newPurger(ctx, n.cfg)
	}
	if err != nil {
		return nil, errors.Join(err, n.stop())
	}
	return s, nil
}

func (s *archipelagoServer) vlmc(ctx context.Context, args ...string) error {
	return run(ctx, filepath.Join(s.bin, "vlmc"), slices.Concat(s.node.source, args)...)
}

func (s *archipelagoServer) name() string { return "archipelago" }

func (s *archipelagoServer) uri(volume string) string {
	return fmt.Sprintf("nbd+unix:///%s?socket=%s", volume, url.QueryEscape(s.sock))
}

func (s *archipelagoServer) open(ctx context.Context, st state) (*export, error) {
	e := &export{uri: s.uri("full"), pids: s.procs, close: func() error { return nil },
		files: s.node.cached()}
	if st == full {
		return e, nil
	}
	s.count++
	name := fmt.Sprintf("clone%d", s.count)
	e.uri = s.uri(name)
	if err := s.vlmc(ctx, "clone", "base", name); err != nil {
		return nil, err
	}
	e.close = func() error { return s.remove(context.WithoutCancel(ctx), name) }
	if st == snapshotted {
		if err := writeHalf(ctx, e.uri); err != nil {
			return nil, err
		}
		snap := name + "-snap"
		if err := s.vlmc(ctx, "snapshot", name, snap); err != nil {
			return nil, err
		}
		e.close = func() error {
			return s.remove(context.WithoutCancel(ctx), name, snap)
		}
	}
	return e, nil
}

// remove removes volumes with all that they stored.
func (s *archipelagoServer) remove(ctx context.Context, volumes ...string) (err error) {
	for _, v := range volumes {
		err = errors.Join(err, s.vlmc(ctx, "remove", v))
	}
	return errors.Join(err, s.purge.purge())
}

func (s *archipelagoServer) close() (err error) {
	if s.purge != nil {
		err = s.purge.close()
	}
	return errors.Join(err, s.node.stop())
}

// foreign is an NBD server of somebody else: a process per export.
type foreign struct {
	title string
	dir   *benchDir
	base  string                                                 // what clones are overlays of
	image map[state]func(ctx context.Context, path string) error // makes the image of a state
	argv  func(socket, image string) []string

	count  int
	images map[state]string // those that are made once
}

func (f *foreign) name() string { return f.title }

func (f *foreign) open(ctx context.Context, st state) (*export, error) {
	make := f.image[st]
	if make == nil {
		return nil, fmt.Errorf("%s has no such volume", f.title)
	}
	f.count++
	path := f.images[st]
	fresh := path == ""
	if fresh {
		path = filepath.Join(f.dir.path, fmt.Sprintf("%s-%d", strings.ReplaceAll(f.title, " ", "-"), f.count))
		if err := make(ctx, path); err != nil {
			return nil, err
		}
		if st == full {
			f.images[st] = path
		}
	}
	e, err := f.serve(ctx, path, fresh && st != full)
	if err == nil && st == clone {
		e.files = append(e.files, f.base)
	}
	return e, err
}

// serve starts the server and waits until it listens.
func (f *foreign) serve(ctx context.Context, image string, temporary bool) (*export, error) {
	socket := filepath.Join(f.dir.path, fmt.Sprintf("s%d-%s", f.count, f.title[:4]))
	argv := f.argv(socket, image)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	e := &export{
		uri:  "nbd+unix:///?socket=" + url.QueryEscape(socket),
		pids: []named{{f.title, cmd.Process.Pid}}, files: []string{image},
	}
	e.close = func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // however it says that it was told to end
		_ = os.Remove(socket)
		if temporary {
			return os.Remove(image)
		}
		return nil
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			return e, nil
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("%s doesn't listen at %s", f.title, socket), e.close())
		}
	}
}

func (f *foreign) close() error { return nil }

// newNbdkit is nbdkit's file plugin: a plain file, with as many threads as nbdkit takes by itself.
func newNbdkit(d *benchDir) *foreign {
	return &foreign{
		title: "nbdkit file", dir: d, images: map[state]string{},
		image: map[state]func(context.Context, string) error{
			full: func(ctx context.Context, path string) error { return run(ctx, "cp", "--sparse=never", d.raw, path) },
		},
		argv: func(socket, image string) []string {
			return []string{"nbdkit", "--foreground", "--exit-with-parent", "--unix", socket, "file", image}
		},
	}
}

// newQcow2 is qemu-nbd on a qcow2 image, or on a clone: an overlay on one. The cache for its tables
// is large enough for all of them, as QEMU's documentation advises.
func newQcow2(d *benchDir, aio string) *foreign {
	base := filepath.Join(d.path, "base.qcow2")
	return &foreign{
		title: "qemu-nbd qcow2", dir: d, base: base, images: map[state]string{},
		image: map[state]func(context.Context, string) error{
			full: func(ctx context.Context, path string) error {
				return run(ctx, "qemu-img", "convert", "-S", "0", "-O", "qcow2", d.raw, path)
			},
			clone: func(ctx context.Context, path string) error {
				if _, err := os.Stat(base); err != nil {
					if err := run(ctx, "qemu-img", "convert", "-S", "0", "-O", "qcow2", d.raw, base); err != nil {
						return err
					}
				}
				return run(ctx, "qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, path)
			},
		},
		argv: func(socket, image string) []string {
			return []string{"qemu-nbd", "--persistent", "--shared=16", "--socket=" + socket, "--cache=writeback",
				"--aio=" + aio, "--discard=unmap", "--image-opts",
				"driver=qcow2,l2-cache-size=4M,file.driver=file,file.filename=" + image}
		},
	}
}

// rivalVersions names the programs that are measured beside ours.
func rivalVersions(ctx context.Context) string {
	var names []string
	for _, tool := range []string{"fio", "qemu-nbd", "nbdkit"} {
		out, err := exec.CommandContext(ctx, tool, "--version").Output()
		if err != nil {
			continue
		}
		line, _, _ := strings.Cut(string(out), "\n")
		line, _, _ = strings.Cut(line, " (")
		names = append(names, line)
	}
	return strings.Join(names, ", ") + "."
}
