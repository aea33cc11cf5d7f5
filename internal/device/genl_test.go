package device

import (
	"bytes"
	"errors"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRequest holds the bytes of a message that the kernel is known to take.
func TestRequest(t *testing.T) {
	got := request(0x1c, nbdReconfigure, 7, attrs{}.u32(nbdIndex, 3).nested(nbdSockets,
		attrs{}.nested(nbdSocketItem, attrs{}.u32(nbdSocketFD, 9))).text(nbdBackend, "ab"))
	want := []byte{
		52, 0, 0, 0, 0x1c, 0, 5, 0, 7, 0, 0, 0, 0, 0, 0, 0, // length, family, REQUEST|ACK, number, port
		3, 1, 0, 0, // command, version
		8, 0, 1, 0, 3, 0, 0, 0, // index
		16, 0, 7, 0x80, 12, 0, 1, 0x80, 8, 0, 1, 0, 9, 0, 0, 0, // sockets
		7, 0, 10, 0, 'a', 'b', 0, 0, // backend, padded
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestMessages(t *testing.T) {
	ack := []byte{20, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0xea, 0xff, 0xff, 0xff}
	dead := request(0x1c, nbdLinkDead, 0, attrs{}.u32(nbdIndex, 4))
	got, err := messages(append(bytes.Clone(ack), dead...))
	if err != nil || len(got) != 2 {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	if got[0].seq != 5 || got[0].errno != syscall.EINVAL {
		t.Errorf("acknowledgement: %+v", got[0])
	}
	if index, ok := got[1].u32(nbdIndex); !ok || index != 4 || got[1].command != nbdLinkDead {
		t.Errorf("command: %+v", got[1])
	}
	for n := 1; n < len(dead); n++ {
		if n == len(ack) {
			continue
		}
		if _, err := messages(dead[:n]); !errors.Is(err, errMessage) {
			t.Errorf("cut off after %d bytes: %v", n, err)
		}
	}
}

// FuzzMessages: whatever comes, it is read or refused.
func FuzzMessages(f *testing.F) {
	f.Add(request(0x1c, nbdConnect, 1, attrs{}.u64(nbdSizeBytes, 1<<20).text(nbdBackend, "x")))
	f.Add([]byte{20, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0xea, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := messages(b)
		if err != nil && !errors.Is(err, errMessage) {
			t.Error(err)
		}
		for i := range got {
			got[i].u32(nbdIndex)
		}
	})
}

// TestFamily asks the real kernel for a family that every kernel has, and for one that none has.
func TestFamily(t *testing.T) {
	n, err := dialNetlink("nlctrl")
	if err != nil {
		t.Skipf("no generic netlink here: %v", err)
	}
	defer n.close()
	if n.family != typeControl {
		t.Errorf("the controller is family %#x", n.family)
	}
	if _, ok := n.groups["notify"]; !ok {
		t.Errorf("groups of the controller: %v", n.groups)
	}
	if _, err := dialNetlink("none-such"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a family that isn't there: %v", err)
	}
	if os.Geteuid() == 0 {
		if err := n.join("notify"); err != nil {
			t.Errorf("join a group: %v", err)
		}
	}
}
