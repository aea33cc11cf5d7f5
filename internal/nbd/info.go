package nbd

import "fmt"

// Export is what a client learns of an export.
type Export struct {
	Size  uint64 // bytes
	Flags uint16 // transmission flags
	// Block sizes in bytes; 0 = not said. MaxBlock is the longest payload.
	MinBlock, PreferredBlock, MaxBlock uint32
}

// AppendExport appends the data of an InfoExport reply: type u16, size u64, flags u16.
func (e Export) AppendExport(b []byte) []byte {
	b = be.AppendUint64(be.AppendUint16(b, InfoExport), e.Size)
	return be.AppendUint16(b, e.Flags)
}

// AppendBlockSize appends the data of an InfoBlockSize reply: type u16, three sizes u32.
func (e Export) AppendBlockSize(b []byte) []byte {
	b = be.AppendUint32(be.AppendUint16(b, InfoBlockSize), e.MinBlock)
	return be.AppendUint32(be.AppendUint32(b, e.PreferredBlock), e.MaxBlock)
}

// AppendName appends the data of an InfoName reply: type u16, name.
func AppendName(b []byte, name string) []byte {
	return append(be.AppendUint16(b, InfoName), name...)
}

// AppendExportReply appends the reply to OptExportName: size u64, flags u16, and zeros unless both
// sides do without.
func (e Export) AppendExportReply(b []byte, zeroes bool) []byte {
	b = be.AppendUint16(be.AppendUint64(b, e.Size), e.Flags)
	if zeroes {
		b = append(b, make([]byte, ExportZeroesSize)...)
	}
	return b
}

// Learn reads the data of a RepInfo reply into e; types that it doesn't know are ignored.
func (e *Export) Learn(data []byte) error {
	if len(data) < 2 {
		return fmt.Errorf("%w: info of %d bytes", ErrOption, len(data))
	}
	switch typ := be.Uint16(data); {
	case typ == InfoExport && len(data) == 12:
		e.Size, e.Flags = be.Uint64(data[2:]), be.Uint16(data[10:])
	case typ == InfoBlockSize && len(data) == 14:
		e.MinBlock, e.PreferredBlock, e.MaxBlock = be.Uint32(data[2:]), be.Uint32(data[6:]), be.Uint32(data[10:])
	case typ == InfoExport || typ == InfoBlockSize:
		return fmt.Errorf("%w: info %d of %d bytes", ErrOption, typ, len(data))
	}
	return nil
}

// DecodeExportReply reads the reply to OptExportName. Precondition: len(b) >= ExportReplySize.
func DecodeExportReply(b []byte) Export {
	return Export{Size: be.Uint64(b), Flags: be.Uint16(b[8:])}
}

// ParseServer reads the data of a RepServer reply: the export's name; a description may follow.
func ParseServer(data []byte) (string, error) {
	name, _, err := cutString(data)
	return name, err
}

// ParseMetaContext reads the data of a RepMetaContext reply.
func ParseMetaContext(data []byte) (id uint32, name string, err error) {
	if len(data) < 4 {
		return 0, "", fmt.Errorf("%w: metadata context of %d bytes", ErrOption, len(data))
	}
	return be.Uint32(data), string(data[4:]), nil
}

// AppendMetaContext appends the data of a RepMetaContext reply.
func AppendMetaContext(b []byte, id uint32, name string) []byte {
	return append(be.AppendUint32(b, id), name...)
}
