package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"archipelago/internal/nbd/client"
)

const imageBytes = 64 << 20

// tree is a real directory tree to fill the image with: sources of Go's standard library.
func tree(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "src", "net"), nil
}

// makeImage makes an ext4 image where mke2fs is there, else one that a tar archive fills.
func (d *demo) makeImage(ctx context.Context) error {
	tree, err := tree(ctx)
	if err != nil {
		return err
	}
	f, err := os.Create(d.image)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(imageBytes); err != nil {
		return err
	}
	for _, mke2fs := range []string{"mke2fs", "/sbin/mke2fs", "/usr/sbin/mke2fs"} {
		path, err := exec.LookPath(mke2fs)
		if err != nil {
			continue
		}
		fmt.Printf("   ext4, 64 MiB, filled from %s\n", tree)
		out, err := exec.CommandContext(ctx, path, "-q", "-F", "-t", "ext4", "-d", tree, d.image).CombinedOutput()
		if err != nil {
			return fmt.Errorf("mke2fs: %w: %s", err, out)
		}
		return nil
	}
	fmt.Printf("   no mke2fs here: a tar archive of %s in 64 MiB\n", tree)
	w := tar.NewWriter(f)
	if err := w.AddFS(os.DirFS(tree)); err != nil {
		return err
	}
	return w.Close()
}

func (d *demo) importImage(ctx context.Context) error {
	_, err := d.vlmc(ctx, "import", d.image, "debian")
	return err
}

func (d *demo) snapshot(ctx context.Context) error {
	out, err := d.vlmc(ctx, "snapshot", "debian", "debian-1")
	fmt.Print("   ", out)
	return err
}

func cloneName(i int) string { return fmt.Sprintf("web%03d", i) }

func (d *demo) clone(ctx context.Context) error {
	began := time.Now()
	for i := range clones {
		if _, err := d.vlmc(ctx, "clone", "debian-1", cloneName(i)); err != nil {
			return err
		}
	}
	each := time.Since(began) / clones
	fmt.Printf("   %.1f ms each, the start of the vlmc process included\n", float64(each.Microseconds())/1000)
	return nil
}

// write puts 64 blocks of 4 KiB into some clones, at places of each clone's own.
func (d *demo) write(ctx context.Context) error {
	d.stamps = map[string]int64{}
	began, writes := time.Now(), 0
	for i := range written {
		name, offset := cloneName(i*clones/written), int64(i+1)*7<<20
		d.stamps[name] = offset
		c, err := d.dial(ctx, name)
		if err != nil {
			return err
		}
		for k := range int64(64) {
			if err := c.WriteAt(ctx, pattern(name, k), offset+k*128<<10); err != nil {
				return fmt.Errorf("write to %s: %w", name, err)
			}
			writes++
		}
		if err := c.Flush(ctx); err != nil {
			return fmt.Errorf("flush %s: %w", name, err)
		}
		if err := c.Close(); err != nil {
			return err
		}
	}
	fmt.Printf("   %d first writes of 4 KiB, %d us each (a copy on write of 64 KiB in each), flushes included\n",
		writes, time.Since(began).Microseconds()/int64(writes))
	return nil
}

func (d *demo) dial(ctx context.Context, export string) (*client.Client, error) {
	c, err := client.Dial(ctx, "unix", d.socket, export, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("connect to export %s: %w", export, err)
	}
	return c, nil
}

// pattern is the content of the k-th block written to a clone.
func pattern(name string, k int64) []byte {
	line := fmt.Sprintf("%s wrote block %d\n", name, k)
	return []byte(strings.Repeat(line, 4096/len(line)+1)[:4096])
}

func (d *demo) proveSnapshot(ctx context.Context) error {
	want, err := sumFile(d.image)
	if err != nil {
		return err
	}
	got, err := d.sumExport(ctx, "debian-1")
	if err != nil {
		return err
	}
	fmt.Printf("   SHA-256 of the image    %x\n   SHA-256 of the snapshot %x\n", want[:8], got[:8])
	if !bytes.Equal(want, got) {
		return fmt.Errorf("the snapshot differs from the image")
	}
	return nil
}

// proveClones compares every clone, byte for byte by checksum, with the image and its own writes.
func (d *demo) proveClones(ctx context.Context) error {
	plain, err := sumFile(d.image)
	if err != nil {
		return err
	}
	for i := range clones {
		name, want := cloneName(i), plain
		if offset, ok := d.stamps[name]; ok {
			if want, err = sumPatched(d.image, name, offset); err != nil {
				return err
			}
		}
		got, err := d.sumExport(ctx, name)
		if err != nil {
			return err
		}
		if !bytes.Equal(want, got) {
			return fmt.Errorf("%s is not the image with its own writes", name)
		}
	}
	fmt.Printf("   %d clones: %d as imported, %d with their own writes and nobody else's\n", clones, clones-written, written)
	return nil
}

func sumFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return h.Sum(nil), err
}

// sumPatched is the checksum of the image with the writes of a clone.
func sumPatched(path, name string, offset int64) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for k := range int64(64) {
		copy(data[offset+k*128<<10:], pattern(name, k))
	}
	sum := sha256.Sum256(data)
	return sum[:], nil
}

// sumExport reads an export whole.
func (d *demo) sumExport(ctx context.Context, name string) ([]byte, error) {
	c, err := d.dial(ctx, name)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	h := sha256.New()
	buf := make([]byte, 4<<20)
	for off := int64(0); off < c.Size(); off += int64(len(buf)) {
		part := buf[:min(int64(len(buf)), c.Size()-off)]
		if err := c.ReadAt(ctx, part, off); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		h.Write(part)
	}
	return h.Sum(nil), nil
}

func (d *demo) look(ctx context.Context) error {
	status, err := d.command(ctx, "archipelago", "-d", d.dir, "status")
	if err != nil {
		return err
	}
	list, err := d.vlmc(ctx, "list")
	if err != nil {
		return err
	}
	names := strings.Fields(list)
	if len(names) != clones+2 {
		return fmt.Errorf("vlmc list shows %d names, not %d", len(names), clones+2)
	}
	fmt.Print(status)
	fmt.Printf("   vlmc list: %s … %s (%d volumes and snapshots)\n", strings.Join(names[:3], " "), names[len(names)-1], len(names))
	return nil
}
