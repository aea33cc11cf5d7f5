package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"archipelago/internal/config"
)

const tree = "../../.."

// generated runs the generator once for all tests of this package.
func generated(t *testing.T) string {
	t.Helper()
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	out := t.TempDir()
	if err := generate(out, tree); err != nil {
		t.Fatal(err)
	}
	return out
}

func pagesIn(t *testing.T, out string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(out, "man", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d pages, %v", len(files), err)
	}
	pages := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		pages[filepath.Base(f)] = string(text)
	}
	return pages
}

// TestPages: the page of every command says how it is called, by an example too, and how it ends.
func TestPages(t *testing.T) {
	pages := pagesIn(t, generated(t))
	for name, text := range pages {
		if strings.HasSuffix(name, ".5") || strings.HasSuffix(name, ".7") {
			continue
		}
		for _, title := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "EXAMPLES", "SEE ALSO"} {
			if len(strings.TrimSpace(sectionOf(text, title))) == 0 {
				t.Errorf("%s: section %s is missing or empty", name, title)
			}
		}
		command := strings.Fields(strings.TrimSuffix(name, filepath.Ext(name)))[0]
		program, _, _ := strings.Cut(command, "-")
		if program == "archip" {
			program = command
		}
		plain := strings.ReplaceAll(sectionOf(text, "EXAMPLES"), `\-`, "-")
		if !strings.Contains(plain, program+" ") && !strings.Contains(plain, program+"\n") {
			t.Errorf("%s: no example of %s in %q", name, program, plain)
		}
	}
	for _, want := range []string{"vlmc.1", "vlmc-create.1", "vlmc-unlock.1", "archipelago.8", "archipelago-run.8",
		"archipelago-config-show.8", "xseg.8", "archipelago.conf.5", "archipelago.7"} {
		if pages[want] == "" {
			t.Errorf("no page %s", want)
		}
	}
}

// sectionOf returns what stands in a page under a title, without macros that are alone on a line.
func sectionOf(text, title string) string {
	_, rest, ok := strings.Cut(text, "\n.SH "+title+"\n")
	if !ok {
		return ""
	}
	if end := strings.Index(rest, "\n.SH "); end >= 0 {
		rest = rest[:end+1]
	}
	return regexp.MustCompile(`(?m)^\.(PP|RS.*|EX|EE|RE|TP|TQ)\n`).ReplaceAllString(rest, "")
}

// TestEveryProgramHasAPage: what is installed into a directory of commands is documented.
func TestEveryProgramHasAPage(t *testing.T) {
	pages := pagesIn(t, generated(t))
	dirs, err := os.ReadDir(filepath.Join(tree, "cmd"))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if d.Name() == "archipelago-generator" {
			continue // systemd's, not a user's
		}
		if pages[d.Name()+".1"] == "" && pages[d.Name()+".8"] == "" {
			t.Errorf("cmd/%s has no page", d.Name())
		}
	}
}

func TestConfigurationKeys(t *testing.T) {
	page := pagesIn(t, generated(t))["archipelago.conf.5"]
	for _, k := range config.Keys() {
		if !strings.Contains(page, k.Name) {
			t.Errorf("archipelago.conf(5) lacks %s", k.Name)
		}
	}
	for _, want := range []string{`\fBnode_name\fR = \(aq\(aq`, `\fBXSEGBD_END\fR = 499`, `\fBarchip_dir\fR: `} {
		if !strings.Contains(page, want) {
			t.Errorf("archipelago.conf(5) lacks %q", want)
		}
	}
}

// TestLint: the tools that show pages have nothing to say about ours.
func TestLint(t *testing.T) {
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Skip("mandoc isn't installed")
	}
	files, _ := filepath.Glob(filepath.Join(generated(t), "man", "*"))
	if out, err := exec.Command(mandoc, append([]string{"-Tlint", "-Wwarning"}, files...)...).CombinedOutput(); err != nil {
		t.Errorf("mandoc: %v\n%.4000s", err, out)
	}
	if _, err := exec.LookPath("groff"); err != nil {
		t.Skip("groff isn't installed")
	}
	for _, f := range files {
		cmd := exec.Command("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", f)
		cmd.Env = append(os.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8")
		var said strings.Builder
		cmd.Stderr = &said
		if err := cmd.Run(); err != nil || said.Len() > 0 {
			t.Errorf("man %s: %v %s", filepath.Base(f), err, said.String())
		}
	}
}

func TestCompletionFiles(t *testing.T) {
	out := filepath.Join(generated(t), "completion")
	for shell, files := range map[string][]string{
		"bash": {"bash/vlmc", "bash/archipelago", "bash/xseg"},
		"zsh":  {"zsh/_vlmc", "zsh/_archipelago", "zsh/_xseg"},
		"fish": {"fish/vlmc.fish", "fish/archipelago.fish", "fish/xseg.fish"},
	} {
		path, err := exec.LookPath(shell)
		for _, f := range files {
			if _, statErr := os.Stat(filepath.Join(out, f)); statErr != nil {
				t.Error(statErr)
				continue
			}
			if err != nil {
				t.Logf("%s isn't installed: %s isn't read by it", shell, f)
				continue
			}
			if said, err := exec.Command(path, "-n", filepath.Join(out, f)).CombinedOutput(); err != nil {
				t.Errorf("%s -n %s: %v\n%s", shell, f, err, said)
			}
		}
	}
}

// TestSameBytes: two runs of one source are equal.
func TestSameBytes(t *testing.T) {
	a, b := pagesIn(t, generated(t)), pagesIn(t, generated(t))
	for name := range a {
		if a[name] != b[name] {
			t.Errorf("%s differs", name)
		}
	}
}

func TestEscape(t *testing.T) {
	p := &page{}
	p.text(".dot -x 'q' \\n\n  ls ~\nafter")
	want := ".PP\n\\&.dot \\-x \\(aqq\\(aq \\en\n.PP\n.RS 4\n.EX\nls \\(ti\n.EE\n.RE\n.PP\nafter\n"
	if p.String() != want {
		t.Errorf("%q", p.String())
	}
}
