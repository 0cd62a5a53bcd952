// Package config decodes paramedic.yaml, once, at start. Its results are plain values: package app hands each part to
// the package that needs it, and no other package knows this one.
//
//	cfg, err := config.Load("paramedic.yaml", config.ProcessEnv())
//	if err == nil {
//		err = cfg.CheckSecrets()
//	}
//
// It is strict: what it does not know, it refuses, with the nearest name that it does know; what this version cannot
// do yet, it refuses by that reason. All problems of a file are reported together, each as
// "file:line:column: field NAME: value VALUE: what is wrong: how to mend it" ([Problem], [Problems]).
//
// All paths and globs of the file are relative to the folder that holds it. A file that says nothing but its sources
// means: listen on 127.0.0.1:8080, store in ./data, rules from rules/*.yaml, log every notice, 8 tasks at once per
// worker group, the API switched off, and JSON logs from level info.
//
// A secret is written {env: NAME} or {file: PATH} and never as text. [Secret] reads it when it is used and prints as
// its place, never as its value.
//
// Concurrency: a [Config] is not changed after Load and may be shared; so may a [Secret]. Reading the environment, the
// files and the clock goes through [Env], so the tests run on tables and golden files in testdata: x.good.yaml with
// what it decodes to, x.bad.yaml with its problems.
package config
