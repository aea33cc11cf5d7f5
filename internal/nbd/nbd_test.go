package nbd

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

func TestRequestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Request{
			Flags: rapid.Uint16().Draw(t, "flags"), Command: Command(rapid.Uint16().Draw(t, "command")),
			Cookie: rapid.Uint64().Draw(t, "cookie"), Offset: rapid.Uint64().Draw(t, "offset"),
			Length: rapid.Uint32().Draw(t, "length"),
		}
		b := want.Append(nil)
		if got, err := DecodeRequest(b); err != nil || got != want || len(b) != RequestSize {
			t.Fatalf("%+v becomes %+v, %v", want, got, err)
		}
	})
}

// TestBytes compares encodings with bytes that were written by hand from the protocol document.
func TestBytes(t *testing.T) {
	e := Export{Size: 0x1000, Flags: FlagHasFlags | FlagSendTrim, MinBlock: 1, PreferredBlock: 4096, MaxBlock: 32 << 20}
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"greeting", AppendGreeting(nil, 3), "NBDMAGICIHAVEOPT\x00\x03"},
		{"option", AppendOption(nil, OptGo, []byte("ab")), "IHAVEOPT\x00\x00\x00\x07\x00\x00\x00\x02ab"},
		{"reply to an option", AppendOptReply(nil, OptList, RepErrUnknown, []byte("x")),
			"\x00\x03\xe8\x89\x04\x55\x65\xa9\x00\x00\x00\x03\x80\x00\x00\x06\x00\x00\x00\x01x"},
		{"request", Request{Flags: CmdFlagFUA, Command: CmdWrite, Cookie: 2, Offset: 3, Length: 4}.Append(nil),
			"\x25\x60\x95\x13\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x04"},
		{"simple reply", AppendSimple(nil, 2, ENOSPC), "\x67\x44\x66\x98\x00\x00\x00\x1c\x00\x00\x00\x00\x00\x00\x00\x02"},
		{"data", AppendDataChunk(nil, 2, ReplyFlagDone, 5, 3),
			"\x66\x8e\x33\xef\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x0b\x00\x00\x00\x00\x00\x00\x00\x05"},
		{"error", AppendErrorChunk(nil, 2, EIO),
			"\x66\x8e\x33\xef\x00\x01\x80\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x06\x00\x00\x00\x05\x00\x00"},
		{"status", AppendExtent(AppendStatusChunk(nil, 2, ReplyFlagDone, 1, 1), 512, StateZero),
			"\x66\x8e\x33\xef\x00\x01\x00\x05\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x02\x00\x00\x00\x00\x02"},
		{"export", e.AppendExport(nil), "\x00\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x21"},
		{"block size", e.AppendBlockSize(nil), "\x00\x03\x00\x00\x00\x01\x00\x00\x10\x00\x02\x00\x00\x00"},
		{"export reply", e.AppendExportReply(nil, true), "\x00\x00\x00\x00\x00\x00\x10\x00\x00\x21" + strings.Repeat("\x00", 124)},
		{"info request", AppendInfoRequest(nil, "ab", 3), "\x00\x00\x00\x02ab\x00\x01\x00\x03"},
		{"meta request", AppendMetaRequest(nil, "ab", "c:"), "\x00\x00\x00\x02ab\x00\x00\x00\x01\x00\x00\x00\x02c:"},
	} {
		if string(c.got) != c.want {
			t.Errorf("%s: %x, want %x", c.name, c.got, c.want)
		}
	}
}

func TestLearn(t *testing.T) {
	want := Export{Size: 1 << 40, Flags: 0x1ff, MinBlock: 512, PreferredBlock: 4096, MaxBlock: 1 << 25}
	var got Export
	err := errors.Join(got.Learn(want.AppendExport(nil)), got.Learn(want.AppendBlockSize(nil)), got.Learn(AppendName(nil, "x")))
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if r := DecodeExportReply(want.AppendExportReply(nil, false)); r.Size != want.Size || r.Flags != want.Flags {
		t.Errorf("%+v", r)
	}
	for _, b := range [][]byte{nil, {0}, {0, 0}, {0, 3, 1}, make([]byte, 13)} {
		if err := got.Learn(b); !errors.Is(err, ErrOption) {
			t.Errorf("%x: %v", b, err)
		}
	}
}

func TestHeads(t *testing.T) {
	for _, c := range []struct {
		b    []byte
		want ReplyHead
	}{
		{AppendSimple(nil, 9, EPERM), ReplyHead{Cookie: 9, Errno: EPERM}},
		{AppendChunk(nil, 9, ReplyFlagDone, ChunkHole, 12), ReplyHead{Structured: true, Cookie: 9, Flags: 1, Type: ChunkHole, Length: 12}},
	} {
		n, err := HeadSize(c.b)
		if err != nil || n != len(c.b) || DecodeHead(c.b) != c.want {
			t.Errorf("%+v, size %d, %v", DecodeHead(c.b), n, err)
		}
	}
	wrong := make([]byte, 32)
	_, e1 := HeadSize(wrong)
	_, e2 := DecodeRequest(wrong)
	_, e3 := DecodeGreeting(wrong)
	_, _, e4 := DecodeOption(wrong)
	_, _, _, e5 := DecodeOptReply(wrong)
	for i, err := range []error{e1, e2, e3, e4, e5} {
		if !errors.Is(err, ErrMagic) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestErrno(t *testing.T) {
	for from, to := range map[syscall.Errno]Errno{
		0: 0, syscall.EROFS: EPERM, syscall.ENOMEM: ENOMEM, syscall.EINVAL: EINVAL, syscall.EFBIG: ENOSPC,
		syscall.EDQUOT: ENOSPC, syscall.ESHUTDOWN: ESHUTDOWN, syscall.EOVERFLOW: EIO, syscall.ENOTSUP: EIO, 4711: EIO,
	} {
		if got := FromSyscall(from); got != to {
			t.Errorf("%v becomes %v, want %v", from, got, to)
		}
	}
	if EIO.Error() != "input/output error" || Errno(4711).Error() != "error 4711" {
		t.Errorf("%q, %q", EIO.Error(), Errno(4711).Error())
	}
}

func FuzzParseInfoRequest(f *testing.F) {
	f.Add(AppendInfoRequest(nil, "disk", InfoBlockSize, InfoName))
	f.Add([]byte{255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		name, infos, err := ParseInfoRequest(data)
		if err != nil {
			return
		}
		again := append(be.AppendUint16(AppendString(nil, name), uint16(len(infos)/2)), infos...)
		if !bytes.Equal(again, data) {
			t.Errorf("%x was read as %q %x", data, name, infos)
		}
	})
}

func FuzzParseMetaRequest(f *testing.F) {
	f.Add(AppendMetaRequest(nil, "disk", ContextBase, ContextAllocation))
	f.Add([]byte{0, 0, 0, 0, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		name, queries, err := ParseMetaRequest(data)
		if err != nil {
			return
		}
		if again := AppendMetaRequest(nil, name, queries...); !bytes.Equal(again, data) {
			t.Errorf("%x was read as %q %q", data, name, queries)
		}
	})
}

func FuzzReplies(f *testing.F) {
	f.Add(AppendInfoRequest(nil, "disk"))
	f.Add(AppendMetaContext(nil, 1, ContextAllocation))
	f.Fuzz(func(t *testing.T, data []byte) {
		var e Export
		_ = e.Learn(data)
		if name, err := ParseServer(data); err == nil && !bytes.Contains(data, []byte(name)) {
			t.Errorf("%q from %x", name, data)
		}
		if id, name, err := ParseMetaContext(data); err == nil && !reflect.DeepEqual(AppendMetaContext(nil, id, name), data) {
			t.Errorf("%d %q from %x", id, name, data)
		}
	})
}
