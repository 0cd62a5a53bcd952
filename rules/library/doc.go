// Package library is ready rules, and alerting rules for Prometheus that go with them; README.md lists them. It has no
// code: its tests compile every file, alone and together, hold it against the JSON Schemas, play its rule tests
// (package ruletest), and try the alerting rules with promtool (package lab).
package library
