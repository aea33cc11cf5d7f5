package version

import (
	"runtime/debug"
	"testing"
)

func TestFromBuild(t *testing.T) {
	vcs := func(commit, modified string) *debug.BuildInfo {
		return &debug.BuildInfo{
			Main:     debug.Module{Version: "(devel)"},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: commit}, {Key: "vcs.modified", Value: modified}},
		}
	}
	for _, c := range []struct {
		info *debug.BuildInfo
		want string
	}{
		{&debug.BuildInfo{}, "0~devel"},
		{&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "v1.2.3"},
		{vcs("0123456789abcdef", "false"), "0~devel.0123456789ab"},
		{vcs("0123456789abcdef", "true"), "0~devel.0123456789ab+changed"},
		{vcs("012", "false"), "0~devel.012"},
	} {
		if got := fromBuild(c.info); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestGiven(t *testing.T) {
	defer func() { version = "" }()
	version = "9.8.7"
	if String() != "9.8.7" {
		t.Error(String())
	}
}
