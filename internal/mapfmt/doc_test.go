package mapfmt

import (
	"bytes"
	"encoding/binary"
	"os"
	"strconv"
	"strings"
	"testing"
)

const formatDoc = "../../docs/map-format.md"

// field is one row of a table with the bytes that it has in the sample; nil size: up to the end.
type field struct {
	name string
	want []byte
	open bool // of any length: the table gives its offset only
}

// layout is a table of the document, with the bytes of a sample of it.
type layout struct {
	sample []byte // the fields follow each other in it
	start  int    // offset of the first row
	fields []field
}

func num[T uint8 | uint16 | uint32 | uint64](n T) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, n)
	if err != nil {
		panic(err)
	}
	return b
}

func id(n byte) []byte { u := filled(n); return u[:] }

func fixed(name string, want []byte) field { return field{name: name, want: want} }
func open(name string, want string) field  { return field{name, []byte(want), true} }
func reserved(n int) field                 { return fixed("reserved", make([]byte, n)) }

// encoded returns the golden sample of a kind of file.
func encoded(t *testing.T, name string) []byte {
	for _, c := range codecs() {
		if c.name == name {
			data, err := c.encode(c.sample)
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
	}
	t.Fatalf("no sample %s", name)
	return nil
}

func documented(t *testing.T) map[string]layout {
	record := encoded(t, "record")
	chunk := encoded(t, "chunk")
	pending := encoded(t, "pending")
	marks := recordHeader + 2*16
	origins := marks + markHeader + len("other")
	rows := origins + originHeader + len("snap") + 2*16
	entries := chunkHeader + 16*int(binary.LittleEndian.Uint16(chunk[52:]))
	base := len(baseOf(chunk))
	e := largestEntry(testChunkID.Owner, 2)
	return map[string]layout{
		"frame": {record, 0, []field{
			fixed("magic", []byte("ARCHVOLR")), fixed("version", num(uint32(4))),
			fixed("length", num(uint32(len(record)))), open("body", string(id(0x10))),
		}},
		"record": {record, 16, []field{
			fixed("uuid", id(0x10)), fixed("size", num(uint64(9<<30+512))),
			fixed("object_size", num(uint32(4<<20))), fixed("flags", num(uint32(1|2|32))),
			fixed("epoch", num(uint64(0x2122232425262728))), fixed("created", num(uint64(0x3132333435363738))),
			fixed("modified", num(uint64(0x4142434445464748))), fixed("creator", id(0x50)),
			fixed("nr_ops", num(uint16(2))), fixed("nr_marks", num(uint16(1))),
			fixed("nr_origins", num(uint16(1))), fixed("nr_uuids", num(uint16(2))),
			fixed("nr_rows", num(uint32(3))), reserved(28),
		}},
		"mark": {record[marks:], 0, []field{
			fixed("flag", num(uint32(32))), fixed("name_size", num(uint16(5))), reserved(2),
			fixed("offset", num(uint64(0x0102030405060708))), fixed("id", id(0x80)), open("name", "other"),
		}},
		"origin": {record[origins:], 0, []field{
			fixed("uuid", id(0x90)), fixed("epoch", num(uint64(0xa1a2a3a4a5a6a7a8))), fixed("flags", num(uint32(5))),
			fixed("name_size", num(uint16(4))), reserved(2), open("name", "snap"),
		}},
		"row": {record[rows:], 0, []field{
			fixed("ref", num(uint16(1))), fixed("epoch", num(uint64(0xb1b2b3b4b5b6b7b8))),
		}},
		"page": {encoded(t, "page"), 16, []field{
			fixed("owner", id(0x10)), fixed("epoch", num(uint64(0x2122232425262728))),
			fixed("number", num(uint64(0x3132333435363738))), fixed("nr_uuids", num(uint32(50))),
			fixed("nr_rows", num(uint32(4096))),
		}},
		"chunk": {chunk, 16, []field{
			fixed("owner", testChunkID.Owner[:]), fixed("epoch", num(uint64(7))), fixed("number", num(uint64(3))),
			fixed("object_size", num(uint32(4<<20))), fixed("nr_uuids", num(uint16(2))),
			fixed("nr_entries", num(uint16(3))), fixed("salt", num(uint64(0x2122232425262728))),
		}},
		"entry": {chunk[entries+30:], 0, []field{
			fixed("index", num(uint16(5))), fixed("bottom", num(uint8(1))), fixed("nr_levels", num(uint8(3))),
			open("levels", "\x01\x00\x03\x00"),
		}},
		"level": {chunk[entries+4:], 0, []field{
			fixed("ref", num(uint16(0))), fixed("epoch", num(uint64(7))),
			fixed("birth", num(uint64(0x1112131415161718))), fixed("mask", num(uint64(FullMask))),
		}},
		"append": {chunk[base:], 0, []field{
			fixed("crc", chunk[base:base+4]), fixed("seq", num(uint32(1))), fixed("index", num(uint16(5))),
			fixed("bottom", num(uint8(1))), fixed("nr_levels", num(uint8(3))), fixed("refs", make([]byte, 6)),
			reserved(2), fixed("append", num(uint32(1))), fixed("levels", levelBytes(&e, false)),
			fixed("key", e.Key[:]),
		}},
		"tombstone": {encoded(t, "tombstone"), 16, []field{
			fixed("removed", num(uint64(0x3132333435363738))), fixed("op", id(0xd0)), fixed("name_size", num(uint16(4))),
			reserved(2), fixed("record_size", num(uint32(len(record)))), open("name", "gone"+string(record)),
		}},
		"group": {encoded(t, "group"), 16, []field{
			fixed("id", id(0x10)), fixed("created", num(uint64(0x2122232425262728))), fixed("state", num(uint32(2))),
			fixed("nr_members", num(uint32(2))), reserved(16), open("names", "\x05\x00snap1\x01\x00s"),
		}},
		"lock": {encoded(t, "lock"), 16, []field{
			fixed("machine_id", id(0x10)), fixed("incarnation", id(0x20)),
			fixed("taken", num(uint64(0x3132333435363738))), fixed("mode", num(uint16(3))),
			fixed("node_size", num(uint16(14))), fixed("address_size", num(uint16(12))), reserved(2),
			open("names", "node-1.examplev2:[::1]:1/2"),
		}},
		"lease": {encoded(t, "lease"), 16, []field{
			fixed("incarnation", id(0x30)), fixed("counter", num(uint64(0x4142434445464748))),
			fixed("node_size", num(uint16(14))), reserved(6),
			fixed("node", append([]byte("node-1.example"), make([]byte, 446)...)),
		}},
		"store": {encoded(t, "store"), 16, []field{
			fixed("id", id(0x50)), fixed("created", num(uint64(0x6162636465666768))),
			fixed("nodes", num(uint32(2))), reserved(20),
		}},
		"pending": {pending, 16, []field{
			fixed("store", id(0x10)), fixed("volume", id(0x20)), fixed("boot_id", id(0x30)),
			fixed("incarnation", id(0x40)), fixed("generation", num(uint64(0x5152535455565758))),
			fixed("epoch", num(uint64(0x6162636465666768))), fixed("object_size", num(uint32(4<<20))),
			fixed("slots", num(uint32(4))), reserved(20), fixed("crc", pending[124:128]), reserved(120),
			fixed("trim", num(TrimWord(0xa1a2a3a4a5a6))),
		}},
		"pending record": documentedPendingRecord(t),
	}
}

func documentedPendingRecord(t *testing.T) layout {
	e := largestEntry(UUID{9}, 2)
	data, err := AppendPendingRecord(nil, 5, &PendingRecord{0x010203040506, 0x1112131415161718, e})
	if err != nil {
		t.Fatal(err)
	}
	return layout{data, 0, []field{
		fixed("crc", data[:4]), fixed("bottom", num(uint8(1))), fixed("nr_levels", num(uint8(3))), reserved(2),
		fixed("number", num(uint64(0x010203040506))), fixed("index", num(uint64(0x1112131415161718))),
		fixed("levels", levelBytes(&e, true)), fixed("key", e.Key[:]), reserved(16),
	}}
}

func levelBytes(e *Entry, uuids bool) (b []byte) {
	for _, l := range e.Levels[:MaxLevels] {
		if uuids {
			b = append(b, l.UUID[:]...)
		}
		b = append(b, num(l.Epoch)...)
		b = append(b, num(l.Birth)...)
		b = append(b, num(l.Mask)...)
	}
	return b
}

// TestDocument holds the tables of the manual equal to the bytes that are written: where a table
// says that a field is, the sample has the field's value, and the tables have no gaps.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile(formatDoc)
	if err != nil {
		t.Fatal(err)
	}
	tables := readTables(string(text))
	for name, l := range documented(t) {
		rows, ok := tables[name]
		if delete(tables, name); !ok {
			t.Errorf("%s: not in the document", name)
			continue
		}
		l.compare(t, name, rows)
	}
	for name := range tables {
		t.Errorf("%s: in the document, but not in the test", name)
	}
}

func (l *layout) compare(t *testing.T, name string, rows [][]string) {
	at := l.start
	for i, f := range l.fields {
		if i >= len(rows) {
			t.Errorf("%s: no row for %s", name, f.name)
			return
		}
		size := strconv.Itoa(len(f.want))
		if f.open {
			size = ""
		}
		if r := rows[i]; r[0] != strconv.Itoa(at) || r[1] != size || r[2] != f.name {
			t.Errorf("%s: row %q should be offset %d, size %q, %s", name, r[:3], at, size, f.name)
		}
		if !bytes.HasPrefix(l.sample[at:], f.want) {
			t.Errorf("%s: %s is %x at %d, want %x", name, f.name, l.sample[at:at+len(f.want)], at, f.want)
		}
		at += len(f.want)
	}
	if extra := rows[len(l.fields):]; len(extra) != 0 && name != "frame" {
		t.Errorf("%s: rows %q are too many", name, extra)
	}
}

// readTables returns the rows of each table that a comment "layout: name" stands before.
func readTables(text string) map[string][][]string {
	tables := map[string][][]string{}
	var name string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if c, ok := strings.CutPrefix(line, "<!-- layout: "); ok {
			name = strings.TrimSuffix(c, " -->")
			tables[name] = nil
			continue
		}
		if !strings.HasPrefix(line, "|") {
			name = ""
		} else if name != "" {
			cells := strings.Split(strings.Trim(line, "|"), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			tables[name] = append(tables[name], cells)
		}
	}
	for name, rows := range tables {
		tables[name] = rows[min(len(rows), 2):] // heading and rule
	}
	return tables
}
