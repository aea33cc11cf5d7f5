package vlmc

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"archipelago/internal/cli"
	"archipelago/internal/config"
	"archipelago/internal/device"
	"archipelago/internal/volume"
)

// volumeReadOnly is XSEG_VOLUME_READONLY of abi.h.
const volumeReadOnly = 1

// mapDrivers are the drivers that may be asked for.
var mapDrivers = []string{"auto", "xsegbd", "nbd", "loop"}

type mapOptions struct {
	readOnly bool
	driver   string
	hold     bool
}

func newMapCommand(app *cli.App) *cobra.Command {
	var opts mapOptions
	cmd := &cobra.Command{
		Use:   "map NAME",
		Short: "Make a volume a block device",
		Long: "Make the volume or snapshot NAME a block device of this machine and print its path. One that\n" +
			"is mapped already keeps its device, whose path is printed. A snapshot is mapped read-only.\n" +
			"Only root may map.\n\n" +
			"The driver is that of the configuration (map_driver) unless --driver is given: nbd is the\n" +
			"kernel's NBD client, loop a loop device on the file of the volume (the node needs the role\n" +
			"fused); auto takes the first one that the machine has. Killing nbdd makes users of an nbd\n" +
			"device wait; killing fused gives those of a loop device errors.",
		Example: "  vlmc map web\n  vlmc map web-monday --read-only",
		Args:    cli.Args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if opts.hold {
				return holdDevice(cmd, app, args[0])
			}
			if !slices.Contains(mapDrivers, opts.driver) && opts.driver != "" {
				return cli.Usagef("--driver %s: it must be %s", opts.driver, strings.Join(mapDrivers, ", "))
			}
			return mapVolume(cmd, app, args[0], &opts)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&opts.readOnly, "read-only", false, "refuse writes to the device")
	flags.StringVar(&opts.driver, "driver", "", "auto, xsegbd, nbd or loop (default: map_driver of the configuration)")
	flags.BoolVar(&opts.hold, "hold", false, "stay, and keep the device of a mapped volume connected: for service managers")
	return cmd
}

func mapVolume(cmd *cobra.Command, app *cli.App, name string, opts *mapOptions) error {
	cfg, err := app.Config()
	if err != nil {
		return err
	}
	return onNode(cmd, app, func(ctx context.Context, c *volume.Client) error {
		info, err := c.Info(ctx, name)
		if err != nil {
			return err
		}
		v := device.Volume{Name: info.Name, UUID: info.UUID, Size: info.Size, ReadOnly: info.Flags&volumeReadOnly != 0}
		m, err := device.Map(ctx, cfg, v, device.Options{
			Driver: opts.driver, ReadOnly: opts.readOnly,
			Holder: func(name string) (device.Holder, error) { return startHolder(ctx, cfg, name) },
			Warn:   func(err error) { fmt.Fprintln(cmd.ErrOrStderr(), "vlmc: warning:", err) },
		})
		if err != nil {
			return err
		}
		return app.Print(cmd, func(p *cli.Printer) error {
			if p.JSON() {
				p.Object(m)
			} else {
				p.Linef("%s", m.Device)
			}
			return nil
		})
	})
}

// refuseMapped is an error if a volume is mapped on this node.
func refuseMapped(app *cli.App, name string) error {
	cfg, err := app.Config()
	if err != nil {
		return err
	}
	return device.CheckUnmapped(cfg, name)
}

// resizeDevice tells the device of a volume, if it has one, the new size.
func resizeDevice(app *cli.App, name string, size int64) error {
	cfg, err := app.Config()
	if err != nil {
		return err
	}
	return device.Resized(cfg, name, size)
}

// listMapped is what showmapped prints.
func listMapped(cmd *cobra.Command, app *cli.App, cfg *config.Config) error {
	all, err := device.List(cfg)
	printed := app.Print(cmd, func(p *cli.Printer) error {
		if p.JSON() {
			for i := range all {
				p.Object(&all[i])
			}
			return nil
		}
		// This form is documented: scripts read it.
		if len(all) == 0 {
			p.Linef("No volumes mapped\n")
			return nil
		}
		p.Linef("id\timage\t\tdevice")
		for i := range all {
			p.Linef("%d\t%s\t%s", all[i].Index, all[i].Name, all[i].Device)
		}
		return nil
	})
	if printed != nil {
		return printed
	}
	return err
}
