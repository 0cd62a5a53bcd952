package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tripgen/paramedic/rules"
	"github.com/tripgen/paramedic/rules/ruletest"
)

// kindRuleTest is the kind of rule test files.
const kindRuleTest = "RuleTest"

func newSchemaCmd() *cobra.Command {
	var kind, config string
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of rule files, for editors",
		Long: `Prints a JSON Schema (draft 2020-12) with the fields of the language, and the
actions, probes and reporters of this build. Editors that have the YAML language
server use it with a first line such as

  # yaml-language-server: $schema=ruleset.schema.json

What the schema accepts may still not compile: "paramedic check" has the last word.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			schema, err := schemaOf(kind, config)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(schema)
			return err
		},
	}
	configured(cmd.Flags(), &config)
	cmd.Flags().StringVar(&kind, "kind", rules.Kind, rules.Kind+" or "+kindRuleTest)
	return cmd
}

func schemaOf(kind, config string) (json.RawMessage, error) {
	catalog, err := buildCatalog(config)
	if err != nil {
		return nil, err
	}
	switch kind {
	case rules.Kind:
		return rules.Schema(catalog), nil
	case kindRuleTest:
		return ruletest.Schema(catalog)
	default:
		return nil, fmt.Errorf("--kind %q: want %s or %s", kind, rules.Kind, kindRuleTest)
	}
}
