// Package version tells the one version of all programs of this tree.
package version

import "runtime/debug"

// version is set by the linker: -ldflags "-X archipelago/internal/version.version=1.2.3".
var version string

// String returns the version that the build was given; without one what the build knows of its
// source: the module's version, or the commit.
func String() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unknown
	}
	return fromBuild(info)
}

// unknown stands for a version that nothing tells.
const unknown = "0~devel"

// fromBuild makes a version of a build's information.
func fromBuild(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	commit := settings["vcs.revision"]
	if commit == "" {
		return unknown
	}
	text := unknown + "." + commit[:min(len(commit), 12)]
	if settings["vcs.modified"] == "true" {
		text += "+changed"
	}
	return text
}
