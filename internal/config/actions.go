package config

import "regexp"

// Action is one that workers in another language do, under a name of its own.
type Action struct {
	Name string
	// Group is the worker group that does it where the target's cluster has none; empty for the default group.
	Group string
	// System is the only system of targets that it works on; empty for any.
	System string
	// Params is the path of the JSON Schema of its parameters.
	Params string
	// Undo says that its workers can put back what it did, Health that its plans tell of the target's instances.
	Undo, Health bool
}

var actionName = regexp.MustCompile(`^[a-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)+$`)

func (f field) actions() []Action {
	entries, _ := f.entries()
	var list []Action
	for _, e := range entries {
		a := Action{Name: e.value.at(e.key).actionName()}
		ok := e.value.mapping(fields{
			"group":  func(f field) { a.Group = f.group() },
			"system": func(f field) { a.System = f.name() },
			"params": func(f field) { a.Params = f.filePath() },
			"undo":   func(f field) { a.Undo = f.bool() },
			"health": func(f field) { a.Health = f.bool() },
		})
		if ok && a.Params == "" {
			e.value.bad("params is missing: name the file with the JSON Schema of the action's parameters")
		}
		list = append(list, a)
	}
	return list
}

// actionName is part of a subject.
func (f field) actionName() string {
	name, ok := f.text()
	if ok && (len(name) > 100 || !actionName.MatchString(name)) {
		f.badValue(name, "an action's name has two or more parts with dots between them, of A-Z, a-z, 0-9, _ and -, such as flag.set")
	}
	return name
}
