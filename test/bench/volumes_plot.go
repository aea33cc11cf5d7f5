package main

import (
	"fmt"
	"html"
	"math"
	"os"
	"strings"
)

// Geometry of the picture, in its units.
const (
	plotLeft  = 250 // of the bars: names stand left of it
	plotWidth = 480
	plotBar   = 13
	plotRow   = 2*plotBar + 14
	plotTop   = 58
	plotMost  = 4.0 // ratios beyond are cut, with the number beside
)

// drawVolumes draws the ratios to both rivals as bars beside the line of equality.
func drawVolumes(path string, list []measured) error {
	var b strings.Builder
	height := plotTop + plotRow*len(list) + 30
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		plotLeft+plotWidth+70, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/>`+"\n")
	fmt.Fprintf(&b, `<text x="12" y="20" font-size="15">Archipelago beside other NBD servers: throughput, ours/theirs</text>`+"\n")
	legend(&b, 12, "#1f6f8b", "to qemu-nbd, qcow2")
	legend(&b, 180, "#c77b30", "to nbdkit, plain file")
	for i := range list {
		m := &list[i]
		y := plotTop + i*plotRow
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", plotLeft-8, y+plotBar+5, html.EscapeString(m.row.name))
		bar(&b, y, "#1f6f8b", median(ratiosOf(m.rates("archipelago"), m.rates("qemu-nbd qcow2"))))
		bar(&b, y+plotBar+1, "#c77b30", median(ratiosOf(m.rates("archipelago"), m.rates("nbdkit file"))))
	}
	one := plotLeft + int(plotWidth/plotMost)
	fmt.Fprintf(&b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#333" stroke-dasharray="4 3"/>`+"\n", one, plotTop-8, one, height-24)
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">equal</text>`+"\n", one, height-8)
	b.WriteString("</svg>\n")
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

func legend(b *strings.Builder, x int, colour, text string) {
	fmt.Fprintf(b, `<rect x="%d" y="32" width="12" height="12" fill="%s"/><text x="%d" y="42">%s</text>`+"\n", x, colour, x+18, text)
}

// bar draws nothing for a ratio that wasn't measured.
func bar(b *strings.Builder, y int, colour string, ratio float64) {
	if ratio <= 0 {
		return
	}
	width := math.Min(ratio, plotMost) * plotWidth / plotMost
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, plotLeft, y, width, plotBar, colour)
	fmt.Fprintf(b, `<text x="%.1f" y="%d" font-size="11">%.2f</text>`+"\n", float64(plotLeft)+width+5, y+plotBar-2, ratio)
}
