package peer

import (
	"context"
	"syscall"
	"testing"
	"time"
)

func TestReplace(t *testing.T) {
	ctx, stop := WithReplace(t.Context())
	defer stop()
	if Replaced(ctx) {
		t.Fatal("nobody asked yet")
	}
	if err := syscall.Kill(syscall.Getpid(), ReplaceSignal); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the signal did not end the context")
	}
	if !Replaced(ctx) {
		t.Error(context.Cause(ctx))
	}
	inner, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	if !Replaced(inner) {
		t.Error("a context made of it doesn't know")
	}
}

// TestStopIsNoReplace: the end of a node has another cause.
func TestStopIsNoReplace(t *testing.T) {
	parent, cancel := context.WithCancel(t.Context())
	ctx, stop := WithReplace(parent)
	defer stop()
	cancel()
	<-ctx.Done()
	if Replaced(ctx) {
		t.Error(context.Cause(ctx))
	}
}
