package rules

import (
	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
)

// undoOnFailure is how an attempt says that it puts back what it did.
const undoOnFailure = "on-failure"

// undo reads whether an attempt puts back what it did. do is what it does.
func (f *file) undo(n, do *yaml.Node, a *engine.Attempt) {
	text, ok := f.oneOf(n, "undo", []string{undoOnFailure, off})
	if !ok || text == off || do == nil || len(a.Do) == 0 || len(a.Do) != len(do.Content) {
		return
	}
	var stays []int
	for i, action := range a.Do {
		if !action.Undoable {
			stays = append(stays, i)
		}
	}
	if len(stays) == len(a.Do) {
		f.errorf(n, "none of this attempt's actions can be put back: leave undo out")
		return
	}
	for _, i := range stays {
		f.warnf(do.Content[i], "%s cannot be put back: undo leaves it as it is", a.Do[i].Name)
	}
	a.Undo = true
}
