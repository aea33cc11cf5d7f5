package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// process is a child, from the outside.
type process struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

// patience is how long a child may take for anything, before the benchmark gives up.
const patience = 60 * time.Second

// spawn starts a child; wait for it with expect.
func spawn(ctx context.Context, role, segment string, numbers ...int) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{childArg, role, segment}
	for _, n := range numbers {
		args = append(args, strconv.Itoa(n))
	}
	p := &process{name: strings.Join(args, " "), cmd: exec.CommandContext(ctx, self, args...)}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, p.cmd.Start()
}

// start is spawn and the wait for "ready".
func start(ctx context.Context, role, segment string, numbers ...int) (*process, error) {
	p, err := spawn(ctx, role, segment, numbers...)
	if err != nil {
		return nil, err
	}
	if _, err := p.expect("ready"); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

// line returns the next line that the child prints.
func (p *process) line() (string, error) {
	timer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	line, err := p.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%s has ended: %w", p.name, err)
	}
	return strings.TrimSuffix(line, "\n"), nil
}

// expect returns what follows the prefix in the next line.
func (p *process) expect(prefix string) (string, error) {
	line, err := p.line()
	if err != nil {
		return "", err
	}
	rest, ok := strings.CutPrefix(line, prefix)
	if !ok {
		return "", fmt.Errorf("%s: %q where %q was expected", p.name, line, prefix)
	}
	return strings.TrimSpace(rest), nil
}

func (p *process) say(line string) error {
	_, err := fmt.Fprintln(p.in, line)
	return err
}

// ask says a line and returns the answer.
func (p *process) ask(line string) (string, error) {
	if err := p.say(line); err != nil {
		return "", fmt.Errorf("%s: %w", p.name, err)
	}
	return p.line()
}

// askNumbers is ask for an answer that is n numbers.
func (p *process) askNumbers(line string, n int) ([]int64, error) {
	answer, err := p.ask(line)
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(answer)
	numbers := make([]int64, len(fields))
	for i, f := range fields {
		if numbers[i], err = strconv.ParseInt(f, 10, 64); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", p.name, answer, err)
		}
	}
	if len(numbers) != n {
		return nil, fmt.Errorf("%s: %q where %d numbers were expected", p.name, answer, n)
	}
	return numbers, nil
}

// end lets the child end, and waits for that.
func (p *process) end() {
	_ = p.in.Close()
	timer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	_ = p.cmd.Wait() // what it printed is all that counts
}

// kill kills the child and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}
