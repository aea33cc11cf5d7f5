package vlmc

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/mapfmt"
	"archipelago/internal/volume"
)

// mapEntry is what --json prints of a map entry. The names of the fields are documented.
type mapEntry struct {
	Index  int64      `json:"index"`
	Levels []mapLevel `json:"levels"`
	Bottom *mapBottom `json:"bottom,omitempty"`
}

type mapLevel struct {
	Object string `json:"object"`
	Epoch  uint64 `json:"epoch"`
	Mask   string `json:"mask"` // 16 hexadecimal digits
}

type mapBottom struct {
	Kind   string `json:"kind"` // "hashed" or "foreign"
	Object string `json:"object,omitempty"`
	Origin uint32 `json:"origin,omitempty"`
	Index  int64  `json:"index,omitempty"`
}

func newMapinfoCommand(app *cli.App) *cobra.Command {
	var verbose bool
	cmd := &cobra.Command{
		Use:   "mapinfo NAME",
		Short: "Show the map of a volume",
		Long: "Print the size of the volume or snapshot NAME and how much of it refers to objects; with -v\n" +
			"each entry of the map, with the objects that it names and the sub-blocks that each holds.\n" +
			"With --json each entry is an object on a line of its own.",
		Example: "  vlmc mapinfo web -v",
		Args:    cli.Args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
				return app.Print(cmd, func(p *cli.Printer) error { return mapinfo(ctx, c, p, args[0], verbose) })
			})
		},
	}
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "print the entries")
	return cmd
}

func mapinfo(ctx context.Context, c *volume.Client, p *cli.Printer, name string, verbose bool) error {
	info, err := c.Info(ctx, name)
	if err != nil {
		return err
	}
	used, sum := int64(0), int64(0)
	if !p.JSON() {
		p.Linef("Volume: %s", name)
		p.Linef("Size: %d", info.Size)
	}
	err = c.Map(ctx, name, func(index int64, e *mapfmt.Entry) error {
		used++
		sum += int64(mapfmt.CountSubBlocks(info.ObjectSize, e.Held())) * mapfmt.SubBlockSize(info.ObjectSize)
		switch {
		case p.JSON():
			p.Object(describeEntry(index, e))
		case verbose:
			p.Linef("%s", entryLine(index, e))
		}
		return nil
	})
	if err == nil && !p.JSON() {
		p.Linef("Objects: %d of %d", used, mapfmt.ObjectCount(info.Size, info.ObjectSize))
		p.Linef("Bytes in objects: %d", sum)
	}
	return err
}

func describeEntry(index int64, e *mapfmt.Entry) mapEntry {
	d := mapEntry{Index: index, Levels: []mapLevel{}}
	for _, l := range e.Levels[:e.NumLevels] {
		d.Levels = append(d.Levels, mapLevel{mapfmt.ObjectName(mapfmt.ObjectOf(index, l)), l.Epoch, fmt.Sprintf("%016x", l.Mask)})
	}
	switch e.Bottom {
	case mapfmt.BottomHashed:
		d.Bottom = &mapBottom{Kind: "hashed", Object: hex.EncodeToString(e.Key[:])}
	case mapfmt.BottomForeign:
		origin, at := e.Foreign()
		d.Bottom = &mapBottom{Kind: "foreign", Origin: origin, Index: at}
	}
	return d
}

// entryLine is a line of -v: index, then the objects from the first to the last that is asked.
func entryLine(index int64, e *mapfmt.Entry) string {
	d := describeEntry(index, e)
	var parts []string
	for _, l := range d.Levels {
		parts = append(parts, l.Object+" "+l.Mask)
	}
	switch {
	case d.Bottom != nil && d.Bottom.Kind == "hashed":
		parts = append(parts, "hashed "+d.Bottom.Object)
	case d.Bottom != nil:
		parts = append(parts, fmt.Sprintf("foreign %d %d", d.Bottom.Origin, d.Bottom.Index))
	}
	return fmt.Sprintf("%d: %s", index, strings.Join(parts, ", "))
}
