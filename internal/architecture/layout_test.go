package architecture

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// folders are those of the module that have Go files.
func (t *tree) folders() []string {
	set := map[string]bool{}
	for _, f := range t.files {
		set[f.folder()] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// everyPackageIsDocumented asks for one package comment, in one file, of some substance.
func everyPackageIsDocumented(t *tree) []string {
	comments := map[string][]string{}
	for _, f := range t.files {
		if f.ast.Doc == nil || f.isTest() {
			continue
		}
		text := f.ast.Doc.Text()
		want := "Package " + f.ast.Name.Name + " "
		if f.ast.Name.Name == "main" {
			want = "Command " + path.Base(f.folder()) + " "
		}
		if !strings.HasPrefix(text, want) || len(strings.Fields(text)) < 10 {
			comments[f.folder()] = append(comments[f.folder()], f.path+": begin with "+want+"and say what it is for")
			continue
		}
		comments[f.folder()] = append(comments[f.folder()], "")
	}
	var findings []string
	for _, folder := range t.folders() {
		switch all := comments[folder]; {
		case len(all) == 0:
			findings = append(findings, folder+": no package comment: say what it is for, how it is used, what about concurrency and tests")
		case len(all) > 1:
			findings = append(findings, folder+": several package comments: keep one")
		case all[0] != "":
			findings = append(findings, all[0])
		}
	}
	return findings
}

const maxLines = 400

// filesAreShort bounds Go files, tests among them.
func filesAreShort(t *tree) []string {
	var findings []string
	for _, f := range t.files {
		if f.lines > maxLines {
			findings = append(findings, fmt.Sprintf("%s: %d lines: split it by idea, %d are the most", f.path, f.lines, maxLines))
		}
	}
	return findings
}

// theTopLevelIsFixed names what may stand there beside dot-files.
func theTopLevelIsFixed(t *tree) []string {
	allowed := []string{
		"cmd", "receiver", "remediators", "rules", "internal", "charts", "go.mod", "go.sum", "Makefile", "README.md", "LICENSE", "Dockerfile",
	}
	seen := map[string]bool{}
	var findings []string
	for _, p := range t.paths {
		top, _, _ := strings.Cut(p, "/")
		if !seen[top] && !strings.HasPrefix(top, ".") && !slices.Contains(allowed, top) {
			findings = append(findings, top+": the top level is fixed: put it below one of "+strings.Join(allowed, ", "))
		}
		seen[top] = true
	}
	return findings
}

// machinePaths are absolute paths that exist on some person's or builder's machine only.
var machinePaths = regexp.MustCompile(`(?m)(?:^|[\s"'=(:,` + "`" + `])(/(?:root|work|farm|home|Users)/[\w.-]+|[A-Z]:\\Users\\)`)

// nothingNamesAMachine looks into every text file, also of testdata and dot-folders.
func nothingNamesAMachine(t *tree) []string {
	var findings []string
	for _, p := range t.paths {
		content, err := os.ReadFile(filepath.Join(t.root, filepath.FromSlash(p)))
		if err != nil {
			findings = append(findings, p+": "+err.Error())
			continue
		}
		if bytes.IndexByte(content[:min(len(content), 8000)], 0) >= 0 || strings.HasPrefix(p, "internal/architecture/testdata/") {
			continue
		}
		if at := machinePaths.FindSubmatchIndex(content); at != nil {
			line := 1 + bytes.Count(content[:at[2]], []byte("\n"))
			findings = append(findings, fmt.Sprintf("%s:%d: %s is a path of one machine", p, line, content[at[2]:at[3]]))
		}
	}
	return findings
}
