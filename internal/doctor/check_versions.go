package doctor

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"archipelago/xseg"
)

// checkVersions compares the programs that run with those that are installed.
func checkVersions(e *env, f *found) {
	f.summary = e.version
	for i := range e.cfg.Roles {
		name := e.cfg.Roles[i].Name
		for _, p := range e.ports {
			if p.Role == name && p.Alive {
				e.checkProgram(f, &p)
				if e.shared {
					return // one process has all roles
				}
				break // one process has all ports of a role
			}
		}
	}
}

// checkProgram looks at the program of a peer. The link of a file that was replaced under a running
// process ends in " (deleted)".
func (e *env) checkProgram(f *found, p *xseg.PortInfo) {
	link := filepath.Join(e.proc, strconv.Itoa(p.PID), "exe")
	target, err := os.Readlink(link)
	if err != nil {
		f.note(fmt.Sprintf("%s (pid %d): %v", p.Role, p.PID, err), "Run this as root.")
		return
	}
	if path, gone := strings.CutSuffix(target, " (deleted)"); gone {
		f.warn(fmt.Sprintf("%s (pid %d) runs a %s that was replaced since", p.Role, p.PID, filepath.Base(path)),
			e.newProgram(p.Role))
		return
	}
	installed := filepath.Join(e.bin, filepath.Base(target))
	if sameFile(link, installed) {
		return
	}
	theirs, ours := e.build(link), e.build(installed)
	switch {
	case ours == "" || theirs == ours:
	case theirs == "":
		f.note(fmt.Sprintf("%s (pid %d) runs %s, whose version can't be told", p.Role, p.PID, target), "")
	default:
		f.warn(fmt.Sprintf("%s (pid %d) runs %s of version %s; %s is %s", p.Role, p.PID, target, theirs, installed, ours),
			e.newProgram(p.Role))
	}
}

// newProgram says how a role comes to run the program that is installed.
func (e *env) newProgram(role string) string {
	if e.shared {
		return "Stop the node and run it again: all roles run in the process of `archipelago run --in-process`."
	}
	return "archipelago restart " + role
}

func sameFile(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// buildOf names the build of a program; "" if it can't be told.
func buildOf(path string) string {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return ""
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" || s.Key == "-ldflags" {
			v += " " + s.Value
		}
	}
	return strings.TrimSpace(v)
}
