package mapfmt

// NodesMode says how many nodes may use a store. Part of the format: do not change.
type NodesMode uint32

// How many nodes may use a store.
const (
	NodesSingle NodesMode = 1 // one, which holds a lock on the directory; no leases
	NodesShared NodesMode = 2 // many, with leases
)

func (m NodesMode) String() string {
	switch m {
	case NodesSingle:
		return "single"
	case NodesShared:
		return "shared"
	}
	return "unknown"
}

// StoreHeader is the content of the header of a store.
type StoreHeader struct {
	ID      UUID // of the store, made at its creation
	Nodes   NodesMode
	Created int64 // seconds since 1970 UTC; for people only
}

// EncodeStoreHeader returns the bytes of the file of a store's header. Its body: id 16 bytes,
// created i64, nodes u32, reserved 20 bytes.
func EncodeStoreHeader(h *StoreHeader) ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	b := beginFrame(kindStore, 48)
	b = append(b, h.ID[:]...)
	b = appendU64(b, uint64(h.Created))
	b = appendU32(b, uint32(h.Nodes))
	return endFrame(appendZeros(b, 20)), nil
}

// DecodeStoreHeader reads the file of a store's header.
func DecodeStoreHeader(data []byte) (*StoreHeader, error) {
	d, err := openWhole(kindStore, data)
	if err != nil {
		return nil, err
	}
	h := &StoreHeader{ID: d.id(), Created: int64(d.u64()), Nodes: NodesMode(d.u32())}
	d.zeros(20)
	if err := d.end(); err != nil {
		return nil, err
	}
	if err := h.check(); err != nil {
		return nil, corruptf(d.what, "%v", err)
	}
	return h, nil
}

func (h *StoreHeader) check() error {
	if h.ID == (UUID{}) {
		return argumentf(kindStore.what, "no id")
	}
	if h.Nodes != NodesSingle && h.Nodes != NodesShared {
		return argumentf(kindStore.what, "unknown mode %d", uint32(h.Nodes))
	}
	return nil
}
