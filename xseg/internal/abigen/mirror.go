package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// mirror is what the hand-written files of the Go package declare.
type mirror struct {
	pkg     string
	consts  map[string]bool
	structs map[string]bool
}

// readMirror reads the package in dir but for the generated file and tests.
func readMirror(dir, generated string) (*mirror, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	m := &mirror{consts: map[string]bool{}, structs: map[string]bool{}}
	for _, f := range files {
		name := f.Name()
		if name == generated || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, 0)
		if err != nil {
			return nil, err
		}
		m.add(file)
	}
	if m.pkg == "" {
		return nil, fmt.Errorf("no Go package in %s", dir)
	}
	return m, nil
}

func (m *mirror) add(file *ast.File) {
	m.pkg = file.Name.Name
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range gen.Specs {
			switch s := spec.(type) {
			case *ast.ValueSpec:
				for _, name := range s.Names {
					m.consts[name.Name] = true
				}
			case *ast.TypeSpec:
				if _, ok := s.Type.(*ast.StructType); ok {
					m.structs[s.Name.Name] = true
				}
			}
		}
	}
}
