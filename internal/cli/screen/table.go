package screen

import (
	"strings"
	"unicode/utf8"
)

// gap stands between the columns of a table.
const gap = "  "

// Table lays out rows under a title each; a column is as wide as its widest cell.
type Table struct {
	Titles []string // of a column that is flush left: with a leading "<"
	rows   [][]string
}

// Add adds a row: a cell for each title.
func (t *Table) Add(cells ...string) { t.rows = append(t.rows, cells) }

// Lines returns the titles and the rows, without spaces at their ends.
func (t *Table) Lines() []string {
	head := make([]string, len(t.Titles))
	left := make([]bool, len(t.Titles))
	for i, title := range t.Titles {
		head[i], left[i] = strings.CutPrefix(title, "<")
	}
	all := append([][]string{head}, t.rows...)
	widths := make([]int, len(head))
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	lines := make([]string, 0, len(all))
	for _, row := range all {
		lines = append(lines, layOut(row, widths, left))
	}
	return lines
}

func layOut(row []string, widths []int, left []bool) string {
	var b strings.Builder
	for i, cell := range row {
		if i > 0 {
			b.WriteString(gap)
		}
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if left[i] {
			b.WriteString(cell + pad)
		} else {
			b.WriteString(pad + cell)
		}
	}
	return strings.TrimRight(b.String(), " ")
}
