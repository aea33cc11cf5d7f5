package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"archipelago/internal/config"
)

// binaries are the programs that serve each type of role.
var binaries = map[string]string{
	config.TypeFile:   "archip-filed",
	config.TypeRados:  "archip-sosd",
	config.TypeMapper: "archip-mapperd",
	config.TypeVlmcd:  "archip-vlmcd",
	config.TypeNBD:    "archip-nbdd",
	config.TypeFuse:   "archip-fused",
}

// Program returns the path of the program for a type of role: beside the running program, so that
// a build tree works by itself, else in PATH.
func Program(typ string) (string, error) {
	name, ok := binaries[typ]
	if !ok {
		return "", fmt.Errorf("no program serves roles of type %s", typ)
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), name)
		if st, err := os.Stat(beside); err == nil && st.Mode().IsRegular() {
			return beside, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("program %s is not installed: neither beside this program nor in PATH", name)
	}
	return path, nil
}
