package remote

import (
	"fmt"

	"archipelago/peers/mapper"
)

// Sizes of the payloads of groups, usage and differences. Part of the layout: do not change.
const (
	GroupArgsBytes = 24
	UsageBytes     = 64
	RangeBytes     = 24
	DiffNextBytes  = 16
)

// MaxMembers is how many snapshots a group has at most.
const MaxMembers = 4096

// GroupArgs say which group a snapshot belongs to; the zero value: to none.
type GroupArgs struct {
	Group   [16]byte
	Members int
}

// PutGroupArgs encodes a into b, which has at least GroupArgsBytes.
func PutGroupArgs(b []byte, a GroupArgs) {
	b = b[:GroupArgsBytes]
	clear(b)
	copy(b, a.Group[:])
	le.PutUint32(b[16:], uint32(a.Members))
}

// ParseGroupArgs decodes what PutGroupArgs made.
func ParseGroupArgs(b []byte) (GroupArgs, error) {
	if len(b) < GroupArgsBytes {
		return GroupArgs{}, fmt.Errorf("group arguments of %d bytes: %w", len(b), mapper.ErrArgument)
	}
	n := le.Uint32(b[16:])
	if n > MaxMembers {
		return GroupArgs{}, fmt.Errorf("group of %d members: %w", n, mapper.ErrArgument)
	}
	return GroupArgs{[16]byte(b), int(n)}, nil
}

// PutUsage encodes u into b, which has at least UsageBytes.
func PutUsage(b []byte, u mapper.Usage) {
	b = b[:UsageBytes]
	clear(b)
	for i, n := range [...]int64{u.Allocated, u.Exclusive, u.Shared, u.Objects} {
		le.PutUint64(b[i*8:], uint64(n))
	}
}

// Usage decodes what PutUsage made.
func Usage(b []byte) (mapper.Usage, error) {
	if len(b) < UsageBytes {
		return mapper.Usage{}, fmt.Errorf("usage of %d bytes: %w", len(b), mapper.ErrArgument)
	}
	n := func(at int) int64 { return int64(le.Uint64(b[at:])) }
	return mapper.Usage{Allocated: n(0), Exclusive: n(8), Shared: n(16), Objects: n(24)}, nil
}

// PutRange encodes r into b, which has at least RangeBytes.
func PutRange(b []byte, r mapper.Range) {
	le.PutUint64(b[0:], uint64(r.Offset))
	le.PutUint64(b[8:], uint64(r.Length))
	le.PutUint32(b[16:], uint32(r.Kind))
	le.PutUint32(b[20:], 0)
}

// Range decodes what PutRange made.
func Range(b []byte) (mapper.Range, error) {
	if len(b) < RangeBytes {
		return mapper.Range{}, fmt.Errorf("range in %d bytes: %w", len(b), mapper.ErrArgument)
	}
	r := mapper.Range{
		Offset: int64(le.Uint64(b[0:])), Length: int64(le.Uint64(b[8:])),
		Kind: mapper.RangeKind(le.Uint32(b[16:])),
	}
	if r.Offset < 0 || r.Length <= 0 || r.Offset+r.Length < 0 || r.Kind > mapper.RangeZero {
		return mapper.Range{}, fmt.Errorf("range %+v: %w", r, mapper.ErrArgument)
	}
	return r, nil
}

// PutDiffNext encodes where DIFF goes on into b, which has at least DiffNextBytes.
func PutDiffNext(b []byte, index int64, more bool) {
	b = b[:DiffNextBytes]
	clear(b)
	le.PutUint64(b, uint64(index))
	if more {
		b[8] = 1
	}
}

// DiffNext decodes what PutDiffNext made.
func DiffNext(b []byte) (index int64, more bool, err error) {
	if len(b) < DiffNextBytes || int64(le.Uint64(b)) < 0 {
		return 0, false, fmt.Errorf("end of differences of %d bytes: %w", len(b), mapper.ErrArgument)
	}
	return int64(le.Uint64(b)), le.Uint32(b[8:]) != 0, nil
}
