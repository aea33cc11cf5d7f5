package docscheck

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const root = "../../.."

// tree is what the Go files say: where each test function is, and the identifiers and strings of
// each directory, among which the cases of a table are.
type tree struct {
	tests map[string][]string
	words map[string]map[string]bool
}

func readTree(t *testing.T) tree {
	t.Helper()
	tr := tree{tests: map[string][]string{}, words: map[string]map[string]bool{}}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case !d.IsDir() && strings.HasSuffix(path, ".go"):
			return tr.add(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func (tr tree) add(path string) error {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if tr.words[dir] == nil {
		tr.words[dir] = map[string]bool{}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil && strings.HasSuffix(path, "_test.go") {
				tr.tests[n.Name.Name] = append(tr.tests[n.Name.Name], dir)
			}
		case *ast.Ident:
			tr.words[dir][n.Name] = true
		case *ast.BasicLit:
			if s, err := strconv.Unquote(n.Value); err == nil {
				tr.words[dir][s] = true
			}
		}
		return true
	})
	return nil
}

// has says whether a test, or a case of one, exists.
func (tr tree) has(name string) bool {
	fn, sub, isCase := strings.Cut(name, "/")
	for _, dir := range tr.tests[fn] {
		if !isCase || tr.words[dir][sub] {
			return true
		}
	}
	return false
}

// rule is one numbered rule of a document and the tests it names.
type rule struct {
	name  string
	tests []string
}

var (
	ruleStart = regexp.MustCompile(`^- \*\*([A-Z]\d+)\*\* `)
	testName  = regexp.MustCompile("`(Test[A-Za-z0-9_]*(?:/[A-Za-z0-9_]+)?)`")
)

func readRules(text string) (rules []rule) {
	for line := range strings.Lines(text) {
		if m := ruleStart.FindStringSubmatch(line); m != nil {
			rules = append(rules, rule{name: m[1]})
		} else if !strings.HasPrefix(line, "  ") {
			continue
		}
		for _, m := range testName.FindAllStringSubmatch(line, -1) {
			if len(rules) > 0 {
				rules[len(rules)-1].tests = append(rules[len(rules)-1].tests, m[1])
			}
		}
	}
	return rules
}

// TestRulesNameTheirTests: rules that start with N say themselves that they have none.
func TestRulesNameTheirTests(t *testing.T) {
	text, err := os.ReadFile(root + "/docs/write-path.md")
	if err != nil {
		t.Fatal(err)
	}
	next := map[byte]int{}
	for _, r := range readRules(string(text)) {
		next[r.name[0]]++
		if r.name[1:] != strconv.Itoa(next[r.name[0]]) {
			t.Errorf("%s: expected number %d", r.name, next[r.name[0]])
		}
		if (len(r.tests) == 0) != (r.name[0] == 'N') {
			t.Errorf("%s names %d tests", r.name, len(r.tests))
		}
	}
	if next['W'] < 30 {
		t.Errorf("found only %d rules", next['W'])
	}
}

func TestNamedTestsExist(t *testing.T) {
	tr := readTree(t)
	docs, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	design, err := filepath.Glob(root + "/docs/design/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range append(docs, design...) {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range testName.FindAllStringSubmatch(string(text), -1) {
			if !tr.has(m[1]) {
				t.Errorf("%s: no test %s", strings.TrimPrefix(doc, root+"/"), m[1])
			}
		}
	}
}

func TestCheckSeesMissingTests(t *testing.T) {
	tr := tree{tests: map[string][]string{"TestA": {"d"}}, words: map[string]map[string]bool{"d": {"Case": true}}}
	for name, want := range map[string]bool{"TestA": true, "TestA/Case": true, "TestA/Other": false, "TestB": false} {
		if tr.has(name) != want {
			t.Errorf("has(%q) = %v", name, !want)
		}
	}
	rules := readRules("- **W1** a `TestA`\n  b `TestB/c`\n\ntext `TestD`\n- **N1** none\n")
	if len(rules) != 2 || len(rules[0].tests) != 2 || len(rules[1].tests) != 0 {
		t.Errorf("got %v", rules)
	}
}
