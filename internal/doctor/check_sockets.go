package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// maxSocket is the longest path of a Unix socket.
const maxSocket = 107

func checkSockets(e *env, f *found) {
	longest := filepath.Join(e.cfg.RuntimeDir, strconv.Itoa(e.cfg.SegmentPorts-1)+".sock")
	tooLong(f, longest, "RUNTIME_DIR")
	f.summary = fmt.Sprintf("paths of up to %d bytes", len(longest))
	for i := range e.cfg.Roles {
		r := &e.cfg.Roles[i]
		if r.Socket == "" {
			continue
		}
		tooLong(f, r.Socket, r.Name+": socket")
		e.checkListener(f, r.Name, r.Socket)
	}
}

func tooLong(f *found, path, key string) {
	if len(path) > maxSocket {
		f.problem(fmt.Sprintf("%s: the socket %s has %d bytes; %d are possible", key, path, len(path), maxSocket),
			"Choose a shorter directory.")
	}
}

// checkListener connects to a socket that clients use. Its end is all that the server sees.
func (e *env) checkListener(f *found, role, path string) {
	if e.seg == nil {
		return
	}
	c, err := net.Dial("unix", path)
	switch {
	case err == nil:
		c.Close()
	case errors.Is(err, fs.ErrNotExist):
		f.problem(fmt.Sprintf("%s: socket %s is missing: clients can't connect", role, path), "archipelago restart "+role)
	case errors.Is(err, os.ErrPermission):
		f.note(fmt.Sprintf("%s: you may not connect to %s", role, path), "Run this as a member of group "+account+".")
	default:
		f.problem(fmt.Sprintf("%s: socket %s: %v", role, path, err), "archipelago restart "+role)
	}
}
