package mapfmt

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var exampleUUID = UUID{0x0f, 0x1e, 0x2d, 0x3c, 0x4b, 0x5a, 0x49, 0x78, 0x87, 0x96, 0xa5, 0xb4, 0xc3, 0xd2, 0xe1, 0xf0}

const exampleText = "0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0"

func TestNames(t *testing.T) {
	id := ChunkID{exampleUUID, 3, 12}
	object := ObjectID{exampleUUID, 1025, 7, 0xabc}
	for got, want := range map[string]string{
		RecordName("vol1"):                       "v/vol1",
		ChunkName(id):                            "c/" + exampleText + "/3/12",
		PageName(id):                             "c/" + exampleText + "/3/t12",
		LockName(exampleUUID):                    "l/" + exampleText,
		TombstoneName(exampleUUID, 3):            "t/" + exampleText + ".3",
		GroupName(exampleUUID):                   "g/" + exampleText,
		LeaseName("node1"):                       "n/node1",
		StoreHeaderName:                          "h/store",
		ObjectName(object):                       exampleText + "/1/1025.7.0000000000000abc",
		ObjectVolumePrefix(exampleUUID):          exampleText + "/",
		PendingLogName(exampleUUID, exampleUUID): exampleText + "." + exampleText,
		ChunkVolumePrefix(exampleUUID):           "c/" + exampleText + "/",
		TombstoneVolumePrefix(exampleUUID):       "t/" + exampleText + ".",
		ObjectName(ObjectOf(1025, Level{exampleUUID, 7, 0xabc, 1})): ObjectName(object),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestNamesRoundTrip: what is made can be parsed, is of the blocker's alphabet and length, and
// nothing else parses to the same.
func TestNamesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := UUID(genID(t, "uuid"))
		epoch, no := rapid.Uint64().Draw(t, "epoch"), rapid.Int64Min(0).Draw(t, "no")
		id := ChunkID{u, epoch, no}
		if got, page, err := ParseChunkName(ChunkName(id)); got != id || page || err != nil {
			t.Errorf("%s: %+v, %v, %v", ChunkName(id), got, page, err)
		}
		if got, page, err := ParseChunkName(PageName(id)); got != id || !page || err != nil {
			t.Errorf("%s: %+v, %v, %v", PageName(id), got, page, err)
		}
		o := ObjectID{u, no, epoch, rapid.Uint64().Draw(t, "birth")}
		if got, err := ParseObjectName(ObjectName(o)); got != o || err != nil {
			t.Errorf("%s: %+v, %v", ObjectName(o), got, err)
		}
		if gu, ge, err := ParseTombstoneName(TombstoneName(u, epoch)); gu != u || ge != epoch || err != nil {
			t.Errorf("%s: %v", TombstoneName(u, epoch), err)
		}
		if got, err := ParseLockName(LockName(u)); got != u || err != nil {
			t.Errorf("%s: %v", LockName(u), err)
		}
		if got, err := ParseGroupName(GroupName(u)); got != u || err != nil {
			t.Errorf("%s: %v", GroupName(u), err)
		}
		name := genName(t)
		if got, err := ParseRecordName(RecordName(name)); got != name || err != nil {
			t.Errorf("%s: %v", RecordName(name), err)
		}
		for _, n := range []string{ObjectName(o), PageName(id), TombstoneName(u, epoch)} {
			if len(n) > ObjectNameMax || strings.Trim(n, "abcdefghijklmnopqrstuvwxyz0123456789./-") != "" {
				t.Errorf("name %q", n)
			}
		}
	})
}

func TestParseBadNames(t *testing.T) {
	object := exampleText + "/1/1025.7.0000000000000abc"
	for _, bad := range []string{
		"", "/", "x", exampleText, object + "x", object + ".1", "v/" + object,
		strings.Replace(object, "/1/", "/01/", 1), strings.Replace(object, "/1/", "/2/", 1),
		strings.Replace(object, "1025", "+1025", 1), strings.Replace(object, "1025", "01025", 1),
		strings.Replace(object, "1025", "9223372036854775808", 1),
		strings.Replace(object, "abc", "ABC", 1), strings.Replace(object, "0f1e", "0F1E", 1),
		strings.Replace(object, ".7.", "..", 1), strings.Replace(object, ".7.", ".-7.", 1),
		strings.Replace(object, ".0000", ".000", 1),
	} {
		if id, err := ParseObjectName(bad); !errors.Is(err, ErrName) {
			t.Errorf("ParseObjectName(%q) = %+v, %v", bad, id, err)
		}
	}
	for _, bad := range []string{
		"c/", "c/" + exampleText, "c/" + exampleText + "/1", "c/" + exampleText + "/1/t", "x" + exampleText,
		"c/" + exampleText + "/1/2/3", "c/" + exampleText + "/01/2", "c/" + exampleText + "/1/tt2",
		"c/" + exampleText + "/1/-2", "d/" + exampleText + "/1/2",
	} {
		if id, _, err := ParseChunkName(bad); !errors.Is(err, ErrName) {
			t.Errorf("ParseChunkName(%q) = %+v, %v", bad, id, err)
		}
	}
	_, lock := ParseLockName("l/" + exampleText + "/1")
	_, _, tomb := ParseTombstoneName("t/" + exampleText)
	_, record := ParseRecordName("v/.hidden")
	_, lease := ParseLeaseName("n/a/b")
	_, _, pending := ParsePendingLogName(exampleText)
	for i, err := range []error{lock, tomb, record, lease, pending} {
		if !errors.Is(err, ErrName) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestVolumeNames(t *testing.T) {
	for _, good := range []string{"a", "Z", "9", "_", ":", "@", "+", "a.b", "a-b", strings.Repeat("x", 128)} {
		if err := CheckVolumeName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"":                       "is empty",
		"-a":                     `starts with '-'`,
		".a":                     `starts with '.'`,
		"a/b":                    `has '/' at byte 1`,
		"a b":                    `has ' ' at byte 1`,
		"ab\x00":                 `has '\x00' at byte 2`,
		"\u00e4":                 `at byte 0`,
		strings.Repeat("x", 129): "of 129 bytes is longer than 128",
	} {
		err := CheckVolumeName(bad)
		if !errors.Is(err, ErrName) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want it to say %q", bad, err, want)
		}
	}
	if err := CheckNodeName("a:b"); !errors.Is(err, ErrName) {
		t.Errorf("node name with a colon: %v", err)
	}
}

func TestUUID(t *testing.T) {
	if s := FormatUUID(exampleUUID); s != exampleText {
		t.Errorf("got %s", s)
	}
	if u, err := ParseUUID(exampleText); u != exampleUUID || err != nil {
		t.Errorf("got %x, %v", u, err)
	}
	seen := map[UUID]bool{}
	for range 100 {
		u := NewUUID()
		if seen[u] || u[6]>>4 != 4 || u[8]>>6 != 2 {
			t.Errorf("new UUID %x", u)
		}
		seen[u] = true
	}
	if a, b := NewBirth(), NewBirth(); a == b || a == 0 {
		t.Errorf("births %x and %x", a, b)
	}
}
