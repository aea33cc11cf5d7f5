package metrics

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// row is how the manual lists a metric.
func row(m *Metric) string {
	labels := "–"
	if len(m.Labels) > 0 {
		labels = "`" + strings.Join(m.Labels, "`, `") + "`"
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s |", m.Name, m.Type, labels, m.Help)
}

// TestManual holds the list in the manual equal to the metrics that there are, in their order.
func TestManual(t *testing.T) {
	text, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `archipelago_") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	var want []string
	for _, m := range All() {
		want = append(want, row(&m))
	}
	slices.Sort(want)
	if !slices.IsSorted(got) {
		t.Error("the list in the manual isn't sorted")
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the list in docs/monitoring.md should be:\n%s", strings.Join(want, "\n"))
	}
}

// TestNames: names say their unit, as Prometheus wants it.
func TestNames(t *testing.T) {
	plain := regexp.MustCompile(`^archipelago_[a-z0-9_]+$`)
	for _, m := range All() {
		if !plain.MatchString(m.Name) || !strings.HasSuffix(m.Help, ".") {
			t.Errorf("%s: %s", m.Name, m.Help)
		}
		if (m.Type == "counter") != strings.HasSuffix(m.Name, "_total") {
			t.Errorf("%s is a %s", m.Name, m.Type)
		}
		if m.Type == "histogram" && !strings.HasSuffix(m.Name, "_seconds") {
			t.Errorf("%s has no unit", m.Name)
		}
	}
}
