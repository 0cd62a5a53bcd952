package main

import (
	"net/url"
	"path"
	"slices"

	"github.com/tripgen/paramedic/rules"
)

// What check prints as SARIF. Source: OASIS, "Static Analysis Results Interchange
// Format (SARIF) Version 2.1.0", sections 3.13 log, 3.14 run, 3.19 driver, 3.27
// result, 3.30 region and 3.49 reportingDescriptor.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string       `json:"id"`
		ShortDescription sarifMessage `json:"shortDescription"`
		Configuration    sarifLevel   `json:"defaultConfiguration"`
	}
	sarifLevel struct {
		Level string `json:"level"`
	}
	sarifMessage struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifMessage    `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int           `json:"startLine"`
		StartColumn int           `json:"startColumn"`
		Snippet     *sarifMessage `json:"snippet,omitempty"`
	}
)

// sarifOf gives findings the form that code hosts and editors read. A finding's
// code is its rule, and its severity is the level of the same name.
func sarifOf(findings rules.Findings, version string) sarifLog {
	codes := rules.Codes()
	driver := sarifDriver{Name: "paramedic", Version: version, InformationURI: "https://github.com/tripgen/paramedic"}
	for _, c := range codes {
		driver.Rules = append(driver.Rules, sarifRule{
			ID: c.ID, ShortDescription: sarifMessage{c.Summary}, Configuration: sarifLevel{string(c.Severity)},
		})
	}
	results := []sarifResult{}
	for _, f := range findings {
		results = append(results, sarifResult{
			RuleID:    f.Code,
			RuleIndex: slices.IndexFunc(codes, func(c rules.Code) bool { return c.ID == f.Code }),
			Level:     string(f.Severity), Message: sarifMessage{f.Message}, Locations: sarifPlace(f),
		})
	}
	return sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0",
		// Columns are counted as rules.Position says.
		Runs: []sarifRun{{Tool: sarifTool{driver}, ColumnKind: "unicodeCodePoints", Results: results}},
	}
}

// sarifPlace is where a finding is; none if it is about no file.
func sarifPlace(f rules.Finding) []sarifLocation {
	if f.File == "" {
		return nil
	}
	uri := url.URL{Path: f.File}
	if path.IsAbs(f.File) {
		uri.Scheme = "file"
	}
	place := sarifPhysical{Artifact: sarifArtifact{uri.String()}}
	if f.Line > 0 {
		place.Region = &sarifRegion{StartLine: f.Line, StartColumn: max(1, f.Column)}
		if f.Snippet != "" {
			place.Region.Snippet = &sarifMessage{f.Snippet}
		}
	}
	return []sarifLocation{{place}}
}
