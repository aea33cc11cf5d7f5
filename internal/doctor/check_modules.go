package doctor

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"archipelago/internal/config"
)

// checkModules looks for what `vlmc map` needs of the kernel.
func checkModules(e *env, f *found) {
	var have, lack []string
	for _, m := range []string{"nbd", "loop", "fuse"} {
		if e.hasModule(m) {
			have = append(have, m)
		} else {
			lack = append(lack, m)
		}
	}
	f.summary = "for vlmc map: " + strings.Join(have, ", ")
	loopable := e.cfg.ByType(config.TypeFuse) != nil && e.hasModule("loop") && e.hasModule("fuse")
	if len(lack) > 0 && !e.hasModule("nbd") && !loopable {
		f.note(fmt.Sprintf("the kernel has no %s: `vlmc map` has no way to make a device", strings.Join(lack, ", ")),
			"Needed for vlmc map alone: modprobe nbd, or a kernel that has it. NBD clients need nothing.")
	}
}

// hasModule tells whether a module is loaded, built in, or can be loaded.
func (e *env) hasModule(name string) bool {
	if _, err := os.Stat(filepath.Join(e.sys, "module", name)); err == nil {
		return true
	}
	for _, list := range []string{"modules.builtin", "modules.dep"} {
		b, err := os.ReadFile(filepath.Join(e.modules, list))
		if err == nil && bytes.Contains(b, []byte("/"+name+".ko")) {
			return true
		}
	}
	return false
}
