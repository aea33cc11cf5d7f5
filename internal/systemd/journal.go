package systemd

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// journalTimeout: the lines only explain a failure that is reported anyway.
const journalTimeout = 5 * time.Second

// LastLines returns the last lines that a unit wrote to the journal, without time and host; none
// where there is no journal or the caller may not read it. since limits them to what was written
// from then on (zero: no limit), so that a failure isn't explained by an older one.
func LastLines(ctx context.Context, unit string, since time.Time, n int) []string {
	ctx, cancel := context.WithTimeout(ctx, journalTimeout)
	defer cancel()
	args := []string{"--unit=" + unit, "--lines=" + strconv.Itoa(n), "--output=cat", "--no-pager", "--quiet"}
	if !since.IsZero() {
		args = append(args, "--since=@"+strconv.FormatInt(since.Unix(), 10))
	}
	out, err := exec.CommandContext(ctx, "journalctl", args...).Output()
	if err != nil {
		return nil
	}
	return lines(string(out))
}

// lines splits text, without blank lines.
func lines(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n "); line != "" {
			list = append(list, line)
		}
	}
	return list
}
