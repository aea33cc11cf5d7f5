package vlmc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/mapfmt"
	"archipelago/internal/volume"
)

type importOptions struct{ size, objectSize cli.Size }

func newImportCommand(app *cli.App) *cobra.Command {
	var opts importOptions
	cmd := &cobra.Command{
		Use:   "import FILE NAME [-s SIZE]",
		Short: "Create a volume from a file",
		Long: "Create the volume NAME with the content of FILE: a raw image, a block device, or - for\n" +
			"standard input. The volume is as large as FILE, rounded up to 512 bytes, unless a larger\n" +
			"SIZE is given; for a pipe SIZE must be given. Holes and zeros take no room. If the import\n" +
			"fails or is interrupted the volume is removed.",
		Example: "  vlmc import debian.img web\n  zcat debian.img.gz | vlmc import - web -s 10G",
		Args:    cli.Args("FILE", "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return importFile(cmd, app, args[0], args[1], &opts)
		},
	}
	cmd.Flags().VarP(&opts.size, "size", "s", "size of the volume")
	cmd.Flags().Var(&opts.objectSize, "object-size", "size of the objects: a power of two from 64K to 64M "+
		"(default 4M)")
	return cmd
}

func importFile(cmd *cobra.Command, app *cli.App, path, name string, opts *importOptions) error {
	src, err := openSource(path)
	if err != nil {
		return err
	}
	defer src.file.Close()
	size, err := volumeSize(src, int64(opts.size))
	if err != nil {
		return err
	}
	return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
		info, err := c.Create(ctx, name, size, int64(opts.objectSize))
		if err != nil {
			return err
		}
		if err := fill(ctx, cmd, c, name, src, size); err != nil {
			return errors.Join(fmt.Errorf("import %s: %w", name, err), undo(ctx, c, name))
		}
		return made(cmd, app, info, "")
	})
}

// volumeSize returns the size of the volume that is made for a source.
func volumeSize(src *source, wanted int64) (int64, error) {
	const sector = mapfmt.SectorSize
	switch {
	case !src.sized && wanted == 0:
		return 0, cli.Usagef("the size of a pipe isn't known beforehand: --size must be given")
	case !src.sized:
		return wanted, nil
	case wanted != 0 && wanted < src.size:
		return 0, cli.Usagef("a volume of %d bytes is too small for %s, which has %d", wanted,
			src.file.Name(), src.size)
	case wanted != 0:
		return wanted, nil
	case src.size == 0:
		return 0, cli.Usagef("%s is empty: --size must be given", src.file.Name())
	}
	return (src.size + sector - 1) / sector * sector, nil
}

// fill copies the source into the new volume and makes it durable.
func fill(ctx context.Context, cmd *cobra.Command, c *volume.Client, name string, src *source, size int64) error {
	v, err := c.Open(ctx, name)
	if err != nil {
		return err
	}
	bar := cli.NewProgress(cmd.ErrOrStderr(), "import", src.size)
	err = copyIn(ctx, v, src, size, bar)
	bar.End()
	if err != nil {
		return err
	}
	if err := v.Flush(ctx); err != nil {
		return err
	}
	return c.CloseVolume(ctx, name)
}

// undoTimeout bounds the removal of a volume whose import failed: the node may be gone.
const undoTimeout = 30 * time.Second

// undo removes the half-filled volume, even though ctx may have ended.
func undo(ctx context.Context, c *volume.Client, name string) error {
	if hasEnded(ctx) {
		return fmt.Errorf("the half-filled volume %s stays: remove it when the node runs again", name)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if err := c.Remove(ctx, name); err != nil {
		return fmt.Errorf("the half-filled volume %s stays: %w", name, err)
	}
	return nil
}
