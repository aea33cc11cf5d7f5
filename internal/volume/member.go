package volume

import (
	"encoding/binary"
	"fmt"

	"archipelago/peers/mapper"
	"archipelago/peers/mapper/remote"
)

// MemberBytes is the size of the inline payload of a SNAPSHOT that belongs to a group, at vlmcd:
// the group args of the mapper and, behind them, the token of the freeze. Part of the layout: do
// not change.
//
//	offset  size  field
//	0       24    struct xseg_group_args
//	24      8     token; 0 = freeze, and answer one in `serviced`
//
// Without a snapshot's name it is about the freeze alone: with no token it begins one, with a token
// it ends that one.
const MemberBytes = remote.GroupArgsBytes + 8

// MemberArgs say which group of snapshots a request to vlmcd belongs to, under which freeze.
type MemberArgs struct {
	remote.GroupArgs
	Token uint64
}

// PutMemberArgs encodes a into b, which has at least MemberBytes.
func PutMemberArgs(b []byte, a MemberArgs) {
	remote.PutGroupArgs(b, a.GroupArgs)
	binary.LittleEndian.PutUint64(b[remote.GroupArgsBytes:], a.Token)
}

// ParseMemberArgs decodes what PutMemberArgs made. No bytes at all: the zero value, which is a
// snapshot by itself. A member of a group says of how many.
func ParseMemberArgs(b []byte) (MemberArgs, error) {
	if len(b) == 0 {
		return MemberArgs{}, nil
	}
	if len(b) < MemberBytes {
		return MemberArgs{}, fmt.Errorf("group of a snapshot in %d bytes: %w", len(b), mapper.ErrArgument)
	}
	group, err := remote.ParseGroupArgs(b)
	if err == nil && (group.Members == 0 || group.Group == [16]byte{}) {
		err = fmt.Errorf("group of %d members: %w", group.Members, mapper.ErrArgument)
	}
	if err != nil {
		return MemberArgs{}, err
	}
	return MemberArgs{group, binary.LittleEndian.Uint64(b[remote.GroupArgsBytes:])}, nil
}
