package main

import (
	"context"
	"fmt"
)

// part is one chapter of a benchmark's results; O is the benchmark's options.
type part[O any] struct {
	name string
	run  func(ctx context.Context, o *O) (markdown string, err error)
}

// measureParts runs the parts one after the other (or the one that only names), prints head and
// what they say, and writes it between the markers of name in the document out ("" = none).
func measureParts[O any](ctx context.Context, name, head string, parts []part[O], o *O, only, out string) error {
	text := head
	for _, p := range parts {
		if only != "" && only != p.name {
			continue
		}
		progress("%s …", p.name)
		markdown, err := p.run(ctx, o)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		text += "\n" + markdown
	}
	text += stolenLine()
	fmt.Print(text)
	if out == "" {
		return nil
	}
	return writeBetween(out, name, text)
}
