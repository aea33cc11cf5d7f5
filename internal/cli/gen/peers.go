package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"

	"archipelago/internal/cli"
)

// peerPrograms finds the programs of peers: those whose main function is cli.PeerMain. Their code
// isn't linked in for that; it would bring all that they use.
func peerPrograms(dir string) ([]program, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*", "main.go"))
	if err != nil {
		return nil, err
	}
	var all []program
	for _, path := range files {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		if name, short, ok := peerMain(f); ok {
			all = append(all, program{root: cli.NewPeer(name, "", short, nil), section: 8, peer: true})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no peer's main function below %s", dir)
	}
	return all, nil
}

// peerMain returns the arguments of the call cli.PeerMain(name, type, short, run).
func peerMain(f *ast.File) (name, short string, ok bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		call, is := n.(*ast.CallExpr)
		if !is || len(call.Args) != 4 {
			return true
		}
		if sel, is := call.Fun.(*ast.SelectorExpr); is && sel.Sel.Name == "PeerMain" {
			name, short = literal(call.Args[0]), literal(call.Args[2])
			ok = name != "" && short != ""
		}
		return true
	})
	return name, short, ok
}

func literal(e ast.Expr) string {
	l, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	text, err := strconv.Unquote(l.Value)
	if err != nil {
		return ""
	}
	return text
}
