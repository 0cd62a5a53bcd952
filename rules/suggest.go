package rules

import (
	"slices"
	"strings"
)

// nearest returns the candidate that name is most likely a slip of.
func nearest(name string, candidates []string) (string, bool) {
	best, bestDistance := "", min(max(1, len(name)/3), 3)+1
	for _, c := range candidates {
		if strings.EqualFold(c, name) {
			return c, true
		}
		// A name that has no letter of the other is no slip of it.
		if d := distance(name, c); d < bestDistance && d < max(len(name), len(c)) {
			best, bestDistance = c, d
		}
	}
	return best, best != ""
}

// hint ends a message about an unknown name: with the nearest valid one, or
// else with all of them.
func hint(name string, candidates []string) string {
	sorted := slices.Sorted(slices.Values(candidates))
	if c, ok := nearest(name, sorted); ok {
		return `, did you mean "` + c + `"?`
	}
	if len(sorted) == 0 {
		return ""
	}
	return ": there is " + enumerate(sorted, "and")
}

// near ends a message about an unknown name, where all the valid ones are too
// many to be listed.
func near(name string, candidates []string) string {
	slices.Sort(candidates)
	if c, ok := nearest(name, candidates); ok {
		return ", did you mean " + c + "?"
	}
	return ""
}

// enumerate writes a, b and c.
func enumerate(names []string, last string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	n := len(names) - 1
	return strings.Join(names[:n], ", ") + " " + last + " " + names[n]
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours between two names (optimal string alignment).
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			rows[i][j] = min(replace, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
