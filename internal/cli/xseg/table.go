package xseg

import (
	"strings"
	"unicode/utf8"
)

// gap stands between the columns of a table.
const gap = "  "

// table lays out rows under a title each; a column is as wide as its widest cell.
type table struct {
	titles []string // of a column that is flush left: with a leading "<"
	rows   [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// lines returns the titles and the rows, without spaces at their ends.
func (t *table) lines() []string {
	head := make([]string, len(t.titles))
	left := make([]bool, len(t.titles))
	for i, title := range t.titles {
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
