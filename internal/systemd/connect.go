package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	service = "org.freedesktop.systemd1"
	object  = dbus.ObjectPath("/org/freedesktop/systemd1")
	manager = service + ".Manager"
	// removed is the signal at the end of a job.
	removed = "JobRemoved"
)

// Tuning.
const (
	// callTimeout bounds every single call, whatever the caller's context says: the manager answers
	// in milliseconds, and does so while jobs run.
	callTimeout = 25 * time.Second
	// callsAtOnce: a bus refuses more than 128 unanswered calls of one connection.
	callsAtOnce = 64
	// signalRoom is the queue of signals that weren't looked at yet.
	signalRoom = 256
)

const systemBus = "unix:path=/run/dbus/system_bus_socket"

// Manager is a connection to the system manager. Safe for use by many goroutines.
type Manager struct {
	conn  *dbus.Conn
	calls chan struct{} // holds a token for each call under way
	jobs  jobTable
	lost  chan struct{} // closed when the connection has ended
	close sync.Once
}

// Connect connects to the manager on the bus at that address; "" is the system bus (that of
// DBUS_SYSTEM_BUS_ADDRESS, if it is set). The connection outlives ctx, which bounds the connecting
// alone. Errors: ErrNoBus, ErrNoManager, ErrDenied.
func Connect(ctx context.Context, address string) (*Manager, error) {
	if address == "" {
		address = os.Getenv("DBUS_SYSTEM_BUS_ADDRESS")
	}
	if address == "" {
		address = systemBus
	}
	conn, err := dial(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("%w (%s): %w", ErrNoBus, address, err)
	}
	m := &Manager{conn: conn, calls: make(chan struct{}, callsAtOnce), lost: make(chan struct{})}
	signals := make(chan *dbus.Signal, signalRoom)
	conn.Signal(signals)
	go m.receive(signals)
	if err := m.subscribe(ctx); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// Close ends the connection. Calls under way end with ErrLost.
func (m *Manager) Close() error {
	var err error
	m.close.Do(func() { err = m.conn.Close() })
	<-m.lost
	return err
}

// dial connects and authenticates. The library does both without a deadline, so the work is done
// beside, and ended by closing what it works on.
func dial(ctx context.Context, address string) (*dbus.Conn, error) {
	type outcome struct {
		conn *dbus.Conn
		err  error
	}
	opened := make(chan outcome, 1)
	go func() {
		conn, err := dbus.Dial(address)
		opened <- outcome{conn, err}
	}()
	select {
	case o := <-opened:
		if o.err != nil {
			return nil, o.err
		}
		return greet(ctx, o.conn)
	case <-ctx.Done():
		go func() {
			if o := <-opened; o.err == nil {
				o.conn.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// greet authenticates as the user of this process and says hello.
func greet(ctx context.Context, conn *dbus.Conn) (*dbus.Conn, error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	err := conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Geteuid()))})
	if err == nil {
		err = conn.Hello()
	}
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// subscribe asks for the signals of jobs: without Subscribe the manager may send none.
func (m *Manager) subscribe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := m.conn.AddMatchSignalContext(ctx, dbus.WithMatchSender(service),
		dbus.WithMatchInterface(manager), dbus.WithMatchMember(removed))
	if err != nil {
		return fmt.Errorf("watch jobs: %w", classify(err))
	}
	return m.call(ctx, object, manager+".Subscribe", nil)
}

// receive brings signals to the table of jobs until the connection ends.
func (m *Manager) receive(signals <-chan *dbus.Signal) {
	defer close(m.lost)
	for s := range signals {
		if s.Name != manager+"."+removed || len(s.Body) < 4 {
			continue
		}
		job, isPath := s.Body[1].(dbus.ObjectPath)
		result, isText := s.Body[3].(string)
		if isPath && isText {
			m.jobs.end(job, result)
		}
	}
}

// call calls a method and stores its results in the values that out points to (nil: none).
func (m *Manager) call(ctx context.Context, path dbus.ObjectPath, method string, out []any, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	select {
	case m.calls <- struct{}{}:
		defer func() { <-m.calls }()
	case <-m.lost:
		return ErrLost
	case <-ctx.Done():
		return classify(ctx.Err())
	}
	c := m.conn.Object(service, path).CallWithContext(ctx, method, 0, args...)
	if c.Err != nil {
		return classify(c.Err)
	}
	return c.Store(out...)
}
