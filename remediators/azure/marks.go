package azure

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// markKey is the tag, or the metadata of a DNS record, by which a resource tells which
// tasks changed it. It is written in the same request as the change.
const markKey = "paramedic-tasks"

// maxMarks bounds how many tasks a resource keeps. A task is observed within minutes,
// in which its target sees one or two others. A tag has 256 characters.
const maxMarks = 8

// marks are the marks of the last tasks, latest first.
type marks []string

// markOf is a task's mark: short, for a task's id may have hundreds of characters.
func markOf(task string) string {
	sum := sha256.Sum256([]byte(task))
	return hex.EncodeToString(sum[:8])
}

// marksOf reads what text writes. Somebody may have edited it: what is no mark matches
// no task.
func marksOf(text string) marks {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func (m marks) has(task string) bool { return slices.Contains(m, markOf(task)) }

// add puts a task in front and lets the oldest go.
func (m marks) add(task string) marks {
	all := append(marks{markOf(task)}, m...)
	return all[:min(len(all), maxMarks)]
}

func (m marks) text() string { return strings.Join(m, ",") }
