// Command gotest runs `go test -json` with the arguments after --, and once more for each further --,
// prints one line for each package as it ends, the output of what failed, the reason of every skip,
// and at the end how many tests passed, failed and were skipped in all runs together. It exits
// non-zero when one of them does.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sort"
	"strings"
	"time"
)

// event is one line of `go test -json` (see `go doc test2json`).
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64
}

// run gathers what happened.
type run struct {
	out                     io.Writer
	output                  map[string][]string // by package and test
	passed, failed, skipped int
	skips                   []string
	packages                int
}

func main() {
	os.Exit(runAll(groups(os.Args[1:]), os.Stdout))
}

// groups splits the arguments at each --.
func groups(args []string) (list [][]string) {
	for len(args) > 0 {
		if args[0] == "--" {
			args = args[1:]
		}
		n := slices.Index(args, "--")
		if n < 0 {
			n = len(args)
		}
		list, args = append(list, args[:n]), args[n:]
	}
	return list
}

func runAll(list [][]string, out io.Writer) (status int) {
	started := time.Now()
	r := &run{out: out, output: map[string][]string{}}
	for _, args := range list {
		status = max(status, r.tests(args))
	}
	r.summary(time.Since(started))
	return status
}

// tests runs go test once.
func (r *run) tests(args []string) int {
	failed := r.failed
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		return 1
	}
	r.read(pipe)
	if err := cmd.Wait(); err != nil || r.failed > failed {
		return 1
	}
	return 0
}

func (r *run) read(in io.Reader) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(r.out, lines.Text()) // go's own messages, a build failure for one
			continue
		}
		r.event(e)
	}
}

func (r *run) event(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		r.output[key] = append(r.output[key], e.Output)
	case "pass", "fail", "skip":
		r.end(key, e)
		delete(r.output, key)
	}
}

func (r *run) end(key string, e event) {
	lines := r.output[key]
	if e.Test == "" {
		r.endPackage(e, lines)
		return
	}
	switch e.Action {
	case "pass":
		r.passed++
	case "skip":
		r.skipped++
		r.skips = append(r.skips, key+": "+reason(lines))
	case "fail":
		r.failed++
		fmt.Fprintf(r.out, "FAIL %s\n%s", key, strings.Join(lines, ""))
	}
}

func (r *run) endPackage(e event, lines []string) {
	if e.Action == "skip" {
		return // no test files
	}
	r.packages++
	fmt.Fprintf(r.out, "%-4s %s (%.1f s)\n", e.Action, e.Package, e.Elapsed)
	if e.Action == "fail" {
		fmt.Fprint(r.out, strings.Join(lines, ""))
	}
}

// reason finds what the test said when it skipped itself: its last line of log.
func reason(lines []string) string {
	for i := len(lines) - 1; i >= 0; i-- {
		line := strings.TrimSpace(lines[i])
		if line != "" && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "===") {
			return line
		}
	}
	return "no reason given"
}

func (r *run) summary(took time.Duration) {
	sort.Strings(r.skips)
	for _, s := range r.skips {
		fmt.Fprintln(r.out, "SKIP", s)
	}
	fmt.Fprintf(r.out, "%d packages in %s\n", r.packages, took.Round(time.Second))
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
}
