package vlmc

import (
	"context"
	"sync"

	"archipelago/internal/cli"
)

// writer is the part of a volume that an import needs.
type writer interface {
	WriteAt(ctx context.Context, p []byte, off int64) error
}

// copyIn writes the data of src to a blank volume of size bytes. Zeros are left out. When it
// returns, no write is under way any more, and a file or block device isn't read any more: the
// caller closes it. A stream may block for ever (a pipe that nobody writes to): when ctx ends, its
// reader is left behind.
func copyIn(ctx context.Context, dst writer, src *source, size int64, bar *cli.Progress) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	free := make(chan []byte, parallel)
	for range parallel {
		free <- make([]byte, blockBytes)
	}
	work := make(chan block)
	readEnd := make(chan error, 1)
	go func() { readEnd <- feed(ctx, src, size, free, work) }()

	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() {
			for {
				select {
				case b, ok := <-work:
					if !ok {
						return
					}
					if err := writeBlock(ctx, dst, b); err != nil {
						cancel(err)
					}
					bar.Add(int64(len(b.data)))
					free <- b.data[:blockBytes]
				case <-ctx.Done():
					return
				}
			}
		})
	}
	workers.Wait()
	if ctx.Err() == nil {
		return <-readEnd
	}
	if src.sized {
		<-readEnd // what it says comes from the end of ctx
	}
	return context.Cause(ctx)
}

// feed reads the source into free buffers, and closes work at its end.
func feed(ctx context.Context, src *source, size int64, free <-chan []byte, work chan<- block) error {
	defer close(work)
	get := func() []byte {
		select {
		case buf := <-free:
			return buf
		case <-ctx.Done():
			return nil
		}
	}
	return src.blocks(size, get, func(b block) bool {
		select {
		case work <- b:
			return true
		case <-ctx.Done():
			return false
		}
	})
}

// writeBlock writes what isn't zeros.
func writeBlock(ctx context.Context, dst writer, b block) error {
	for _, r := range dataRuns(b.data) {
		if err := dst.WriteAt(ctx, b.data[r.from:r.to], b.at+int64(r.from)); err != nil {
			return err
		}
	}
	return nil
}
