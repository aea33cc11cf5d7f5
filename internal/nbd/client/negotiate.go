package client

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"archipelago/internal/nbd"
)

// OptionError is a server's refusal of an option.
type OptionError struct {
	Option  nbd.Option
	Reply   nbd.Reply
	Message string // the server's; may be empty
}

func (e *OptionError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("option %d refused: reply %#x", e.Option, uint32(e.Reply))
	}
	return fmt.Sprintf("option %d refused: %s", e.Option, e.Message)
}

// maxReply bounds what a server may answer to an option.
const maxReply = 64 << 10

// negotiation is the first phase of a session.
type negotiation struct {
	conn net.Conn
	in   *bufio.Reader
}

// greet exchanges magic numbers and flags.
func (n negotiation) greet() error {
	b := make([]byte, nbd.GreetingSize)
	if _, err := io.ReadFull(n.in, b); err != nil {
		return err
	}
	flags, err := nbd.DecodeGreeting(b)
	if err != nil {
		return err
	}
	if flags&nbd.FlagFixedNewstyle == 0 {
		return fmt.Errorf("%w: it doesn't speak fixed newstyle", ErrProtocol)
	}
	flags &= nbd.FlagFixedNewstyle | nbd.FlagNoZeroes
	_, err = n.conn.Write(binary.BigEndian.AppendUint32(nil, uint32(flags)))
	return err
}

// option sends an option and calls each (may be nil) for every reply before the last one.
func (n negotiation) option(opt nbd.Option, data []byte, each func(typ nbd.Reply, data []byte) error) error {
	if _, err := n.conn.Write(nbd.AppendOption(nil, opt, data)); err != nil {
		return err
	}
	for {
		typ, data, err := n.reply(opt)
		switch {
		case err != nil:
			return err
		case typ == nbd.RepAck:
			return nil
		case typ.IsError():
			return &OptionError{opt, typ, string(data)}
		case each == nil:
			return fmt.Errorf("%w: reply %d to option %d", ErrProtocol, typ, opt)
		}
		if err := each(typ, data); err != nil {
			return err
		}
	}
}

func (n negotiation) reply(opt nbd.Option) (nbd.Reply, []byte, error) {
	head := make([]byte, nbd.OptReplySize)
	if _, err := io.ReadFull(n.in, head); err != nil {
		return 0, nil, err
	}
	to, typ, size, err := nbd.DecodeOptReply(head)
	if err != nil {
		return 0, nil, err
	}
	if to != opt || size > maxReply {
		return 0, nil, fmt.Errorf("%w: reply of %d bytes to option %d, asked was %d", ErrProtocol, size, to, opt)
	}
	data := make([]byte, size)
	_, err = io.ReadFull(n.in, data)
	return typ, data, err
}

// enter negotiates what a session needs and begins transmission. structured, meta: what the server
// agreed to.
func (n negotiation) enter(export string, simple bool) (info nbd.Export, structured, meta bool, err error) {
	if err := n.greet(); err != nil {
		return info, false, false, err
	}
	if !simple {
		if structured, err = n.agreed(n.option(nbd.OptStructuredReply, nil, nil)); err != nil {
			return info, false, false, err
		}
	}
	if structured {
		meta, err = n.selectAllocation(export)
		if err != nil {
			return info, false, false, err
		}
	}
	known := false
	err = n.option(nbd.OptGo, nbd.AppendInfoRequest(nil, export, nbd.InfoBlockSize), func(typ nbd.Reply, data []byte) error {
		known = true
		return info.Learn(data)
	})
	if err == nil && !known {
		err = fmt.Errorf("%w: it tells nothing of the export", ErrProtocol)
	}
	return info, structured, meta, err
}

// selectAllocation asks for base:allocation.
func (n negotiation) selectAllocation(export string) (bool, error) {
	selected := false
	data := nbd.AppendMetaRequest(nil, export, nbd.ContextAllocation)
	_, err := n.agreed(n.option(nbd.OptSetMetaContext, data, func(_ nbd.Reply, data []byte) error {
		_, name, err := nbd.ParseMetaContext(data)
		selected = selected || name == nbd.ContextAllocation
		return err
	}))
	return selected, err
}

// agreed turns a refusal into false: the session does without.
func (n negotiation) agreed(err error) (bool, error) {
	var refused *OptionError
	if errors.As(err, &refused) {
		return false, nil
	}
	return err == nil, err
}

// List returns the names of the exports of a server.
func List(network, address string) ([]string, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	n := negotiation{conn, bufio.NewReader(conn)}
	if err := n.greet(); err != nil {
		return nil, err
	}
	var names []string
	err = n.option(nbd.OptList, nil, func(_ nbd.Reply, data []byte) error {
		name, err := nbd.ParseServer(data)
		names = append(names, name)
		return err
	})
	if err == nil {
		// The server closes its end either way.
		_, err = conn.Write(nbd.AppendOption(nil, nbd.OptAbort, nil))
	}
	return slices.Clip(names), err
}
