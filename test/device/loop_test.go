package device

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"archipelago/internal/config"
	"archipelago/test/testnode"
)

// fuseNode starts a node that shows its volumes as files, and returns their directory.
func fuseNode(t *testing.T) (n *testnode.Node, volumes string) {
	t.Helper()
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		t.Skipf("FUSE can't be used: %v", err)
	} else {
		f.Close()
	}
	if _, err := exec.LookPath("fusermount3"); err != nil && os.Geteuid() != 0 {
		t.Skip("neither root nor fusermount3: nothing can be mounted")
	}
	n = testnode.StartWith(t, testnode.Options{Args: []string{"--fuse"}})
	return n, n.Config().ByType(config.TypeFuse).Mountpoint
}

// loopNode is fuseNode where loop devices can be made. What a failed test leaves mapped is unmapped.
func loopNode(t *testing.T) (n *testnode.Node, volumes string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may make loop devices")
	}
	f, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no loop devices: %v", err)
	}
	defer f.Close()
	if _, err := unix.IoctlRetInt(int(f.Fd()), unix.LOOP_CTL_GET_FREE); err != nil {
		t.Skipf("no loop devices: %v", err)
	}
	n, volumes = fuseNode(t)
	t.Cleanup(func() {
		for _, name := range strings.Fields(n.Vlmc("list")) {
			_ = exec.Command(testnode.Binary(t, "vlmc"), "-d", n.Dir, "unmap", "-f", name).Run() // most aren't mapped
		}
	})
	return n, volumes
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// refused runs vlmc, which must fail with a status and say why.
func refused(t *testing.T, n *testnode.Node, status int, says string, args ...string) {
	t.Helper()
	out, err := exec.Command(testnode.Binary(t, "vlmc"), append([]string{"-d", n.Dir}, args...)...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != status || !strings.Contains(string(out), says) {
		t.Errorf("vlmc %s: %v, want status %d and %q\n%s", strings.Join(args, " "), err, status, says, out)
	}
}

// TestLoop goes the way of a device: mapped, in use under a file system, resized, unmapped.
func TestLoop(t *testing.T) {
	n, _ := loopNode(t)
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		t.Skip("mkfs.ext4 is not installed")
	}
	n.Vlmc("create", "disk", "-s", "32")
	if got := n.Vlmc("showmapped"); got != "No volumes mapped\n\n" {
		t.Errorf("showmapped of nothing: %q", got)
	}
	dev := strings.TrimSpace(n.Vlmc("map", "--driver", "loop", "disk"))
	if again := strings.TrimSpace(n.Vlmc("map", "disk")); again != dev {
		t.Errorf("mapped at %s, then at %s", dev, again)
	}
	row := fmt.Sprintf("id\timage\t\tdevice\n%s\tdisk\t%s\n", strings.TrimPrefix(dev, "/dev/loop"), dev)
	if got := n.Vlmc("showmapped"); got != row {
		t.Errorf("showmapped: %q, want %q", got, row)
	}
	command(t, "mkfs.ext4", "-q", dev)
	mnt := filepath.Join(testnode.TempDir(t), "mnt")
	if err := os.Mkdir(mnt, 0o700); err != nil {
		t.Fatal(err)
	}
	command(t, "mount", dev, mnt)
	mounted := true
	defer func() {
		if mounted {
			_ = unix.Unmount(mnt, unix.MNT_DETACH)
		}
	}()
	refused(t, n, 12, "mounted at "+mnt, "unmap", "disk")
	refused(t, n, 12, "mapped on device "+dev, "remove", "disk")
	refused(t, n, 12, "mapped on device "+dev, "rename", "disk", "other")
	refused(t, n, 11, "for reading and writing", "map", "--read-only", "disk")

	data := bytes.Repeat([]byte("archipelago"), 100_000)
	if err := os.WriteFile(filepath.Join(mnt, "file"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	n.Vlmc("resize", "disk", "-s", "48")
	if got := strings.TrimSpace(command(t, "blockdev", "--getsize64", dev)); got != fmt.Sprint(48<<20) {
		t.Errorf("size of the device after the resize: %s", got)
	}
	command(t, "umount", mnt)
	mounted = false
	command(t, "e2fsck", "-fp", dev)
	command(t, "resize2fs", dev) // uses what was added
	n.Vlmc("unmap", dev)
	refused(t, n, 10, "not that of a mapped volume", "unmap", dev)

	n.Vlmc("snapshot", "disk", "still")
	dev = strings.TrimSpace(n.Vlmc("map", "still"))
	if ro := strings.TrimSpace(command(t, "blockdev", "--getro", dev)); ro != "1" {
		t.Errorf("a snapshot is mapped for writing")
	}
	command(t, "mount", "-o", "ro,noload", dev, mnt)
	got, err := os.ReadFile(filepath.Join(mnt, "file"))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("the file in the snapshot: %d bytes, %v", len(got), err)
	}
	command(t, "umount", mnt)
	n.Vlmc("unmap", "still")
}

// TestFileWhilePeersDie: a write to a file waits while vlmcd is started again, and is no error.
func TestFileWhilePeersDie(t *testing.T) {
	n, volumes := fuseNode(t)
	const size = 16 << 20
	n.Vlmc("create", "disk", "-s", "16")
	f, err := os.OpenFile(filepath.Join(volumes, "disk"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := make([]byte, size)
	for i, role := range []string{"vlmcd", "blockerb", "mapperd", ""} {
		if role != "" {
			kill(t, n, role)
		}
		part := bytes.Repeat([]byte{byte(i + 1)}, size/4)
		copy(want[i*size/4:], part)
		if _, err := f.WriteAt(part, int64(i*size/4)); err != nil {
			t.Errorf("write after %s was killed: %v", role, err)
		}
	}
	if err := f.Sync(); err != nil {
		t.Error(err)
	}
	if got := sha256.Sum256([]byte(n.Vlmc("export", "disk", "-"))); got != sha256.Sum256(want) {
		t.Error("the volume has other content")
	}
}

// TestFusedDies: its successor takes the stale mount away, and new files work.
func TestFusedDies(t *testing.T) {
	n, volumes := fuseNode(t)
	n.Vlmc("create", "disk", "-s", "16")
	pid := kill(t, n, "fused")
	await(t, n, "fused", pid)
	if err := os.WriteFile(filepath.Join(volumes, "none"), nil, 0o600); !errors.Is(err, syscall.EPERM) {
		t.Errorf("write of a new file: %v", err)
	}
	if st, err := os.Stat(filepath.Join(volumes, "disk")); err != nil || st.Size() != 16<<20 {
		t.Errorf("the volume after fused was killed: %v", err)
	}
}

// TestLoopAfterFusedDied: the device is lost; it can be unmapped, and mapped anew.
func TestLoopAfterFusedDied(t *testing.T) {
	n, _ := loopNode(t)
	n.Vlmc("create", "disk", "-s", "16")
	dev := strings.TrimSpace(n.Vlmc("map", "--driver", "loop", "disk"))
	await(t, n, "fused", kill(t, n, "fused"))
	refused(t, n, 12, "mapped on device "+dev, "remove", "disk")
	dev = strings.TrimSpace(n.Vlmc("map", "--driver", "loop", "disk"))
	if err := os.WriteFile(dev, bytes.Repeat([]byte{1}, 4096), 0o600); err != nil {
		t.Errorf("write to the device that was mapped anew: %v", err)
	}
	await(t, n, "fused", kill(t, n, "fused"))
	n.Vlmc("unmap", "disk")
	n.Vlmc("remove", "disk")
}

// TestMountOfKilledNode: a node whose predecessor was killed with its volumes mounted starts and
// stops cleanly, also without the role that would take the mount away.
func TestMountOfKilledNode(t *testing.T) {
	n, volumes := fuseNode(t)
	dir := n.Dir
	n.KillAll()
	// The first one says that the kernel is still taking the connection down.
	_, err := os.Stat(filepath.Join(volumes, "disk"))
	if !errors.Is(err, syscall.ECONNABORTED) && !errors.Is(err, syscall.ENOTCONN) {
		t.Fatalf("the mount of the killed node: %v", err)
	}
	second := testnode.StartWith(t, testnode.Options{Dir: dir})
	second.Stop()
	if _, err := os.Lstat(volumes); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the stop of the second node: %v", err)
	}
}
