package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

// completions writes what the shells need to complete the commands that people type.
func completions(all []program, dir string) error {
	var err error
	for _, p := range all {
		if p.peer {
			continue
		}
		root, name := p.root, p.root.Name()
		root.InitDefaultHelpCmd()
		for _, c := range []struct {
			file string
			gen  func(io.Writer) error
		}{
			{filepath.Join("bash", name), func(w io.Writer) error { return root.GenBashCompletionV2(w, true) }},
			{filepath.Join("zsh", "_"+name), root.GenZshCompletion},
			{filepath.Join("fish", name+".fish"), func(w io.Writer) error { return root.GenFishCompletion(w, true) }},
		} {
			var b bytes.Buffer
			if genErr := c.gen(&b); genErr != nil {
				err = errors.Join(err, fmt.Errorf("%s: %w", c.file, genErr))
				continue
			}
			err = errors.Join(err, write(filepath.Join(dir, c.file), b.String()))
		}
	}
	return err
}
