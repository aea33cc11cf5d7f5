package mapfmt

import "fmt"

// LeaseBytes is the size of a lease, always: it is overwritten in place, and one sector is
// written whole or not at all. Part of the format: do not change.
const LeaseBytes = 512

// Lease is the content of the lease of a node. Observers time the change of Counter.
type Lease struct {
	Node        string
	Incarnation [16]byte
	Counter     uint64 // raised by each renewal
}

// leasePadding fills the frame up to LeaseBytes.
const leasePadding = LeaseBytes - frameMin - 32 - NodeNameMax

// EncodeLease returns the content of a lease. Its body: incarnation 16 bytes, counter u64,
// node_size u16, reserved 6 bytes, node (padded with zeros to NodeNameMax), reserved.
func EncodeLease(l *Lease) ([]byte, error) {
	if err := CheckNodeName(l.Node); err != nil {
		return nil, fmt.Errorf("%s: %w", kindLease.what, err)
	}
	b := beginFrame(kindLease, LeaseBytes)
	b = append(b, l.Incarnation[:]...)
	b = appendU64(b, l.Counter)
	b = appendU16(b, uint16(len(l.Node)))
	b = appendZeros(b, 6)
	b = append(b, l.Node...)
	return endFrame(appendZeros(b, NodeNameMax-len(l.Node)+leasePadding)), nil
}

// DecodeLease reads the content of a lease.
func DecodeLease(data []byte) (*Lease, error) {
	d, err := openWhole(kindLease, data)
	if err != nil {
		return nil, err
	}
	l := &Lease{Incarnation: d.id(), Counter: d.u64()}
	node := int(d.u16())
	d.zeros(6)
	l.Node = d.str(node)
	d.zeros(len(d.rest))
	if err := d.end(); err != nil {
		return nil, err
	}
	if len(data) != LeaseBytes {
		return nil, corruptf(d.what, "%d bytes, not %d", len(data), LeaseBytes)
	}
	if err := CheckNodeName(l.Node); err != nil {
		return nil, corruptf(d.what, "%v", err)
	}
	return l, nil
}
