package fused

import (
	"testing"
	"time"
)

// TestInterruptedRequestsMayEnd: a signal doesn't end a request at once, but it does end one that
// hangs.
func TestInterruptedRequestsMayEnd(t *testing.T) {
	cancel := make(chan struct{})
	ctx, end := until(cancel)
	defer end()
	begin := time.Now()
	close(cancel)
	select {
	case <-ctx.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("a request that hangs goes on for ever")
	}
	if took := time.Since(begin); took < interruptGrace {
		t.Errorf("ended after %v", took)
	}
}

func TestEndedRequestsLeaveNothing(t *testing.T) {
	cancel := make(chan struct{})
	ctx, end := until(cancel)
	end()
	end()
	if ctx.Err() == nil {
		t.Error("the context goes on")
	}
}
