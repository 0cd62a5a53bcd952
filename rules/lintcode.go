package rules

import (
	"slices"
	"strings"
)

// The codes of findings. They are stable: a program may decide by them, and a
// text that is worded better keeps its code.
const (
	CodeSyntax       = "syntax"
	CodeUnknownField = "unknown-field"
	CodeMissingField = "missing-field"
	CodeUnknownName  = "unknown-name"
	CodeDuplicate    = "duplicate"
	CodeType         = "type"
	CodeDuration     = "duration"
	CodeSchedule     = "schedule"
	CodeExpression   = "expression"
	CodeMatcher      = "matcher"
	CodeTarget       = "target"
	CodeParameter    = "parameter"
	CodeCircle       = "circle"
	CodeUnsupported  = "unsupported"
	CodeEmpty        = "empty-set"
	CodeInternal     = "internal"
	CodeValue        = "value"

	CodeShadowed    = "lint/shadowed-rule"
	CodeUnreachable = "lint/unreachable-attempt"
	CodeNoVerify    = "lint/no-verify"
	CodeNoWithin    = "lint/no-within"
	CodeTrust       = "lint/trust"
	CodeTimeout     = "lint/timeout"
	CodeFreshness   = "lint/freshness"
	CodeMoot        = "lint/moot-limit"
	CodeUndo        = "lint/undo"
	CodeWindow      = "lint/window"
	CodeUnavailable = "lint/unavailable"
	CodeOther       = "lint/other"
)

// Code is one kind of finding.
type Code struct {
	ID string
	// Severity is that of all its findings.
	Severity Severity
	// Summary is one sentence for a person.
	Summary string
}

// Codes are all kinds of findings.
func Codes() []Code {
	return []Code{
		{CodeSyntax, SeverityError, "The file is not YAML that reads the same everywhere."},
		{CodeUnknownField, SeverityError, "There is no such field."},
		{CodeMissingField, SeverityError, "A field that is required is missing, or has no value."},
		{CodeUnknownName, SeverityError, "A name is used that nothing has: an action, a probe, a reporter, a rule."},
		{CodeDuplicate, SeverityError, "A name that must be unique is there twice."},
		{CodeType, SeverityError, "A value is of another type than it must be."},
		{CodeDuration, SeverityError, "A duration or a rate cannot be read, or is out of its bounds."},
		{CodeSchedule, SeverityError, "A cron expression or a time zone cannot be read, or a schedule never happens."},
		{CodeExpression, SeverityError, "An expression does not compile, or gives a wrong type."},
		{CodeMatcher, SeverityError, "A matcher cannot be read, or fits everything or nothing."},
		{CodeTarget, SeverityError, "A target is incomplete, or of a kind that an action cannot work on."},
		{CodeParameter, SeverityError, "A parameter is not as its action's or probe's schema wants it."},
		{CodeCircle, SeverityError, "Rules wait for each other, or for themselves."},
		{CodeUnsupported, SeverityError, "This version does not have it."},
		{CodeEmpty, SeverityError, "The set has no rule."},
		{CodeInternal, SeverityError, "The language itself could not be set up."},
		{CodeValue, SeverityError, "A value cannot be what is written."},
		{CodeShadowed, SeverityWarning, "An earlier rule takes every alert of this rule."},
		{CodeUnreachable, SeverityWarning, "An attempt cannot be reached, or hardly."},
		{CodeNoVerify, SeverityWarning, "An attempt acts by itself and does not say how health looks."},
		{CodeNoWithin, SeverityWarning, "An attempt does not say how long its verification may take."},
		{CodeTrust, SeverityWarning, "An attempt is given more trust than its rule."},
		{CodeTimeout, SeverityWarning, "A timeout is longer than what it is for."},
		{CodeFreshness, SeverityWarning, "An alert becomes too old before the rule can act on it."},
		{CodeMoot, SeverityWarning, "A limit can never hold, because the cooldown holds first."},
		{CodeUndo, SeverityWarning, "What an attempt did cannot be put back, or not all of it."},
		{CodeWindow, SeverityWarning, "A window is always open."},
		{CodeUnavailable, SeverityWarning, "This build cannot run it."},
		{CodeOther, SeverityWarning, "Something is odd."},
	}
}

// codeMarks are what the formats of findings have in common, the most telling
// first.
func codeMarks(s Severity) [][2]string {
	if s == SeverityWarning {
		return [][2]string{
			{"has no verify", CodeNoVerify},
			{"is never trusted more", CodeTrust},
			{"this build", CodeUnavailable},
			{"put back", CodeUndo},
		}
	}
	return [][2]string{
		{"parameter schema", CodeInternal},
		{"neither do nor verify", CodeMissingField},
		{"has no do: leave it out", CodeValue},
		{"equal compares", CodeValue},
		{"timezone: ", CodeSchedule},
		{"waits for itself", CodeCircle},
		{"wait for each other", CodeCircle},
		{"not YAML", CodeSyntax},
		{"the file is empty", CodeSyntax},
		{"a second document", CodeSyntax},
		{"this is not UTF-8", CodeSyntax},
		{"byte order mark", CodeSyntax},
		{"the file has %d bytes", CodeSyntax},
		{"character %U", CodeSyntax},
		{"nested deeper", CodeSyntax},
		{"are not read:", CodeSyntax},
		{"a tab indents", CodeSyntax},
		{"a field's name must be", CodeSyntax},
		{"the field's name %s is not", CodeSyntax},
		{"this version does not have", CodeUnsupported},
		{"is written twice", CodeDuplicate},
		{"is there twice", CodeDuplicate},
		{"there is already", CodeDuplicate},
		{"is given twice", CodeDuplicate},
		{"there is no field", CodeUnknownField},
		{"takes no %q", CodeParameter},
		{"needs the field", CodeMissingField},
		{"has no value", CodeMissingField},
		{"matcher", CodeMatcher},
		{"no alert can fit", CodeMatcher},
		{"no ${...} in it", CodeExpression},
		{"expression", CodeExpression},
		{"this ${", CodeExpression},
		{"whole object", CodeExpression},
		{"form inside a text", CodeExpression},
		{"when ", CodeExpression},
		{"by has no ${", CodeExpression},
		{"there is no", CodeUnknownName},
		{"target", CodeTarget},
		{"a %s needs its %s", CodeTarget},
		{"a %s is in no %s", CodeTarget},
		{"is a duration", CodeDuration},
		{"is so many in so long", CodeDuration},
		{"counts in a window", CodeDuration},
		{"at least %s", CodeDuration},
		{"at most %s", CodeDuration},
		{"(stable)", CodeDuration},
		{"(timeout)", CodeDuration},
		{"is a mapping", CodeType},
		{"is a list", CodeType},
		{"is a text", CodeType},
		{"is an empty list", CodeType},
		{"is a whole number", CodeType},
	}
}

// codeOf gives a finding its code, by the words of its format: what stands in
// for a verb could be anything.
func codeOf(s Severity, format, message string) string {
	switch {
	case format == "%s" && strings.Contains(message, "parameter schema"):
		return CodeInternal
	case format == "%s":
		return CodeExpression
	case format == "%s: %s" && isSchedule(message):
		return CodeSchedule
	case format == "%s: %s" && (strings.Contains(message, " is not a duration") || strings.Contains(message, " has no unit")):
		return CodeDuration
	case format == "%s: %s" || format == "%s needs %s" || format == "%s is %s, not %s":
		return CodeParameter
	}
	marks := codeMarks(s)
	if i := slices.IndexFunc(marks, func(m [2]string) bool { return strings.Contains(format, m[0]) }); i >= 0 {
		return marks[i][1]
	}
	if s == SeverityWarning {
		return CodeOther
	}
	return CodeValue
}

// isSchedule reports whether a message that hands on another is about a time of
// day.
func isSchedule(message string) bool {
	what, _, _ := strings.Cut(message, ":")
	return slices.Contains([]string{"cron", "restore", "start"}, what)
}
