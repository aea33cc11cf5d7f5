package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"archipelago/internal/config"
	"archipelago/internal/version"
)

// confPage is archipelago.conf(5): the shipped file, its comments as text and its keys as items.
func confPage(tree, when string) (string, error) {
	src, err := os.ReadFile(filepath.Join(tree, "etc/archipelago.conf"))
	if err != nil {
		return "", err
	}
	p := newPage("archipelago.conf", 5, when, "archipelago "+version.String(), "configuration of a node")
	p.section("Synopsis")
	p.linef("%s", bold(config.DefaultPath))
	p.section("Description")
	c := confReader{page: p, docs: map[string]string{}}
	for _, k := range config.Keys() {
		c.docs[k.Name] = k.Doc + " Allowed: " + k.Allowed() + "."
	}
	for line := range strings.Lines(string(src)) {
		c.line(strings.TrimRight(line, "\n"))
	}
	c.end()
	p.section("Examples")
	p.text("Say what is wrong with the file, and print the values in effect:")
	p.code("  archipelago config check\n  archipelago config show\n")
	p.section("See also")
	p.linef("%s,\n%s", reference("archipelago", 8), reference("archipelago", 7))
	return p.String(), nil
}

// confReader turns the file into a page, line by line.
type confReader struct {
	page    *page
	docs    map[string]string // of keys, for those without a comment
	comment []string
	terms   []string // of the item that isn't written yet
	text    string   // of it
	role    string   // whose dictionary this is
	list    []string // lines of a list
}

var (
	headline = regexp.MustCompile(`^# ---- (.*?) -+$`)
	setting  = regexp.MustCompile(`^([A-Za-z_]+) = (.+)$`)
	roleKey  = regexp.MustCompile(`^ +'([a-z_]+)': (.*),$`)
)

func (c *confReader) line(s string) {
	if c.list != nil {
		c.listLine(s)
		return
	}
	trimmed := strings.TrimSpace(s)
	switch {
	case headline.MatchString(s):
		c.end()
		c.page.subsection(headline.FindStringSubmatch(s)[1])
	case strings.HasPrefix(trimmed, "#"):
		c.item()
		c.comment = append(c.comment, strings.TrimPrefix(strings.TrimPrefix(trimmed, "#"), " "))
	case trimmed == "", trimmed == "}":
		c.end()
	case strings.HasSuffix(s, "{"):
		c.beginRole(strings.TrimSuffix(s, " = {"))
	case strings.HasSuffix(s, "["):
		c.list = []string{"  " + s}
		c.end()
	case setting.MatchString(s):
		c.key(setting.FindStringSubmatch(s), " = ")
	case roleKey.MatchString(s):
		c.key(roleKey.FindStringSubmatch(s), ": ")
	}
}

func (c *confReader) listLine(s string) {
	c.list = append(c.list, "  "+s)
	if s == "]" {
		c.page.code(strings.Join(c.list, "\n") + "\n")
		c.list = nil
	}
}

func (c *confReader) beginRole(name string) {
	c.item()
	c.page.subsection("Role " + name)
	c.role = name
	c.end()
}

// key adds a key to the item that its comment is about: further keys right below share it.
func (c *confReader) key(match []string, is string) {
	if c.comment != nil || len(c.terms) > 0 && c.text == c.docs[match[1]] || c.text == "" || c.role != "" {
		c.item()
	}
	if c.comment != nil {
		c.text = strings.Join(c.comment, "\n")
		c.comment = nil
	}
	if c.text == "" {
		c.text = c.docs[match[1]]
	}
	c.terms = append(c.terms, bold(match[1])+escape(is+match[2]))
}

// item writes the item that is complete.
func (c *confReader) item() {
	if len(c.terms) > 0 {
		c.page.item(c.text, c.terms...)
	}
	c.terms, c.text = nil, ""
}

// end writes what is complete: an item, or a comment that is about no key.
func (c *confReader) end() {
	c.item()
	if len(c.comment) > 0 {
		c.page.text(strings.Join(c.comment, "\n"))
	}
	c.comment = nil
}
