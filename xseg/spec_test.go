package xseg

import (
	"errors"
	"strings"
	"testing"
)

func TestParseSpec(t *testing.T) {
	good, err := ParseSpec("posix:archip-1.x_y:2048:512:12")
	if want := (Spec{"archip-1.x_y", 2048, 512, 12}); err != nil || good != want {
		t.Fatal(good, err)
	}
	if s := good.String(); s != "posix:archip-1.x_y:2048:512:12" {
		t.Fatal(s)
	}
	for _, bad := range []string{
		"", "posix", "sysv:a:64:512:12", "posix::64:512:12", "posix:a/b:64:512:12",
		"posix:.a:64:512:12", "posix:a:64:512:13", "posix:a:64:512", "posix:a:64:512:12:1",
		"posix:a:x:512:12", "posix:a:15:512:12", "posix:a:65537:512:12", "posix:a:64:0:12",
		"posix:a:64:-1:12", "posix:a:64:99999999:12", "posix:" + strings.Repeat("a", 64) + ":64:512:12",
		"posix:a:2048:3:12",
	} {
		if _, err := ParseSpec(bad); !errors.Is(err, ErrSpec) {
			t.Errorf("ParseSpec(%q) = %v", bad, err)
		}
	}
}
