package mapfmt

import "fmt"

// LockMode says how a lock is held. Part of the format: do not change.
type LockMode uint16

// How a lock is held.
const (
	LockReleased  LockMode = 0 // the newest generation says that nobody owns it
	LockImplicit  LockMode = 1 // taken by the first I/O
	LockShared    LockMode = 2 // by an open that lets other nodes read
	LockExclusive LockMode = 3 // by an open

	lockModes = 4
)

func (m LockMode) String() string {
	if m < lockModes {
		return [lockModes]string{"released", "implicit", "shared", "exclusive"}[m]
	}
	return fmt.Sprintf("mode %d", uint16(m))
}

// LockContent is the content of one generation of a lock: who owns it.
type LockContent struct {
	Node        string   // configured name of the node
	MachineID   [16]byte // of the node
	Incarnation [16]byte // nonce of the node, made once per boot and store
	Mode        LockMode
	Taken       int64  // seconds since 1970 UTC; for people only
	Address     string // of the owner at the storage, for fencing; "" where there is none
}

// lockAddressMax: a RADOS address vector of IPv6 addresses with nonces has about 120 bytes.
const lockAddressMax = 512

// EncodeLock returns the content of a generation. Its body: machine-id 16 bytes, incarnation 16
// bytes, taken i64, mode u16, node_size u16, address_size u16, reserved u16, node, address.
func EncodeLock(l *LockContent) ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", kindLock.what, err)
	}
	b := beginFrame(kindLock, 48+len(l.Node)+len(l.Address))
	b = append(b, l.MachineID[:]...)
	b = append(b, l.Incarnation[:]...)
	b = appendU64(b, uint64(l.Taken))
	b = appendU16(b, uint16(l.Mode))
	b = appendU16(b, uint16(len(l.Node)))
	b = appendU16(b, uint16(len(l.Address)))
	b = appendU16(b, 0)
	b = append(b, l.Node...)
	return endFrame(append(b, l.Address...)), nil
}

// DecodeLock reads the content of a generation.
func DecodeLock(data []byte) (*LockContent, error) {
	d, err := openWhole(kindLock, data)
	if err != nil {
		return nil, err
	}
	l := &LockContent{
		MachineID: d.id(), Incarnation: d.id(), Taken: int64(d.u64()), Mode: LockMode(d.u16()),
	}
	node, address := int(d.u16()), int(d.u16())
	d.zeros(2)
	l.Node, l.Address = d.str(node), d.str(address)
	if err := d.end(); err != nil {
		return nil, err
	}
	if err := l.check(); err != nil {
		return nil, corruptf(d.what, "%v", err)
	}
	return l, nil
}

func (l *LockContent) check() error {
	if l.Mode >= lockModes {
		return argumentf("content", "unknown mode %d", uint16(l.Mode))
	}
	if len(l.Address) > lockAddressMax {
		return argumentf("content", "address of %d bytes", len(l.Address))
	}
	return CheckNodeName(l.Node)
}
