package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"archipelago/internal/config"
)

// maxSocket is the longest path of a Unix socket.
const maxSocket = 107

// Listen opens an address: "unix:PATH", or a TCP one ("HOST:PORT"). A socket file that nobody listens
// on is replaced; one that is served is an error.
func Listen(address string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, "unix:")
	if !isUnix {
		ln, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("listen on %s: %w", address, err)
		}
		return ln, nil
	}
	ln, err := listenUnix(path)
	if err != nil {
		return nil, fmt.Errorf("listen on socket %s: %w", path, err)
	}
	return ln, nil
}

func listenUnix(path string) (net.Listener, error) {
	if path == "" || len(path) > maxSocket {
		return nil, fmt.Errorf("a path of %d bytes; 1 to %d are possible", len(path), maxSocket)
	}
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, errors.New("somebody serves it already")
	}
	if st, err := os.Lstat(path); err == nil && st.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	// Group archipelago may read what it may read in the segment.
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

// stopPatience is how long scrapes that are under way may take at the end.
const stopPatience = 5 * time.Second

// Serve answers scrapes at /metrics until ctx ends; that is no error. It closes ln.
func Serve(ctx context.Context, ln net.Listener, cfg *config.Config) error {
	c := New(cfg)
	defer c.Close()
	registry := prometheus.NewRegistry()
	if err := registry.Register(c); err != nil {
		return errors.Join(err, ln.Close())
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(slog.Default().Handler(), slog.LevelError), MaxRequestsInFlight: 4,
	}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "Archipelago: see /metrics")
	})
	// Limits, so that clients that send or read nothing don't gather.
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute,
		IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 16 << 10}
	stopped := make(chan error, 1)
	defer context.AfterFunc(ctx, func() {
		limited, cancel := context.WithTimeout(context.Background(), stopPatience)
		defer cancel()
		stopped <- server.Shutdown(limited)
	})()
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return <-stopped
}
