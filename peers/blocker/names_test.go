package blocker

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestNames(t *testing.T) {
	want := []string{"a", "v/x", strings.Repeat("n", NameMax)}
	data, n := make([]byte, 300), 0
	for _, name := range want {
		var ok bool
		if n, ok = PutName(data, n, name); !ok {
			t.Fatalf("%q doesn't fit", name)
		}
	}
	if _, ok := PutName(data, n, strings.Repeat("n", NameMax)); ok {
		t.Error("a name too much fits")
	}
	var got []string
	if err := Names(data[:n], func(s string) error { got = append(got, s); return nil }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	stop := errors.New("stop")
	if err := Names(data[:n], func(string) error { return stop }); err != stop {
		t.Errorf("the callback's error: %v", err)
	}
	for _, bad := range []string{"\x01", "\x00\x00", "\x05\x00abc", "\xff\xff" + strings.Repeat("a", 300)} {
		if err := Names([]byte(bad), func(string) error { return nil }); !errors.Is(err, ErrArgument) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add([]byte("\x01\x00a\x03\x00v/x"))
	f.Add([]byte("\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, n := make([]byte, len(data)), 0
		err := Names(data, func(name string) error {
			var ok bool
			if n, ok = PutName(out, n, name); !ok {
				t.Fatal("doesn't fit where it came from")
			}
			return nil
		})
		if err == nil && string(out[:n]) != string(data) {
			t.Fatal("encoded again it is something else")
		}
	})
}

func FuzzCheckName(f *testing.F) {
	for _, s := range []string{"a", "a/b", "..", "a/../b", "=x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if CheckName(name) != nil {
			return
		}
		for part := range strings.SplitSeq(name, "/") {
			if part == "" || part[0] == '.' || part[0] == '=' || strings.ContainsAny(part, "\x00\\ ") {
				t.Fatalf("%q has passed", name)
			}
		}
	})
}

func TestErrno(t *testing.T) {
	for _, c := range []struct {
		err  error
		want syscall.Errno
	}{
		{nil, 0}, {ErrNotFound, syscall.ENOENT}, {ErrBad, syscall.EIO},
		{errors.Join(ErrNoSpace, syscall.EDQUOT), syscall.ENOSPC},
		{syscall.EROFS, syscall.EROFS}, {errors.New("odd"), syscall.EIO},
	} {
		if got := Errno(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}
