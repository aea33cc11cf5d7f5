package systemd

import (
	"slices"
	"testing"
)

func TestPeerNames(t *testing.T) {
	for role, want := range map[string]string{
		"vlmcd":    "archipelago-peer@vlmcd.service",
		"vlmcd_2":  "archipelago-peer@vlmcd_2.service",
		"a-b/c.d":  `archipelago-peer@a\x2db-c.d.service`,
		".hidden":  `archipelago-peer@\x2ehidden.service`,
		"größe":    `archipelago-peer@gr\xc3\xb6\xc3\x9fe.service`,
		"with sp%": `archipelago-peer@with\x20sp\x25.service`,
	} {
		if got := Peer(role); got != want {
			t.Errorf("%s: %s, want %s", role, got, want)
		}
	}
}

func TestMapNames(t *testing.T) {
	if got, want := Map("web-1@mon+2"), `archipelago-map@web\x2d1\x40mon\x2b2.service`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestCauses(t *testing.T) {
	for want, u := range map[string]Unit{
		"":                                       {Result: "success"},
		"exit status 2":                          {Result: "exit-code", ExitStatus: 2},
		"killed by signal killed":                {Result: "signal", ExitStatus: 9},
		"it gave no sign of life and was killed": {Result: "watchdog"},
		"it ended before it was ready (exit status 3)": {Result: "protocol", ExitCode: childExited, ExitStatus: 3},
		"oom-kill": {Result: "oom-kill"},
	} {
		if got := u.Cause(); got != want {
			t.Errorf("%+v: %q", u, got)
		}
	}
}

func TestLines(t *testing.T) {
	if got := lines("a\n\n  b \nc"); !slices.Equal(got, []string{"a", "  b", "c"}) {
		t.Errorf("%q", got)
	}
}
