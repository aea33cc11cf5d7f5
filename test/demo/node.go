package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// demo is a temporary node and what is done with it.
type demo struct {
	bin, dir, image string
	socket          string
	node            *exec.Cmd
	log             bytes.Buffer
	stamps          map[string]int64 // written clones and the offset of their own writes
}

func (d *demo) startNode(ctx context.Context) error {
	d.node = exec.Command(filepath.Join(d.bin, "archipelago"), "run", "-d", d.dir)
	d.node.Stderr = &d.log
	out, err := d.node.StdoutPipe()
	if err != nil {
		return err
	}
	if err := d.node.Start(); err != nil {
		d.node = nil
		return err
	}
	line := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			line <- lines.Text()
		}
		close(line)
	}()
	return d.awaitReady(ctx, line)
}

func (d *demo) awaitReady(ctx context.Context, line <-chan string) error {
	select {
	case text, ok := <-line:
		uri, found := strings.CutPrefix(text, "ready: ")
		if !ok || !found {
			return fmt.Errorf("the node did not get ready: %q\n%s", text, d.log.String())
		}
		fmt.Println("  ", text)
		u, err := url.Parse(uri)
		if err != nil {
			return err
		}
		d.socket = u.Query().Get("socket")
		return nil
	case <-time.After(30 * time.Second):
		return fmt.Errorf("the node is not ready after 30 s\n%s", d.log.String())
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *demo) stopNode() error {
	if d.node == nil {
		return nil
	}
	if err := d.node.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.AfterFunc(30*time.Second, func() { _ = d.node.Process.Kill() })
	defer timer.Stop()
	if err := d.node.Wait(); err != nil {
		return fmt.Errorf("stop of the node: %w\n%s", err, d.log.String())
	}
	return nil
}

// nothingLeft looks for what the node made outside its directory.
func (d *demo) nothingLeft() error {
	runtime := filepath.Dir(d.socket)
	name := filepath.Base(runtime)
	left, err := filepath.Glob("/dev/shm/" + name + "*")
	if err != nil {
		return err
	}
	if _, err := os.Stat(runtime); !errors.Is(err, os.ErrNotExist) {
		left = append(left, runtime)
	}
	if len(left) > 0 {
		return fmt.Errorf("left behind: %s", strings.Join(left, " "))
	}
	return nil
}

// vlmc runs vlmc on the node.
func (d *demo) vlmc(ctx context.Context, args ...string) (string, error) {
	return d.command(ctx, "vlmc", append([]string{"-d", d.dir}, args...)...)
}

func (d *demo) command(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(d.bin, name), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, stderr.String())
	}
	return string(out), nil
}
