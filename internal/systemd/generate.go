package systemd

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// dropin has, by type of role, what the unit of a peer must be allowed beyond the others.
//
//go:embed dropin/*.conf
var dropin embed.FS

// template is the unit of all peers, as it is installed.
const template = "/lib/systemd/system/archipelago-peer@.service"

// Role is what units must know of a role.
type Role struct {
	Name string
	Type string
}

// Generate writes into dir, as a generator of systemd does, what no unit file can say because the
// configuration does: which peers belong to the node, and in which order they start, each after
// those before it; they stop in the reverse order, also when the machine goes down.
func Generate(dir string, roles []Role) error {
	wants := filepath.Join(dir, Target+".wants")
	if err := os.MkdirAll(wants, 0o755); err != nil {
		return err
	}
	for i, r := range roles {
		if err := os.Symlink(template, filepath.Join(wants, Peer(r.Name))); err != nil {
			return err
		}
		if err := generateRole(filepath.Join(dir, Peer(r.Name)+".d"), roles[:i], r.Type); err != nil {
			return err
		}
	}
	return nil
}

// generateRole writes the drop-ins of one peer.
func generateRole(dir string, before []Role, typ string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text := "# By archipelago-generator, out of the order of roles.\n[Unit]\n"
	for _, r := range before {
		text += "After=" + Peer(r.Name) + "\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "50-order.conf"), []byte(text), 0o644); err != nil {
		return err
	}
	extra, err := fs.ReadFile(dropin, "dropin/"+typ+".conf")
	if err != nil {
		return nil // its type needs nothing beyond the others
	}
	return os.WriteFile(filepath.Join(dir, "50-type.conf"), extra, 0o644)
}

// Misordered returns the name of a role whose unit doesn't come after all those before it: the
// configuration was changed since the generator ran. "" if all is well; roles[i] belongs to units[i].
func Misordered(roles []string, units []*Unit) string {
	for i, u := range units {
		after := " " + strings.Join(u.After, " ") + " "
		for _, before := range roles[:i] {
			if !strings.Contains(after, fmt.Sprintf(" %s ", Peer(before))) {
				return roles[i]
			}
		}
	}
	return ""
}
