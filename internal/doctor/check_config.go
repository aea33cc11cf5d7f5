package doctor

import (
	"errors"
	"fmt"
	"os/user"
	"strings"

	"archipelago/internal/config"
)

const account = "archipelago" // user and group of the daemons under systemd

func checkConfiguration(e *env, f *found) {
	if e.cfg == nil {
		for line := range strings.Lines(e.err.Error()) {
			f.problem(strings.TrimSpace(line), doConfig(e.err))
		}
		return
	}
	f.summary = fmt.Sprintf("%s: %d roles", source(e.cfg), len(e.cfg.Roles))
	if err := e.cfg.CheckHost(); err != nil {
		for line := range strings.Lines(err.Error()) {
			f.problem(strings.TrimSpace(line), "Create the directory, owned by user "+account+", or correct the key.")
		}
	}
	if e.cfg.Dir != "" {
		return // a node of whoever started it
	}
	if _, err := user.Lookup(account); err != nil {
		f.warn("there is no user "+account+", as which the daemons run", "Install the package, or: systemd-sysusers.")
	}
	if _, err := user.LookupGroup(account); err != nil {
		f.warn("there is no group "+account+", which the segment belongs to", "Install the package, or: systemd-sysusers.")
	}
}

func doConfig(err error) string {
	if errors.Is(err, config.ErrNone) || errors.Is(err, config.ErrNoDir) {
		return "Name the node with -d DIR or -c FILE."
	}
	return "Correct the file; `archipelago config check` says whether it is right."
}

func source(c *config.Config) string {
	if c.Dir != "" {
		return "node in " + c.Dir
	}
	return c.Path
}
