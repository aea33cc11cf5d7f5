package main

import (
	"fmt"
	"strings"
)

// page builds a man page.
type page struct {
	b strings.Builder
	// fresh: a title stands above, which begins a paragraph already.
	fresh bool
}

// newPage begins a page. name is that of the page, what its one line.
func newPage(name string, section int, when, source, what string) *page {
	p := &page{}
	p.linef(`.TH %s %d %s "%s" "Archipelago manual"`, escape(strings.ToUpper(name)), section, when, escape(source))
	p.section("Name")
	p.linef(`%s \- %s`, escape(name), escape(what))
	return p
}

func (p *page) String() string { return p.b.String() }

// linef writes a line of roff; what comes from outside is escaped by the caller.
func (p *page) linef(format string, args ...any) {
	fmt.Fprintf(&p.b, format+"\n", args...)
	p.fresh = false
}

// paragraph begins one.
func (p *page) paragraph() {
	if !p.fresh {
		p.linef(".PP")
	}
}

func (p *page) section(title string) {
	p.linef(".SH %s", strings.ToUpper(title))
	p.fresh = true
}

func (p *page) subsection(title string) {
	p.linef(".SS %s", escape(title))
	p.fresh = true
}

// text writes paragraphs, which blank lines divide. Lines that are set in by two spaces or more are
// shown as they are.
func (p *page) text(s string) {
	verbatim, first := false, true
	for line := range strings.Lines(strings.TrimRight(s, "\n")) {
		line = strings.TrimRight(line, " \n")
		inset := strings.HasPrefix(line, "  ")
		switch {
		case line == "":
			p.verbatim(&verbatim, false)
			first = true
			continue
		case inset:
			p.verbatim(&verbatim, true)
		case verbatim:
			p.verbatim(&verbatim, false)
			first = true
		}
		if first && !verbatim {
			p.paragraph()
		}
		first = false
		p.linef("%s", escapeLine(strings.TrimPrefix(line, "  ")))
	}
	p.verbatim(&verbatim, false)
}

// verbatim begins or ends text that is shown as it is.
func (p *page) verbatim(now *bool, want bool) {
	switch {
	case want && !*now:
		p.paragraph()
		p.linef(".RS 4\n.EX")
	case !want && *now:
		p.linef(".EE\n.RE")
	}
	*now = want
}

// code shows lines as they are.
func (p *page) code(s string) {
	p.paragraph()
	p.linef(".RS 4\n.EX")
	for line := range strings.Lines(s) {
		p.linef("%s", escapeLine(strings.TrimPrefix(strings.TrimRight(line, "\n"), "  ")))
	}
	p.linef(".EE\n.RE")
}

// item writes terms, already roff, and what they mean.
func (p *page) item(text string, terms ...string) {
	for i, term := range terms {
		macro := ".TP"
		if i > 0 {
			macro = ".TQ"
		}
		p.linef("%s\n%s", macro, term)
	}
	for line := range strings.Lines(text) {
		p.linef("%s", escapeLine(strings.TrimSpace(line)))
	}
}

var escaper = strings.NewReplacer(
	`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, "…", "...", "“", `\(lq`, "”", `\(rq`, "→", `\(->`,
)

// escape makes text that roff shows as it is.
func escape(s string) string { return escaper.Replace(s) }

// escapeLine is escape for what begins a line: there a dot would be a macro.
func escapeLine(s string) string {
	s = escape(s)
	if strings.HasPrefix(s, ".") {
		return `\&` + s
	}
	return s
}

func bold(s string) string { return `\fB` + escape(s) + `\fR` }

// reference names another page.
func reference(name string, section int) string { return fmt.Sprintf("%s(%d)", bold(name), section) }
