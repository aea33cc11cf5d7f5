package volume

import (
	"errors"
	"syscall"
	"testing"

	"archipelago/internal/audit"
	"archipelago/internal/config"
	"archipelago/internal/mapfmt"
	"archipelago/peers/blocker"
	"archipelago/peers/blocker/faultstore"
	"archipelago/peers/blocker/memstore"
	"archipelago/peers/blocker/remote"
	"archipelago/xseg"
)

// checked is a fake node with blockers, whose store has a header and a record that doesn't check.
func checked(t *testing.T) (*Client, *faultstore.Store) {
	n := newNode(t)
	maps := faultstore.Wrap(memstore.New())
	header, err := mapfmt.EncodeStoreHeader(&mapfmt.StoreHeader{ID: mapfmt.UUID{1}, Nodes: mapfmt.NodesSingle})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		mapfmt.StoreHeaderName: header, mapfmt.RecordName("v"): []byte("damaged"),
	} {
		if err := blocker.Do(maps, &blocker.Op{Kind: blocker.Create, Name: name, Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	for no, store := range map[xseg.PortNo]blocker.Store{1002: maps, 1000: memstore.New()} {
		p := n.Peer(t)
		p.Bind(no, xseg.BindOptions{Role: "blocker", Handler: remote.Serve(store)})
		p.Run()
	}
	cfg := n.config()
	mapperd := cfg.ByType(config.TypeMapper)
	mapperd.BlockermPort, mapperd.BlockerbPort = 1002, 1000
	c, err := Dial(testContext(t), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, maps
}

// TestCheck: what the blockers hold is checked, each by its own port.
func TestCheck(t *testing.T) {
	c, _ := checked(t)
	var found []audit.Finding
	sum, err := c.Check(testContext(t), audit.Options{Report: func(f audit.Finding) { found = append(found, f) }})
	if err != nil || len(found) != 1 || found[0].Object != "v/v" || found[0].Severity != audit.Corrupt || sum.Volumes != 1 {
		t.Errorf("%v, %+v, findings %v", err, sum, found)
	}
}

// TestCheckOfASilentBlocker: a blocker that went away is no damage of what it keeps.
func TestCheckOfASilentBlocker(t *testing.T) {
	for _, errno := range []error{syscall.EHOSTDOWN, blocker.ErrClosed, blocker.ErrFenced} {
		c, maps := checked(t)
		maps.Inject(faultstore.Rule{Kind: blocker.Stat, Err: errno})
		_, err := c.Check(testContext(t), audit.Options{Report: func(f audit.Finding) { t.Errorf("%v: %v", errno, f) }})
		if !errors.Is(err, xseg.ErrNotRunning) {
			t.Errorf("%v: the check ended with %v", errno, err)
		}
	}
}
