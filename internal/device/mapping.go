package device

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"archipelago/internal/config"
	"archipelago/internal/mapfmt"
)

// Mapping is a volume that is a block device. It is what the file of a mapping holds: fields are
// added, never changed.
type Mapping struct {
	Name     string    `json:"name"`
	UUID     string    `json:"uuid"`
	Device   string    `json:"device"` // path
	Index    int       `json:"id"`     // number of the device among those of its driver
	Driver   string    `json:"driver"`
	ReadOnly bool      `json:"read_only"`
	Holder   int       `json:"holder,omitempty"` // process that keeps it alive; 0 = none needed
	Unit     string    `json:"unit,omitempty"`   // of the service manager that runs it; "" = none does
	Since    time.Time `json:"since"`
	// Backing is by what the kernel tells the device from others: the path of the file for loop.
	Backing string `json:"backing"`
}

// maxFile bounds what is read of a file of a mapping.
const maxFile = 16 << 10

const fileEnding = ".json"

// Dir returns the directory of the files.
func Dir(cfg *config.Config) string { return filepath.Join(cfg.RuntimeDir, "mapped") }

func file(cfg *config.Config, name string) string {
	return filepath.Join(Dir(cfg), name+fileEnding)
}

// List returns what is mapped on this node, by name. It changes nothing and asks nobody but the
// kernel. A file that can't be read is an error, beside the mappings that could be.
func List(cfg *config.Config) ([]Mapping, error) {
	entries, err := os.ReadDir(Dir(cfg))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list mapped volumes: %w", err)
	}
	var all []Mapping
	var errs []error
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), fileEnding)
		if !ok {
			continue
		}
		m, err := load(cfg, name)
		if err != nil {
			errs = append(errs, err)
		} else if m != nil && m.alive() {
			all = append(all, *m)
		}
	}
	return all, errors.Join(errs...)
}

// Find returns the mapping of a volume's name or of a device's path. NotMappedError if there is
// none.
func Find(cfg *config.Config, what string) (*Mapping, error) {
	if !strings.HasPrefix(what, "/") {
		m, err := load(cfg, what)
		if err == nil && (m == nil || !m.alive()) {
			err = &NotMappedError{what}
		}
		return m, err
	}
	path := what
	if real, err := filepath.EvalSymlinks(what); err == nil {
		path = real // a link that udev made
	}
	all, err := List(cfg)
	for i := range all {
		if all[i].Device == path {
			return &all[i], nil
		}
	}
	return nil, errors.Join(err, &NotMappedError{what})
}

// load reads the file of a mapping; nil if there is none.
func load(cfg *config.Config, name string) (*Mapping, error) {
	if mapfmt.CheckVolumeName(name) != nil {
		return nil, nil // nothing can be mapped under it
	}
	f, err := os.Open(file(cfg, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("mapping of volume %s: %w", name, err)
	}
	defer f.Close()
	b := make([]byte, maxFile)
	n, err := f.Read(b)
	if err != nil {
		return nil, fmt.Errorf("mapping of volume %s: read %s: %w", name, f.Name(), err)
	}
	m, err := parse(b[:n])
	if err == nil && m.Name != name {
		err = fmt.Errorf("it is that of %q", m.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("mapping of volume %s: %s is damaged (remove it if nothing is mapped): %w",
			name, f.Name(), err)
	}
	return m, nil
}

// parse reads the content of a file.
func parse(b []byte) (*Mapping, error) {
	m := &Mapping{}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, err
	}
	if err := mapfmt.CheckVolumeName(m.Name); err != nil {
		return nil, err
	}
	if !filepath.IsAbs(m.Device) || filepath.Clean(m.Device) != m.Device || m.Index < 0 || m.Holder < 0 {
		return nil, fmt.Errorf("device %q, number %d, holder %d", m.Device, m.Index, m.Holder)
	}
	return m, nil
}

// store writes the file of a mapping, whole or not at all. No sync: it needn't outlive the machine,
// whose devices don't either.
func store(cfg *config.Config, m *Mapping) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	path := file(cfg, m.Name)
	temp := path + ".new" // changes are serialised: there is one writer
	err = os.WriteFile(temp, append(b, '\n'), 0o644)
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return fmt.Errorf("mapping of volume %s: %w", m.Name, err)
	}
	return nil
}

func forget(cfg *config.Config, name string) error {
	err := os.Remove(file(cfg, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("mapping of volume %s: %w", name, err)
	}
	return nil
}
