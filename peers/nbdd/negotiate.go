package nbdd

import (
	"encoding/binary"
	"errors"
	"fmt"

	"archipelago/internal/nbd"
)

// maxOption is the longest option data that is looked at: a name of 4096 bytes and dozens of
// queries fit. What is longer is no NBD client.
const maxOption = 32 << 10

// errGo ends the negotiation: transmission begins.
var errGo = errors.New("begin transmission")

// negotiate leads the client to an export. nil: transmission begins.
func (c *conn) negotiate() error {
	if c.phase == phaseGreeting {
		if err := c.greet(); err != nil {
			return explain(err)
		}
	}
	for {
		err := c.option()
		if errors.Is(err, errGo) {
			c.phase = phaseTransmission
			c.patience(0)
			return nil
		}
		if err != nil {
			return explain(err)
		}
	}
}

// greet exchanges the flags of the handshake.
func (c *conn) greet() error {
	c.patience(c.srv.limits.Handshake)
	flags := nbd.FlagFixedNewstyle | nbd.FlagNoZeroes
	if !c.adopted {
		if _, err := c.sock.Write(nbd.AppendGreeting(nil, flags)); err != nil {
			return err
		}
	}
	b, err := c.in.need(4)
	if err != nil {
		return err
	}
	client := binary.BigEndian.Uint32(b)
	c.in.use(4)
	if client&^uint32(flags) != 0 {
		return fmt.Errorf("client set unknown handshake flags %#x", client)
	}
	c.noZeroes = client&uint32(nbd.FlagNoZeroes) != 0
	c.phase = phaseOptions
	return nil
}

// option reads and answers one option.
func (c *conn) option() error {
	c.patience(c.srv.limits.Handshake)
	opt, data, err := c.readOption()
	if err != nil {
		return err
	}
	switch opt {
	case nbd.OptExportName:
		return c.exportName(string(data))
	case nbd.OptAbort:
		// The client may be gone already: whether it gets the answer doesn't matter.
		_ = c.reply(opt, nbd.RepAck, nil)
		return errDone
	case nbd.OptList:
		return c.list(data)
	case nbd.OptInfo, nbd.OptGo:
		return c.infoOrGo(opt, data)
	case nbd.OptStructuredReply:
		return c.structuredReply(data)
	case nbd.OptListMetaContext, nbd.OptSetMetaContext:
		return c.metaContext(opt, data)
	case nbd.OptStartTLS:
		return c.refuse(opt, nbd.RepErrPolicy, "a Unix socket needs no TLS")
	}
	return c.refuse(opt, nbd.RepErrUnsup, "unknown option")
}

// readOption reads one option with its data. The data is valid until the next read.
func (c *conn) readOption() (nbd.Option, []byte, error) {
	b, err := c.in.need(nbd.OptionSize)
	if err != nil {
		return 0, nil, err
	}
	opt, n, err := nbd.DecodeOption(b)
	if err != nil {
		return 0, nil, err
	}
	if n > maxOption {
		return 0, nil, fmt.Errorf("option %d has %d bytes of data, at most %d are read", opt, n, maxOption)
	}
	// The head stays buffered until all is there: a successor may have to read it again.
	if b, err = c.in.need(nbd.OptionSize + int(n)); err != nil {
		return 0, nil, err
	}
	c.in.use(len(b))
	return opt, b[nbd.OptionSize:], nil
}

func (c *conn) reply(opt nbd.Option, typ nbd.Reply, data []byte) error {
	_, err := c.sock.Write(nbd.AppendOptReply(nil, opt, typ, data))
	return err
}

// refuse tells the client that an option failed, and why; the negotiation goes on.
func (c *conn) refuse(opt nbd.Option, typ nbd.Reply, why string) error {
	return c.reply(opt, typ, []byte(why[:min(len(why), nbd.MaxString)]))
}

func (c *conn) structuredReply(data []byte) error {
	if len(data) != 0 {
		return c.refuse(nbd.OptStructuredReply, nbd.RepErrInvalid, "this option takes no data")
	}
	c.structured = true
	return c.reply(nbd.OptStructuredReply, nbd.RepAck, nil)
}
