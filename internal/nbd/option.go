package nbd

import (
	"errors"
	"fmt"
)

// ErrOption says that the data of an option or of a reply to one can't be what it should be.
var ErrOption = errors.New("malformed option data")

// AppendGreeting appends the server's first message.
//
//	0 "NBDMAGIC"   8 "IHAVEOPT"   16 handshake flags u16
func AppendGreeting(b []byte, flags uint16) []byte {
	b = be.AppendUint64(b, MagicInit)
	b = be.AppendUint64(b, MagicOption)
	return be.AppendUint16(b, flags)
}

// DecodeGreeting reads the server's first message and returns its handshake flags.
// Precondition: len(b) >= GreetingSize.
func DecodeGreeting(b []byte) (uint16, error) {
	if be.Uint64(b) != MagicInit || be.Uint64(b[8:]) != MagicOption {
		return 0, fmt.Errorf("greeting: %w: %#x %#x", ErrMagic, be.Uint64(b), be.Uint64(b[8:]))
	}
	return be.Uint16(b[16:]), nil
}

// AppendOption appends an option with its data.
//
//	0 "IHAVEOPT"   8 option u32   12 length u32   16 data
func AppendOption(b []byte, opt Option, data []byte) []byte {
	b = be.AppendUint64(b, MagicOption)
	b = be.AppendUint32(b, uint32(opt))
	b = be.AppendUint32(b, uint32(len(data)))
	return append(b, data...)
}

// DecodeOption reads the head of an option. Precondition: len(b) >= OptionSize.
func DecodeOption(b []byte) (opt Option, length uint32, err error) {
	if m := be.Uint64(b); m != MagicOption {
		return 0, 0, fmt.Errorf("option: %w: %#x", ErrMagic, m)
	}
	return Option(be.Uint32(b[8:])), be.Uint32(b[12:]), nil
}

// AppendOptReply appends a reply to an option.
//
//	0 magic u64   8 option u32   12 type u32   16 length u32   20 data
func AppendOptReply(b []byte, opt Option, typ Reply, data []byte) []byte {
	b = be.AppendUint64(b, MagicOptReply)
	b = be.AppendUint32(b, uint32(opt))
	b = be.AppendUint32(b, uint32(typ))
	b = be.AppendUint32(b, uint32(len(data)))
	return append(b, data...)
}

// DecodeOptReply reads the head of a reply to an option. Precondition: len(b) >= OptReplySize.
func DecodeOptReply(b []byte) (opt Option, typ Reply, length uint32, err error) {
	if m := be.Uint64(b); m != MagicOptReply {
		return 0, 0, 0, fmt.Errorf("reply to an option: %w: %#x", ErrMagic, m)
	}
	return Option(be.Uint32(b[8:])), Reply(be.Uint32(b[12:])), be.Uint32(b[16:]), nil
}

// AppendString appends a 32-bit length and the string.
func AppendString(b []byte, s string) []byte {
	return append(be.AppendUint32(b, uint32(len(s))), s...)
}

// AppendInfoRequest appends the data of OptInfo and OptGo.
//
//	0 length u32   4 name   … number u16   … info types u16
func AppendInfoRequest(b []byte, export string, infos ...uint16) []byte {
	b = be.AppendUint16(AppendString(b, export), uint16(len(infos)))
	for _, i := range infos {
		b = be.AppendUint16(b, i)
	}
	return b
}

// ParseInfoRequest reads the data of OptInfo and OptGo: the export's name, and the info types that
// the client asks for, two bytes each.
func ParseInfoRequest(data []byte) (export string, infos []byte, err error) {
	export, data, err = cutString(data)
	if err != nil {
		return "", nil, err
	}
	if len(data) < 2 || len(data) != 2+2*int(be.Uint16(data)) {
		return "", nil, fmt.Errorf("%w: %d bytes of info types", ErrOption, len(data))
	}
	return export, data[2:], nil
}

// AsksFor says whether the info types of ParseInfoRequest have one.
func AsksFor(infos []byte, typ uint16) bool {
	for ; len(infos) >= 2; infos = infos[2:] {
		if be.Uint16(infos) == typ {
			return true
		}
	}
	return false
}

// AppendMetaRequest appends the data of OptSetMetaContext and OptListMetaContext.
//
//	0 length u32   4 name   … number u32   … queries, each length u32 and string
func AppendMetaRequest(b []byte, export string, queries ...string) []byte {
	b = be.AppendUint32(AppendString(b, export), uint32(len(queries)))
	for _, q := range queries {
		b = AppendString(b, q)
	}
	return b
}

// ParseMetaRequest reads the data of OptSetMetaContext and OptListMetaContext.
func ParseMetaRequest(data []byte) (export string, queries []string, err error) {
	export, data, err = cutString(data)
	if err != nil {
		return "", nil, err
	}
	if len(data) < 4 {
		return "", nil, fmt.Errorf("%w: no number of queries", ErrOption)
	}
	n := be.Uint32(data)
	data = data[4:]
	// Each query takes four bytes at least: a larger number is a lie, and no room is made for it.
	if uint64(n)*4 > uint64(len(data)) {
		return "", nil, fmt.Errorf("%w: %d queries in %d bytes", ErrOption, n, len(data))
	}
	for range n {
		var q string
		if q, data, err = cutString(data); err != nil {
			return "", nil, err
		}
		queries = append(queries, q)
	}
	if len(data) != 0 {
		return "", nil, fmt.Errorf("%w: %d bytes too many", ErrOption, len(data))
	}
	return export, queries, nil
}

// cutString takes a 32-bit length and a string off data.
func cutString(data []byte) (s string, rest []byte, err error) {
	if len(data) < 4 || uint64(be.Uint32(data)) > uint64(len(data)-4) {
		return "", nil, fmt.Errorf("%w: string of %d bytes is cut off", ErrOption, len(data))
	}
	n := int(be.Uint32(data))
	if n > MaxString {
		return "", nil, fmt.Errorf("%w: string of %d bytes, at most %d", ErrOption, n, MaxString)
	}
	return string(data[4 : 4+n]), data[4+n:], nil
}
