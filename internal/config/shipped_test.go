package config

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const shipped = "../../etc/archipelago.conf"

// TestShippedFile holds the shipped file and the table of keys together: every key is given or
// explained in the file, every optional one has its default there, and none is unknown.
func TestShippedFile(t *testing.T) {
	cfg, err := Read(shipped)
	if err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range Keys() {
		form := regexp.MustCompile(`(?m)^#? *'?` + regexp.QuoteMeta(k.Name) + `'? *[:=]`)
		if !form.Match(src) {
			t.Errorf("key %s isn't in %s", k.Name, shipped)
		}
		if k.Doc == "" || k.Allowed() == "" {
			t.Errorf("key %s has no description", k.Name)
		}
	}
	want := defaults()
	want.derive()
	for i := range globalKeys {
		k := &globalKeys[i]
		if got, def := load(k.global(cfg)), load(k.global(want)); got.text() != def.text() {
			t.Errorf("%s = %s in the file, but %s by default", k.Name, got.text(), def.text())
		}
	}
	for i := range cfg.Roles {
		checkRoleDefaults(t, &cfg.Roles[i], cfg)
	}
}

func checkRoleDefaults(t *testing.T, r *Role, cfg *Config) {
	def := roleDefaults(r.Name, r.Type)
	if r.Type == TypeNBD {
		def.Socket = cfg.RuntimeDir + "/" + nbdSocket
	}
	for i := range roleKeys {
		k := &roleKeys[i]
		if k.Required || !k.has(r.Type) || slices.Contains([]string{"portno", "portno_start", "portno_end"}, k.Name) {
			continue
		}
		if got, want := load(k.role(r)).text(), load(k.role(&def)).text(); got != want {
			t.Errorf("%s: %s is %s in the file, but %s by default", r.Name, k.Name, got, want)
		}
		if cfg.Origin(r.Name, k.Name).Line == 0 {
			t.Errorf("%s: %s isn't given in the file", r.Name, k.Name)
		}
	}
}

// TestTableCoversStruct: every field of Config and Role that a user may set has a key.
func TestTableCoversStruct(t *testing.T) {
	var cfg Config
	var role Role
	var global, perRole []uintptr
	for i := range globalKeys {
		global = append(global, reflect.ValueOf(globalKeys[i].global(&cfg)).Pointer())
	}
	for i := range roleKeys {
		perRole = append(perRole, reflect.ValueOf(roleKeys[i].role(&role)).Pointer())
	}
	covers(t, reflect.ValueOf(&cfg).Elem(), global, "Path", "Dir", "PendingDir", "Roles", "origins")
	covers(t, reflect.ValueOf(&role).Elem(), perRole, "Name", "Type")
}

func covers(t *testing.T, v reflect.Value, have []uintptr, derived ...string) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !slices.Contains(derived, f.Name) && !slices.Contains(have, v.Field(i).Addr().Pointer()) {
			t.Errorf("%s.%s has no key", v.Type().Name(), f.Name)
		}
	}
}

// TestFormatReadsBack: what `config show` prints is a configuration with the same values.
func TestFormatReadsBack(t *testing.T) {
	cfg, err := Read(shipped)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("shown", []byte(cfg.Format()))
	if err != nil {
		t.Fatalf("%v\n%s", err, cfg.Format())
	}
	if diff := cmp.Diff(cfg.Roles, again.Roles); diff != "" {
		t.Errorf("roles differ:\n%s", diff)
	}
	again.origins, again.Path = cfg.origins, cfg.Path
	if !reflect.DeepEqual(cfg, again) {
		t.Errorf("got %+v, want %+v", again, cfg)
	}
}
