// Command abigen writes xseg/internal/abi/zlayout_linux.go: the constants of include/xseg/abi.h
// under their Go names, and proofs that the hand-written structs of package abi lie in memory as
// the header's do. A mismatch is a compile error in either direction.
//
// It compiles the header with the C compiler and reads the debug information of the result;
// nothing is run, so a cross compiler does as well. `go generate` in xseg/internal/abi calls it.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
)

func main() {
	include := flag.String("include", "../../include", "directory of xseg/abi.h")
	mirror := flag.String("mirror", ".", "directory of the Go package that mirrors it")
	out := flag.String("out", "zlayout_linux.go", "file to write, in the directory of the package")
	flag.Parse()
	if err := run(*include, *mirror, *out); err != nil {
		fmt.Fprintln(os.Stderr, "abigen:", err)
		os.Exit(1)
	}
}

func run(include, mirror, out string) error {
	text, err := generate(include, mirror, out)
	if err != nil {
		return err
	}
	path := mirror + "/" + out
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil // keep the time of the file, so that nothing is built again
	}
	return os.WriteFile(path, text, 0o644)
}

// generate returns what the file out in package mirror has to contain.
func generate(include, mirror, out string) ([]byte, error) {
	h, err := readHeader(include)
	if err != nil {
		return nil, err
	}
	m, err := readMirror(mirror, out)
	if err != nil {
		return nil, err
	}
	return emit(h, m)
}
