package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// DefaultPath is where the configuration of a node is looked for last.
const DefaultPath = "/etc/archipelago/archipelago.conf"

// Names of the environment variables that stand for -d and -c.
const (
	EnvDir  = "ARCHIPELAGO_DIR"
	EnvFile = "ARCHIPELAGO_CONF"
)

// Source names a configuration: a directory or a file, never both.
type Source struct {
	Dir  string
	File string
}

// Locate says which configuration is meant: that of the flags -d and -c (dir and file, "" where
// not given), else that of the environment, else DefaultPath. Neither level may name two.
func Locate(dir, file string) (Source, error) {
	if dir != "" && file != "" {
		return Source{}, fmt.Errorf("%w: -d and -c exclude each other", ErrInvalid)
	}
	if dir != "" || file != "" {
		return Source{Dir: dir, File: file}, nil
	}
	dir, file = os.Getenv(EnvDir), os.Getenv(EnvFile)
	if dir != "" && file != "" {
		return Source{}, fmt.Errorf("%w: %s and %s exclude each other", ErrInvalid, EnvDir, EnvFile)
	}
	if dir != "" || file != "" {
		return Source{Dir: dir, File: file}, nil
	}
	if _, err := os.Stat(DefaultPath); errors.Is(err, fs.ErrNotExist) {
		return Source{}, fmt.Errorf("%w: give -d DIR or -c FILE, set %s or %s, or write %s",
			ErrNone, EnvDir, EnvFile, DefaultPath)
	}
	return Source{File: DefaultPath}, nil
}

// Load reads the configuration that s names.
func (s Source) Load() (*Config, error) {
	if s.Dir != "" {
		return ForDir(s.Dir)
	}
	return Read(s.File)
}

// Args returns the command line flags that name s.
func (s Source) Args() []string {
	if s.Dir != "" {
		return []string{"-d", s.Dir}
	}
	return []string{"-c", s.File}
}

// Find is Locate and Load.
func Find(dir, file string) (*Config, error) {
	s, err := Locate(dir, file)
	if err != nil {
		return nil, err
	}
	return s.Load()
}

// Source returns what names c: how a child process is told to use the same configuration.
func (c *Config) Source() Source { return Source{Dir: c.Dir, File: c.Path} }
