package peer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"archipelago/internal/config"
	"archipelago/peers/peer"
	"archipelago/xseg"
	"archipelago/xseg/xsegtest"
)

// hosted joins a role that shares its process: what the environment says isn't meant for it.
func hosted(t *testing.T, h *peer.Host) (*peer.Peer, *xseg.Loop) {
	t.Helper()
	t.Setenv("NOTIFY_SOCKET", "/nonexistent/notify")
	node := xsegtest.NewSized(t, 64, 16)
	cfg := &config.Config{SegmentName: node.Name, Roles: []config.Role{{Name: "one", LogLevel: 2}}}
	p, err := peer.Join(peer.WithHost(t.Context(), h), cfg, "one")
	if err != nil {
		t.Fatal(err)
	}
	l, err := p.NewLoop()
	if err != nil {
		t.Fatal(err)
	}
	return p, l
}

// TestHosted: a role in a process of many talks to the manager that its host names, logs there, and
// gets the descriptors that the host passes.
func TestHosted(t *testing.T) {
	m := manage(t, "")
	var log bytes.Buffer
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	h := &peer.Host{Socket: os.Getenv("NOTIFY_SOCKET"), Watchdog: time.Minute, Log: &log,
		Passed: map[string][]*os.File{"nbd": {r}}}
	p, _ := hosted(t, h)
	if files := p.StoredFDs(); len(files["nbd"]) != 1 || files["nbd"][0] != r || !p.KeepsFDs() {
		t.Errorf("passed: %v", files)
	}
	if len(p.StoredFDs()) != 0 {
		t.Error("descriptors were passed twice")
	}
	r.Close()
	if err := p.RemoveFDs("x"); err != nil {
		t.Error(err)
	}
	m.expect("FDSTOREREMOVE=1\nFDNAME=x")
	ctx, cancel := context.WithCancel(t.Context())
	done := serve(ctx, p, peer.Hooks{})
	m.expect("READY=1")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := errors.Join(p.Leave(), h.End(patience)); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "msg=ready") {
		t.Errorf("log: %s", log.String())
	}
}

// TestHostEnds: what a role leaves running when it has returned, with a request that it never
// answers, is ended by its host; then the port is free.
func TestHostEnds(t *testing.T) {
	h := &peer.Host{Log: io.Discard}
	p, loop := hosted(t, h)
	received := make(chan struct{}, 1)
	keep := func(*xseg.Request) { received <- struct{}{} }
	if _, err := loop.Bind(t.Context(), 10, xseg.BindOptions{Role: "one", Handler: keep}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() { left <- errors.Join(p.Serve(ctx, peer.Hooks{}), p.Leave()) }()

	node := xsegtest.Node{Name: p.Segment.Name()}
	client := node.Peer(t)
	port := client.Bind(11, xseg.BindOptions{Role: "two"})
	client.Run()
	call := client.Connect(port, 10, xseg.ChannelOptions{Slots: 4, Wait: true}).Get(0)
	call.Submit()
	<-received
	cancel()
	if err := errors.Join(h.End(patience), <-left); err != nil {
		t.Error(err)
	}
	next, _ := node.Join(t).NewLoop()
	defer next.Close()
	if _, err := next.Bind(t.Context(), 10, xseg.BindOptions{Role: "one"}); err != nil {
		t.Error(err)
	}
}

// TestHostGivesUp: a role that holds on to its ports is reported, and descriptors that it never took
// are closed.
func TestHostGivesUp(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	h := &peer.Host{Log: io.Discard, Passed: map[string][]*os.File{"nbd": {r}}}
	p, _ := hosted(t, h)
	if err := h.End(time.Millisecond); err == nil || !strings.Contains(err.Error(), "role one") {
		t.Errorf("%v", err)
	}
	if err := r.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("what was passed: %v", err)
	}
	if err := p.Leave(); err != nil {
		t.Error(err)
	}
}
