package transport

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// What peers note in files that outlive them, in one directory.
//
//	ledger      per volume and client the newest life of the client of which a write has landed
//	journal.N   of client N: what became of each of its requests
//	failures    a line for everything that should not have happened
const (
	nrClients = 8
	nrRoutes  = 2 // servers that a client talks to
	volumes   = 4 // per server
)

// mapFile maps a file of n bytes; it is made if it isn't there.
func mapFile(path string, n int) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(int64(n)); err != nil {
		return nil, err
	}
	return syscall.Mmap(int(f.Fd()), 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
}

// fail notes a failure. The line appears whole, whoever else writes.
func fail(dir, format string, args ...any) {
	f, err := os.OpenFile(filepath.Join(dir, "failures"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	fmt.Fprintf(f, "pid %d: %s\n", os.Getpid(), fmt.Sprintf(format, args...))
}

// failures returns what was noted.
func failures(dir string) string {
	b, _ := os.ReadFile(filepath.Join(dir, "failures"))
	return string(b)
}

// ledger finds ghosts: a client's restart is a new life, and its first request on a volume comes
// only after every write of earlier lives there has ended or was dropped. All volumes of a route
// end at one leaf, so that one process writes to a row at a time.
type ledger struct {
	dir string
	mu  sync.Mutex
	mem []byte
}

func openLedger(dir string) (*ledger, error) {
	mem, err := mapFile(filepath.Join(dir, "ledger"), 256*volumes*nrClients*8)
	return &ledger{dir: dir, mem: mem}, err
}

// land notes that a write has taken effect.
func (l *ledger) land(port, volume uint8, client, life uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := ((int(port)*volumes+int(volume))*nrClients + int(client)) * 8
	newest := binary.LittleEndian.Uint64(l.mem[at:])
	if newest > uint64(life) {
		fail(l.dir, "ghost: client %d wrote to volume %d of port %d in life %d, after it did in life %d",
			client, volume, port, life, newest)
	}
	binary.LittleEndian.PutUint64(l.mem[at:], max(newest, uint64(life)))
}

// Fates of a request.
const (
	begun   = 1
	ended   = 2
	givenUp = 3
	doubled = 4
	wrong   = 5
)

// journal is one client's; of its processes one lives at a time. The head has the number of its
// next request, and per route how many have ended; then, per route, when the last of them did; then
// a byte for the fate of each request.
type journal struct {
	client int
	mem    []byte
}

const (
	journalEnds  = 1024 // per route
	journalTimes = 64
	journalHead  = journalTimes + nrRoutes*journalEnds*8
	journalSize  = journalHead + 32<<20 // sparse
)

func openJournal(dir string, client int) (*journal, error) {
	mem, err := mapFile(filepath.Join(dir, fmt.Sprint("journal.", client)), journalSize)
	return &journal{client: client, mem: mem}, err
}

func (j *journal) next() uint64 { return binary.LittleEndian.Uint64(j.mem) }

// begin gives a request its number. On the client's loop, or under its lock.
func (j *journal) begin() uint64 {
	id := j.next()
	binary.LittleEndian.PutUint64(j.mem, id+1)
	j.set(id, begun)
	return id
}

func (j *journal) set(id uint64, fate byte)  { j.mem[journalHead+id] = fate }
func (j *journal) fate(id uint64) byte       { return j.mem[journalHead+id] }
func (j *journal) progress(route int) uint64 { return binary.LittleEndian.Uint64(j.mem[8+8*route:]) }

// end notes how a request ended; false if it had ended before.
func (j *journal) end(route int, id uint64, fate byte) bool {
	n := j.progress(route)
	binary.LittleEndian.PutUint64(j.time(route, n), uint64(monotonic()))
	binary.LittleEndian.PutUint64(j.mem[8+8*route:], n+1)
	if j.fate(id) != begun {
		j.set(id, doubled)
		return false
	}
	j.set(id, fate)
	return true
}

// time is where the time of the n-th end of a route is.
func (j *journal) time(route int, n uint64) []byte {
	return j.mem[journalTimes+(uint64(route)*journalEnds+n%journalEnds)*8:]
}

// firstEnd returns the time of the first request of a route that ended after since.
func (j *journal) firstEnd(route int, since int64) (at int64, ok bool) {
	n := j.progress(route)
	for i := n - min(n, journalEnds/2); i < n; i++ {
		if at := int64(binary.LittleEndian.Uint64(j.time(route, i))); at > since {
			return at, true
		}
	}
	return 0, false
}

// check looks at the requests of one life, from begin to limit; survived says whether it ended in
// order, so that each of them must have ended.
func (j *journal) check(from, limit uint64, survived bool) error {
	for id := from; id < limit; id++ {
		switch f := j.fate(id); {
		case f == ended || f == givenUp || f == begun && !survived:
		default:
			return fmt.Errorf("client %d: request %d of %d-%d has fate %d", j.client, id, from, limit, f)
		}
	}
	return nil
}
