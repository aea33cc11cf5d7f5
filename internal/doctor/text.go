package doctor

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Columns of the text.
const (
	levelWidth = 9
	checkWidth = 16
	findingPad = "         "
	doPad      = "         → "
	doMore     = "           "
)

// Lines returns the report as text of at most so many columns, as far as words allow it. mark is
// given each level's name and may add colour.
func (r *Report) Lines(width int, mark func(Level, string) string) []string {
	var lines []string
	for i := range r.Checks {
		lines = append(lines, r.Checks[i].lines(width, mark)...)
	}
	return append(lines, "", r.verdict())
}

func (r *Result) lines(width int, mark func(Level, string) string) []string {
	level := fmt.Sprintf("%-*s", levelWidth, r.Level)
	head := wrap(fmt.Sprintf("%-*s%s", checkWidth, r.Check, r.Summary), "", strings.Repeat(" ", checkWidth), width-levelWidth)
	lines := []string{strings.TrimRight(mark(r.Level, level)+head[0], " ")}
	for _, more := range head[1:] {
		lines = append(lines, findingPad+more)
	}
	for _, f := range r.Findings {
		prefix := ""
		if f.Level != r.Level {
			prefix = f.Level.String() + ": "
		}
		lines = append(lines, wrap(prefix+f.What, findingPad, findingPad, width)...)
		if f.Do != "" {
			lines = append(lines, wrap(f.Do, doPad, doMore, width)...)
		}
	}
	return lines
}

// verdict is the last line.
func (r *Report) verdict() string {
	count := func(n int, what string) string {
		if n == 1 {
			return "1 " + what
		}
		return fmt.Sprintf("%d %ss", n, what)
	}
	if r.Problems+r.Warnings == 0 {
		return "No problems found."
	}
	return fmt.Sprintf("%s, %s.", count(r.Problems, "problem"), count(r.Warnings, "warning"))
}

// wrap breaks a text at spaces. Words that are longer than a line, paths above all, stay whole.
func wrap(text, first, more string, width int) []string {
	var lines []string
	line, empty := first, true
	for i, word := range strings.SplitAfter(text, " ") {
		if !empty && utf8.RuneCountInString(line)+utf8.RuneCountInString(strings.TrimRight(word, " ")) > width {
			lines = append(lines, strings.TrimRight(line, " "))
			line, empty = more, true
		}
		if i > 0 && empty && word == " " {
			continue
		}
		line += word
		empty = false
	}
	return append(lines, strings.TrimRight(line, " "))
}
