package config

import (
	"errors"
	"fmt"
	"os"
)

// CheckHost checks c against this machine: the directories that it names must be there. It
// changes nothing. A node in a directory makes its own, so there it checks none.
func (c *Config) CheckHost() error {
	if c.Dir != "" {
		return nil
	}
	var errs Errors
	for _, r := range c.Roles {
		errs = c.checkDir(errs, r.Name, "archip_dir", r.ArchipDir)
		errs = c.checkDir(errs, r.Name, "lock_dir", r.LockDir)
	}
	return errs.sorted()
}

func (c *Config) checkDir(errs Errors, role, key, dir string) Errors {
	if dir == "" {
		return errs
	}
	st, err := os.Stat(dir)
	if err == nil && st.IsDir() {
		return errs
	}
	why := "is not a directory"
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		why = pe.Err.Error()
	}
	o := c.Origin(role, key)
	return append(errs, &Error{File: c.Path, Line: o.Line, Col: o.Col,
		Msg: fmt.Sprintf("%s: %s %s: %s", role, key, quote(dir), why)})
}
