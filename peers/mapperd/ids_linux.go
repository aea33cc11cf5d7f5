package mapperd

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"
)

// bootID returns the kernel's id of this boot.
func bootID() ([16]byte, error) {
	const path = "/proc/sys/kernel/random/boot_id"
	text, err := os.ReadFile(path)
	if err != nil {
		return [16]byte{}, fmt.Errorf("boot id: %w", err)
	}
	id, err := parseID(string(text))
	if err != nil {
		return [16]byte{}, fmt.Errorf("boot id in %s: %w", path, err)
	}
	return id, nil
}

// machineID returns the id of this machine, or zeros where there is none (containers).
func machineID() [16]byte {
	text, err := os.ReadFile("/etc/machine-id")
	if err != nil {
		return [16]byte{}
	}
	id, err := parseID(string(text))
	if err != nil {
		return [16]byte{}
	}
	return id
}

// parseID reads 32 hexadecimal digits, with hyphens or without.
func parseID(text string) (id [16]byte, err error) {
	digits := strings.ReplaceAll(strings.TrimSpace(text), "-", "")
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("%.40q is not 32 hexadecimal digits", text)
	}
	return [16]byte(b), nil
}
