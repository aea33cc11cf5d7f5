package config

import (
	"slices"
	"strings"
)

// roles reads the list `roles` and the dictionary of each role in it.
func (r *reader) roles(fields []field) {
	byName := map[string]field{}
	for _, f := range fields {
		byName[f.name] = f
	}
	list, ok := byName["roles"]
	if !ok {
		r.failf(place{}, "roles is missing: it must be %s", rolesForm)
	} else {
		r.cfg.note("roles", list.at)
		r.roleList(list, byName)
	}
	r.unknown(fields, ok)
}

const rolesForm = "a list of pairs: [('name', 'type'), ...]"

func (r *reader) roleList(list field, byName map[string]field) {
	if list.value.kind == "" {
		return
	}
	if list.value.kind != kindList || len(list.value.items) == 0 {
		r.failf(list.value.at, "roles must be %s", rolesForm)
		return
	}
	for _, item := range list.value.items {
		role, ok := r.pair(item)
		if !ok {
			continue
		}
		if r.cfg.Role(role.Name) != nil {
			r.failf(item.at, "role %s is listed twice", role.Name)
			continue
		}
		r.role(&role, item.at, byName)
		r.cfg.Roles = append(r.cfg.Roles, role)
	}
}

// pair reads one ('name', 'type').
func (r *reader) pair(item literal) (Role, bool) {
	if item.kind != kindTuple || len(item.items) != 2 ||
		item.items[0].kind != kindString || item.items[1].kind != kindString {
		r.failf(item.at, "an entry of roles must be a pair: ('name', 'type')")
		return Role{}, false
	}
	name, typ := item.items[0], item.items[1]
	ok := true
	if !roleName.MatchString(name.str) || globalKey(name.str) != nil || name.str == "roles" {
		r.failf(name.at, "%s can't be the name of a role: it must be 1 to %d of a-z 0-9 _, "+
			"starting with a letter, and not the name of a key", name.text(), maxRole)
		ok = false
	}
	if !slices.Contains(allTypes, typ.str) {
		r.failf(typ.at, "%s is not a type of role; the types are %s", typ.text(), strings.Join(allTypes, ", "))
		ok = false
	}
	return roleDefaults(name.str, typ.str), ok
}

// role reads the dictionary of one role.
func (r *reader) role(role *Role, at place, byName map[string]field) {
	f, ok := byName[role.Name]
	switch {
	case !ok:
		r.failf(at, "role %s has no settings: %s = {...} is missing", role.Name, role.Name)
		r.bad[role.Name] = true
		return
	case f.value.kind != kindDict:
		if f.value.kind != "" {
			r.failf(f.value.at, "%s must be a dictionary: {'key': value, ...}", role.Name)
		}
		r.bad[role.Name] = true
		return
	}
	r.cfg.note(role.Name, f.at)
	given := map[string]bool{}
	for _, x := range f.value.fields {
		k := roleKey(role.Type, x.name)
		if k == nil {
			r.failf(x.at, "%s: unknown key %s; a %s has %s", role.Name, quote(x.name), role.Type,
				strings.Join(roleKeyNames(role.Type), ", "))
			continue
		}
		given[x.name] = true
		id := role.Name + "." + x.name
		if r.set(k, role.Name, k.role(role), x) {
			r.cfg.note(id, x.at)
		} else {
			r.bad[id] = true
		}
	}
	r.ports(role, f, given)
	r.required(role, f, given)
	if role.Type == TypeNBD && role.Socket == "" {
		role.Socket = r.cfg.RuntimeDir + "/" + nbdSocket
	}
	if role.Type == TypeFuse && role.Mountpoint == "" {
		role.Mountpoint = r.cfg.RuntimeDir + "/" + volumesDir
	}
}

// ports settles the two ways to say which ports a role has.
func (r *reader) ports(role *Role, f field, given map[string]bool) {
	one, start, end := given["portno"], given["portno_start"], given["portno_end"]
	switch {
	case one && (start || end):
		r.failf(f.at, "%s has both portno and portno_start or portno_end", role.Name)
	case one:
		role.PortEnd = role.PortStart
		if r.bad[role.Name+".portno"] {
			r.bad[role.Name+".ports"] = true
		}
		return
	case start && end:
		if r.bad[role.Name+".portno_start"] || r.bad[role.Name+".portno_end"] {
			r.bad[role.Name+".ports"] = true
		}
		return
	case start || end:
		r.failf(f.at, "%s needs both portno_start and portno_end", role.Name)
	default:
		r.failf(f.at, "%s: portno is missing (or portno_start and portno_end)", role.Name)
	}
	r.bad[role.Name+".ports"] = true
}

func (r *reader) required(role *Role, f field, given map[string]bool) {
	for i := range roleKeys {
		k := &roleKeys[i]
		if k.Required && k.has(role.Type) && !given[k.Name] {
			r.failf(f.at, "%s: %s is missing: it must be %s", role.Name, k.Name, k.rule.text)
			r.bad[role.Name+"."+k.Name] = true
		}
	}
}

// unknown reports names that are neither keys nor roles.
func (r *reader) unknown(fields []field, haveRoles bool) {
	for _, f := range fields {
		if f.name == "roles" || globalKey(f.name) != nil || r.cfg.Role(f.name) != nil {
			continue
		}
		if f.value.kind == kindDict {
			if haveRoles && !r.bad["roles"] {
				r.failf(f.at, "%s has settings, but isn't one of roles", f.name)
			}
			continue
		}
		r.failf(f.at, "unknown key %s; the keys are %s, roles, and one dictionary per role", f.name,
			strings.Join(globalKeyNames(), ", "))
	}
}

func globalKeyNames() []string {
	names := make([]string, len(globalKeys))
	for i := range globalKeys {
		names[i] = globalKeys[i].Name
	}
	return names
}
