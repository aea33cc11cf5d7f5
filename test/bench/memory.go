package main

import (
	"context"
	"errors"
	"fmt"

	"archipelago/xseg"
)

// memory tells what a segment with many bound ports and idle channels takes: of a client's number
// of slots, and of a peer's.
func memory(ctx context.Context, o *options) (string, error) {
	t := newTable("slots per channel", "segment", "process of the ports", "process of the channels", "all")
	for _, slots := range []int{64, 512} {
		row, err := measureMemory(ctx, o, slots)
		if err != nil {
			return "", fmt.Errorf("%d slots: %w", slots, err)
		}
		t.add(row...)
	}
	return "### Memory\n\n" + t.String() + fmt.Sprintf("\nResident, with %d bound ports that serve, and %d idle channels that "+
		"each have carried a request\n(64 slots: those of a tool; 512: those of a peer). Goal: at most 40 MiB.\n",
		o.ports, o.channels), nil
}

func measureMemory(ctx context.Context, o *options, slots int) (row []string, err error) {
	s, err := newSegment(2048, 8192)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	ports, err := s.start(ctx, "ports", 0, o.ports)
	if err != nil {
		return nil, err
	}
	channels, err := s.start(ctx, "channels", o.ports, 0, o.channels, slots)
	if err != nil {
		return nil, err
	}
	if answer, err := channels.ask("use"); err != nil || answer != "ok" {
		return nil, fmt.Errorf("channels don't work: %s: %w", answer, err)
	}
	inSegment, err := backed(s.name)
	if err != nil {
		return nil, err
	}
	ofPorts, err := privateMemory(ports.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	ofChannels, err := privateMemory(channels.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	return []string{fmt.Sprint(slots), mebis(inSegment), mebis(ofPorts), mebis(ofChannels),
		mebis(inSegment + ofPorts + ofChannels)}, nil
}

func backed(segment string) (int64, error) {
	s, err := xseg.Join(segment)
	if err != nil {
		return 0, err
	}
	return s.Info().BackedBytes, s.Leave()
}
