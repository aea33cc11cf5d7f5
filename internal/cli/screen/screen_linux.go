package screen

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Screen shows one table in the place of another, on a terminal.
type Screen struct {
	W    io.Writer
	last []string
}

// Open switches to the other screen of the terminal and hides the cursor.
func (s *Screen) Open() { fmt.Fprint(s.W, "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J") }

// Close gives the terminal back as it was, with the last table below.
func (s *Screen) Close() {
	fmt.Fprint(s.W, "\x1b[?25h\x1b[?1049l")
	for _, line := range s.last {
		fmt.Fprintln(s.W, line)
	}
}

// Show replaces what is shown by lines, as far as they fit.
func (s *Screen) Show(lines []string) error {
	s.last = lines
	width, height := Size(s.W)
	_, err := io.WriteString(s.W, frame(s.last, width, height))
	return err
}

// Size returns columns and rows of a terminal; what every terminal has if it doesn't tell.
func Size(w io.Writer) (width, height int) {
	if f, ok := w.(*os.File); ok {
		if ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && ws.Col > 0 && ws.Row > 0 {
			return int(ws.Col), int(ws.Row)
		}
	}
	return 80, 24
}

// frame paints lines over what a terminal shows, as far as they fit: a line that wrapped, or one
// too many, would make the next frame land elsewhere.
func frame(lines []string, width, height int) string {
	var b strings.Builder
	b.WriteString("\x1b[H")
	if len(lines) > height {
		more := fmt.Sprintf("… and %d more", len(lines)-height+1)
		lines = append(lines[:height-1:height-1], more)
	}
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(cut(line, width) + "\x1b[K")
	}
	b.WriteString("\x1b[J")
	return b.String()
}

// cut shortens a line to a number of columns. What sets a colour takes no column, and stays.
func cut(line string, width int) string {
	var b strings.Builder
	inCode := false
	for _, r := range line {
		switch {
		case r == '\x1b':
			inCode = true
		case inCode:
			inCode = r != 'm'
		case width == 0:
			continue
		default:
			width--
		}
		b.WriteRune(r)
	}
	return b.String()
}
