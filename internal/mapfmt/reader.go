package mapfmt

import "encoding/binary"

// reader takes values off a body. The first failure sticks, and from then on it returns zeros, so
// that decoders read straight on and look at err once.
type reader struct {
	what string
	rest []byte
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = corruptf(r.what, format, args...)
	}
	r.rest = nil
}

// take returns the next n bytes, not copied, or nil.
func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		r.fail("ends within a field of %d bytes", n)
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) u8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) id() (u [16]byte) {
	copy(u[:], r.take(16))
	return u
}

func (r *reader) str(n int) string { return string(r.take(n)) }

// zeros takes n reserved bytes: another value would mean something that this code doesn't know.
func (r *reader) zeros(n int) {
	for _, c := range r.take(n) {
		if c != 0 {
			r.fail("reserved bytes are set")
			return
		}
	}
}

// count checks that n items of at least size bytes can be there, before anything is allocated.
func (r *reader) count(name string, n, size int) int {
	if n > len(r.rest)/size {
		r.fail("%d %s don't fit the %d bytes left", n, name, len(r.rest))
		return 0
	}
	return n
}

// end checks that everything was read.
func (r *reader) end() error {
	if r.err == nil && len(r.rest) != 0 {
		r.fail("%d bytes too many", len(r.rest))
	}
	return r.err
}

func appendU16(b []byte, n uint16) []byte { return binary.LittleEndian.AppendUint16(b, n) }
func appendU32(b []byte, n uint32) []byte { return binary.LittleEndian.AppendUint32(b, n) }
func appendU64(b []byte, n uint64) []byte { return binary.LittleEndian.AppendUint64(b, n) }

func appendZeros(b []byte, n int) []byte { return append(b, make([]byte, n)...) }
