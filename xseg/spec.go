package xseg

import (
	"fmt"
	"strconv"
	"strings"

	"archipelago/xseg/internal/abi"
)

// maxSizeMiB bounds a segment (16 TiB of sparse file): enough, and no sum of offsets overflows.
const maxSizeMiB = 16 << 20

// Spec describes a segment: posix:<name>:<ports>:<MiB>:<page shift>.
type Spec struct {
	Name      string // [A-Za-z0-9._-], 1-63 bytes
	Ports     int
	SizeMiB   int
	PageShift int // only 12
}

// ParseSpec reads the documented form of a spec.
func ParseSpec(s string) (Spec, error) {
	f := strings.Split(s, ":")
	if len(f) != 5 || f[0] != "posix" {
		return Spec{}, fmt.Errorf("%q: want posix:NAME:PORTS:MIB:12: %w", s, ErrSpec)
	}
	var n [3]int
	for i, field := range f[2:] {
		v, err := strconv.Atoi(field)
		if err != nil {
			return Spec{}, fmt.Errorf("%q: %q is no number: %w", s, field, ErrSpec)
		}
		n[i] = v
	}
	spec := Spec{Name: f[1], Ports: n[0], SizeMiB: n[1], PageShift: n[2]}
	if err := spec.check(); err != nil {
		return Spec{}, fmt.Errorf("%q: %w", s, err)
	}
	return spec, nil
}

// String returns the documented form.
func (s Spec) String() string {
	return fmt.Sprintf("posix:%s:%d:%d:%d", s.Name, s.Ports, s.SizeMiB, s.PageShift)
}

func (s Spec) check() error {
	if err := checkName(s.Name); err != nil {
		return err
	}
	switch {
	case s.Ports < abi.MinPorts || s.Ports > abi.MaxPorts:
		return fmt.Errorf("%d ports: want %d to %d: %w", s.Ports, abi.MinPorts, abi.MaxPorts, ErrSpec)
	case s.PageShift != abi.PageShift:
		return fmt.Errorf("page shift %d: want %d: %w", s.PageShift, abi.PageShift, ErrSpec)
	case s.SizeMiB > maxSizeMiB:
		return fmt.Errorf("%d MiB: at most %d: %w", s.SizeMiB, maxSizeMiB, ErrSpec)
	}
	if least := tablesFor(s.Ports, s.SizeMiB).heap>>20 + 1; s.SizeMiB < int(least) {
		return fmt.Errorf("%d MiB: %d ports need at least %d: %w", s.SizeMiB, s.Ports, least, ErrSpec)
	}
	return nil
}

func checkName(name string) error {
	if len(name) == 0 || len(name) > abi.NameMax {
		return fmt.Errorf("name of %d bytes: want 1 to %d: %w", len(name), abi.NameMax, ErrSpec)
	}
	if name[0] == '.' {
		return fmt.Errorf("name %q starts with a dot: %w", name, ErrSpec)
	}
	for i := range len(name) {
		if c := name[i]; !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			c == '.' || c == '_' || c == '-') {
			return fmt.Errorf("name %q: %q is not allowed: %w", name, c, ErrSpec)
		}
	}
	return nil
}
