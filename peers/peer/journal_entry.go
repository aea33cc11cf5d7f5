package peer

import (
	"encoding/binary"
	"strings"
)

// journalField is one field of a journal entry.
type journalField struct{ name, value string }

// maxFieldName is the longest name that journald takes.
const maxFieldName = 64

// fieldPrefix keeps our fields apart from those of others.
const fieldPrefix = "ARCHIPELAGO_"

// fieldName makes the name of a field of the key of an attribute: capital letters, digits and
// underscores are all that journald takes.
func fieldName(key string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		}
		return '_'
	}, key)
	return fieldPrefix + name[:min(len(name), maxFieldName-len(fieldPrefix))]
}

// appendField encodes a field in the protocol of journald: NAME=value and a newline, or, since a
// value with a newline would end there and begin a field of its own choice, the name alone on a
// line, the length of the value in 8 bytes of little-endian, the value, a newline.
func appendField(b []byte, f journalField) []byte {
	b = append(b, f.name...)
	if !strings.Contains(f.value, "\n") {
		b = append(b, '=')
		b = append(b, f.value...)
		return append(b, '\n')
	}
	b = append(b, '\n')
	b = binary.LittleEndian.AppendUint64(b, uint64(len(f.value)))
	b = append(b, f.value...)
	return append(b, '\n')
}
