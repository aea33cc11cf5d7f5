package nbdd

import (
	"context"

	"archipelago/internal/nbd"
)

// preferredBlock is the unit of the store's page cache: smaller writes read first.
const preferredBlock = 4096

// describe says what the client learns of an export.
func (c *conn) describe(i Info) nbd.Export {
	flags := nbd.FlagHasFlags | nbd.FlagSendFlush | nbd.FlagSendFUA | nbd.FlagCanMultiConn | nbd.FlagSendCache
	if c.structured {
		flags |= nbd.FlagSendDF
	}
	if i.ReadOnly {
		flags |= nbd.FlagReadOnly
	} else {
		flags |= nbd.FlagSendTrim | nbd.FlagSendWriteZeroes | nbd.FlagSendFastZero
	}
	return nbd.Export{
		Size: i.Size, Flags: flags,
		MinBlock: max(1, i.MinBlock), PreferredBlock: max(preferredBlock, i.MinBlock), MaxBlock: nbd.MaxPayload,
	}
}

// open opens an export for this connection.
func (c *conn) open(ctx context.Context, name string) (Info, error) {
	e, err := c.srv.backend.Open(ctx, name)
	if err != nil {
		return Info{}, err
	}
	c.export, c.info = e, e.Info()
	if c.metaExport != name {
		c.contexts = 0
	}
	c.log = c.log.With("volume", name)
	return c.info, nil
}

// limited is the context of what the backend does during the negotiation.
func (c *conn) limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.ctx, c.srv.limits.Handshake)
}

// exportName begins transmission in the old way, which has no room for an error.
func (c *conn) exportName(name string) error {
	ctx, cancel := c.limited()
	defer cancel()
	info, err := c.open(ctx, name)
	if err != nil {
		c.log.Info("NBD export refused", "volume", name, "error", err)
		return errDone
	}
	if _, err := c.sock.Write(c.describe(info).AppendExportReply(nil, !c.noZeroes)); err != nil {
		return err
	}
	return errGo
}

// infoOrGo describes an export, and begins transmission if the option is OptGo.
func (c *conn) infoOrGo(opt nbd.Option, data []byte) error {
	name, infos, err := nbd.ParseInfoRequest(data)
	if err != nil {
		return c.refuse(opt, nbd.RepErrInvalid, err.Error())
	}
	// Read before the backend is asked: infos lies in the buffer that the next read overwrites.
	wantName := nbd.AsksFor(infos, nbd.InfoName)
	ctx, cancel := c.limited()
	defer cancel()
	ask := c.srv.backend.Info
	if opt == nbd.OptGo {
		ask = c.open
	}
	info, err := ask(ctx, name)
	if err != nil {
		c.log.Info("NBD export refused", "volume", name, "error", err)
		return c.refuse(opt, nbd.RepErrUnknown, err.Error())
	}
	if err := c.sendInfo(opt, info, wantName); err != nil || opt != nbd.OptGo {
		return err
	}
	return errGo
}

// sendInfo sends all that is known of an export, and the acknowledgement, in one go.
func (c *conn) sendInfo(opt nbd.Option, info Info, withName bool) error {
	e := c.describe(info)
	b := nbd.AppendOptReply(nil, opt, nbd.RepInfo, e.AppendExport(nil))
	b = nbd.AppendOptReply(b, opt, nbd.RepInfo, e.AppendBlockSize(nil))
	if withName {
		b = nbd.AppendOptReply(b, opt, nbd.RepInfo, nbd.AppendName(nil, info.Name))
	}
	_, err := c.sock.Write(nbd.AppendOptReply(b, opt, nbd.RepAck, nil))
	return err
}

// list sends the names of all exports, some thousands per system call.
func (c *conn) list(data []byte) error {
	if len(data) != 0 {
		return c.refuse(nbd.OptList, nbd.RepErrInvalid, "this option takes no data")
	}
	ctx, cancel := c.limited()
	defer cancel()
	var b []byte
	var broken error
	err := c.srv.backend.List(ctx, func(name string) error {
		b = nbd.AppendOptReply(b, nbd.OptList, nbd.RepServer, nbd.AppendString(nil, name))
		if len(b) >= inputBytes {
			_, broken = c.sock.Write(b)
			b = b[:0]
		}
		return broken
	})
	if broken != nil {
		return broken
	}
	if err != nil {
		c.log.Warn("NBD exports cannot be listed", "error", err)
		why := err.Error()
		b = nbd.AppendOptReply(b, nbd.OptList, nbd.RepErrPlatform, []byte(why[:min(len(why), nbd.MaxString)]))
	} else {
		b = nbd.AppendOptReply(b, nbd.OptList, nbd.RepAck, nil)
	}
	_, err = c.sock.Write(b)
	return err
}
