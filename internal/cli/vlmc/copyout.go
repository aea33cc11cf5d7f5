package vlmc

import (
	"context"
	"sync"

	"archipelago/internal/cli"
)

// reader is the part of a volume that an export needs.
type reader interface {
	ReadAt(ctx context.Context, p []byte, off int64) error
}

// fetched is a block on its way from the volume.
type fetched struct {
	block
	done chan error // the read's end
}

// copyOut calls write for each block of a volume of size bytes, in order, reading ahead. When it
// returns, no read is under way any more, so that the caller may leave the node. When ctx ends, a
// write that blocks for ever (a pipe that nobody reads) is left behind.
func copyOut(ctx context.Context, src reader, size int64, write func(block) error, bar *cli.Progress) error {
	ctx, cancel := context.WithCancel(ctx)
	var reads sync.WaitGroup
	defer reads.Wait()
	defer cancel()
	free := make(chan []byte, parallel)
	for range parallel {
		free <- make([]byte, blockBytes)
	}
	queue := make(chan fetched, parallel)
	reads.Go(func() { fetchAll(ctx, &reads, src, size, free, queue) })
	end := make(chan error, 1)
	go func() {
		for b := range queue {
			err := <-b.done
			if err == nil {
				err = write(b.block)
			}
			if err != nil {
				end <- err
				return
			}
			bar.Add(int64(len(b.data)))
			free <- b.data[:blockBytes]
		}
		end <- ctx.Err()
	}()
	select {
	case err := <-end:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fetchAll starts the reads in order, as part of reads, and closes queue at the end, or when ctx
// ends.
func fetchAll(ctx context.Context, reads *sync.WaitGroup, src reader, size int64, free <-chan []byte,
	queue chan<- fetched) {
	defer close(queue)
	for at := int64(0); at < size; at += blockBytes {
		var b fetched
		select {
		case buf := <-free:
			b = fetched{block{at, buf[:min(blockBytes, size-at)]}, make(chan error, 1)}
		case <-ctx.Done():
			return
		}
		reads.Go(func() { b.done <- src.ReadAt(ctx, b.data, b.at) })
		queue <- b // never blocks: it holds as many as there are buffers
	}
}
