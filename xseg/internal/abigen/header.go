package main

import (
	"debug/dwarf"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// prefix is what the names of all types of the header begin with; others come with the compiler's
// own headers.
const prefix = "xseg_"

// header is the layout that the C compiler made of abi.h, in the order of the file.
type header struct {
	enums   []*dwarf.EnumType
	structs []*dwarf.StructType
}

// readHeader compiles xseg/abi.h and reads its types back.
func readHeader(include string) (*header, error) {
	dir, err := os.MkdirTemp("", "abigen")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	object := filepath.Join(dir, "abi.o")
	if err := compile(include, object); err != nil {
		return nil, err
	}
	f, err := elf.Open(object)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, err := f.DWARF()
	if err != nil {
		return nil, fmt.Errorf("debug information of abi.h: %w", err)
	}
	return readTypes(d)
}

// compiler is $CC, or cc.
func compiler() string {
	if cc := os.Getenv("CC"); cc != "" {
		return cc
	}
	return "cc"
}

func compile(include, object string) error {
	// Without -fno-eliminate-unused-debug-types the types of a header that nothing uses are dropped.
	cmd := exec.Command(compiler(), "-g", "-fno-eliminate-unused-debug-types", "-Wall", "-Werror",
		"-I", include, "-x", "c", "-c", "-", "-o", object)
	cmd.Stdin = strings.NewReader("#include <xseg/abi.h>\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

func readTypes(d *dwarf.Data) (*header, error) {
	h := &header{}
	for r := d.Reader(); ; {
		entry, err := r.Next()
		if err != nil {
			return nil, err
		}
		if entry == nil {
			break
		}
		name, _ := entry.Val(dwarf.AttrName).(string)
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if err := h.add(d, entry); err != nil {
			return nil, fmt.Errorf("type %s: %w", name, err)
		}
	}
	if len(h.enums) == 0 || len(h.structs) == 0 {
		return nil, errors.New("no types of abi.h in the debug information")
	}
	return h, nil
}

func (h *header) add(d *dwarf.Data, entry *dwarf.Entry) error {
	if entry.Tag != dwarf.TagEnumerationType && entry.Tag != dwarf.TagStructType {
		return nil
	}
	t, err := d.Type(entry.Offset)
	if err != nil {
		return err
	}
	switch t := t.(type) {
	case *dwarf.EnumType:
		h.enums = append(h.enums, t)
	case *dwarf.StructType:
		h.structs = append(h.structs, t)
	}
	return nil
}
