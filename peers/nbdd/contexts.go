package nbdd

import (
	"archipelago/internal/nbd"
)

// metaContexts are the metadata contexts that the server knows. The id of one during transmission
// is its index + 1.
var metaContexts = [...]struct {
	space, name string
	// state is what the context says of an extent.
	state func(Extent) uint32
}{
	{nbd.ContextBase, nbd.ContextAllocation, allocation},
	{nbd.ContextArchipelago, nbd.ContextDepth, func(x Extent) uint32 { return x.Depth }},
}

// allocation is base:allocation: what is nowhere is a hole that reads as zeros.
func allocation(x Extent) uint32 {
	if x.Depth == 0 {
		return nbd.StateHole | nbd.StateZero
	}
	return 0
}

// contextSet has bit i for metaContexts[i].
type contextSet uint8

func (s contextSet) has(i int) bool { return s>>i&1 != 0 }

// metaContext lists or selects metadata contexts.
func (c *conn) metaContext(opt nbd.Option, data []byte) error {
	set := opt == nbd.OptSetMetaContext
	if set {
		c.contexts = 0 // also when the option fails
	}
	if !c.structured {
		return c.refuse(opt, nbd.RepErrInvalid, "negotiate structured replies first")
	}
	export, queries, err := nbd.ParseMetaRequest(data)
	if err != nil {
		return c.refuse(opt, nbd.RepErrInvalid, err.Error())
	}
	ctx, cancel := c.limited()
	defer cancel()
	if _, err := c.srv.backend.Info(ctx, export); err != nil {
		return c.refuse(opt, nbd.RepErrUnknown, err.Error())
	}
	asked := queried(queries, set)
	if set {
		c.contexts, c.metaExport = asked, export
	}
	return c.sendContexts(opt, asked, set)
}

func (c *conn) sendContexts(opt nbd.Option, asked contextSet, set bool) error {
	var b []byte
	for i, m := range metaContexts {
		id := uint32(0) // in a list it means nothing
		if set {
			id = uint32(i + 1)
		}
		if asked.has(i) {
			b = nbd.AppendOptReply(b, opt, nbd.RepMetaContext, nbd.AppendMetaContext(nil, id, m.name))
		}
	}
	_, err := c.sock.Write(nbd.AppendOptReply(b, opt, nbd.RepAck, nil))
	return err
}

// queried returns the contexts that queries name. In a list no query means all, and a name space
// alone means all of it.
func queried(queries []string, set bool) (asked contextSet) {
	for i, m := range metaContexts {
		all := !set && len(queries) == 0
		for _, q := range queries {
			all = all || q == m.name || !set && q == m.space
		}
		if all {
			asked |= 1 << i
		}
	}
	return asked
}
