package rules

import (
	"encoding/json"
	"maps"
	"slices"
)

// SchemaID is the $id of the schema that [Schema] makes.
const SchemaID = "https://paramedic.dev/v1/ruleset.schema.json"

// node is a JSON Schema or a part of one.
type node = map[string]any

// described is one kind of object of the language, as its schema describes it.
type described struct {
	// def names it under $defs, and from is the function that gives its shape.
	def, from string
	shape     shape
	title     string
	about     string
	// fields are the schemas of the shape's fields, and more what holds beyond
	// single fields.
	fields map[string]node
	more   node
}

// Schema is a JSON Schema (draft 2020-12) of rule files, for editors. It accepts
// every file that compiles with the catalogue, and refuses what can be seen
// without compiling: fields, types, names out of the catalogue, the form of
// durations and rates. Expressions, matchers and references it leaves to [Parse].
//
// Parameters of actions and probes may have ${...} wherever their own schemas
// want anything but a text, so that these are relaxed: conditions (if, then,
// else) are left out.
func Schema(catalog Catalog) json.RawMessage {
	defs := catalogDefs(catalog)
	for _, d := range describedObjects(catalog) {
		defs[d.def] = d.schema()
	}
	root := node{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"$id":     SchemaID,
		"title":   "Paramedic rules",
		"$ref":    "#/$defs/file",
		"$defs":   defs,
	}
	b, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		// Texts, numbers, lists and objects of them: there is nothing to refuse.
		panic("rules: schema does not encode: " + err.Error())
	}
	return append(b, '\n')
}

func (d described) schema() node {
	properties := node{}
	for _, name := range d.shape.fields {
		if s, ok := d.fields[name]; ok {
			properties[name] = s
		}
	}
	s := node{
		"title": d.title, "description": d.about, "type": "object", "additionalProperties": false, "properties": properties,
	}
	if len(d.shape.required) > 0 {
		s["required"] = d.shape.required
	}
	maps.Copy(s, d.more)
	return s
}

// having are schemas of objects that have a field, one for each name.
func having(names ...string) []node {
	branches := make([]node, len(names))
	for i, n := range names {
		branches[i] = node{"required": []string{n}}
	}
	return branches
}

// describedObjects are all objects of a rule file.
func describedObjects(catalog Catalog) []described {
	all := []described{
		{
			def: "file", from: "fileShape", shape: fileShape(), title: "A rule file", about: "Files that are given together are one rule set.",
			fields: map[string]node{
				"apiVersion": constant(APIVersion, "The version of the language."),
				"kind":       constant(Kind, "A rule file holds one RuleSet."),
				"metadata":   to("metadata"), "spec": to("spec"),
			},
		},
		{
			def: "metadata", from: "metadataShape", shape: metadataShape(), title: "Metadata", about: "What the file is called.",
			fields: map[string]node{"name": nameOf("The name of the rule set.")},
		},
		{
			def: "spec", from: "specShape", shape: specShape(), title: "Spec", about: "Defaults of this file, and budgets, windows and rules of the set.",
			fields: map[string]node{
				"defaults": to("defaults"), "budgets": listOf(to("budget"), "Bounds that count over all rules of the set."),
				"windows": listOf(to("window"), "Times at which runs are held, or the only ones at which they are not."),
				"rules":   listOf(to("rule"), "The rules. The first one that may act takes an alert."),
			},
		},
		{
			def: "defaults", from: "defaultsShape", shape: defaultsShape(), title: "Defaults", about: "What holds for the rules of this file that say nothing else.",
			fields: map[string]node{
				"mode": to("mode"), "guards": to("guards"),
				"report": about(to("routes"), "Whom to tell of every run."), "otherwise": about(to("routes"), "Whom to ask when a run did not cure."),
			},
		},
		{
			def: "budget", from: "budgetShape", shape: budgetShape(), title: "A budget", about: "Bounds the attempts of all rules together. A budget \"fleet\" of 20/10m is built in.",
			fields: map[string]node{
				"name": nameOf("Unique in the set."), "by": text("What is counted separately, as ${target.namespace}."),
				"limit":      orOffNode(rateNode("So many attempts in so long, as 20/10m. Only the budget \"fleet\" can be off.")),
				"concurrent": numberNode(1, maxCount, "How many targets may be under repair at once."),
			},
		},
		{
			def: "window", from: "windowShape", shape: windowShape(), title: "A window", about: "A time that comes again and again, and holds runs or lets them through.",
			fields: map[string]node{
				"name": nameOf("Unique in the set."), "start": cronNode("When it opens."), "timezone": zoneNode(),
				"duration": durationNode("How long it is open, as 2h."),
				"effect":   choice("hold: runs wait while it is open (the default). allow: runs wait while no such window is open.", "hold", "allow"),
				"rules":    listOf(nameOf("A rule of the set."), "The rules that it is for; all rules otherwise."),
			},
		},
		ruleDescribed(),
		guardsDescribed(),
		{
			def: "unless", from: "unlessShape", shape: unlessShape(), title: "Unless", about: "Holds the rule's runs while another alert fires, or another rule is at work.",
			fields: map[string]node{
				"alerts": matchersNode("An alert with these labels fires."), "equal": labelNamesNode("Labels that have the same values in both alerts."),
				"rule": nameOf("That rule has an active run that may act."),
			},
			more: node{"oneOf": having("alerts", "rule")},
		},
		targetDescribed(),
		attemptDescribed(),
		{
			def: "retry", from: "retryShape", shape: retryShape(), title: "Retry", about: "How often an action is tried again after a failure that may pass.",
			fields: map[string]node{
				"max":     numberNode(0, maxRetries, "How often; 2 by default."),
				"backoff": durationNode("The first delay, doubled each time; 5s by default."),
			},
		},
	}
	return append(all, triggersDescribed(catalog)...)
}

// oneOf is a mapping that names exactly one of some things, with others beside it.
func oneOf(title string, named, beside node) node {
	properties := maps.Clone(named)
	maps.Copy(properties, beside)
	return node{
		"title": title, "type": "object", "additionalProperties": false, "properties": properties,
		"oneOf": having(slices.Sorted(maps.Keys(named))...),
	}
}

// catalogDefs are the parts that the catalogue decides, and those that many
// fields share.
func catalogDefs(catalog Catalog) node {
	template := node{"type": "string", "pattern": `\$\{`, "title": "An expression", "description": "A text with an expression (CEL) in ${...}."}
	action, probe := node{}, node{
		probeAlert: constant(alertResolved, "Every alert of the run has resolved."),
	}
	defs := node{"template": template, "mode": modeNode("How far it is trusted.", modeNames(ladder()))}
	for _, name := range slices.Sorted(maps.Keys(catalog.Actions)) {
		key := "action." + name
		defs[key] = embed(key, name, catalog.Actions[name].Schema)
		action[name] = node{"anyOf": []node{to(key), {"type": "null"}}}
	}
	for _, kind := range slices.Sorted(maps.Keys(catalog.Probes)) {
		key := "probe." + kind
		defs[key] = embed(key, "probe "+kind, catalog.Probes[kind].Schema)
		probe[kind] = node{"anyOf": []node{to(key), to("template")}}
	}
	defs["action"] = oneOf("An action", action, node{
		fieldTarget:  about(to("target"), "What it works on, if not the rule's target."),
		fieldTimeout: durationNode("How long one call of it may take; the attempt's by default."),
	})
	defs["probe"] = oneOf("A probe", probe, node{fieldTarget: about(to("target"), "What it looks at, if not the rule's target.")})
	reporters := node{}
	for _, r := range catalog.Reporters {
		reporters[r] = node{"type": []string{"string", "null"}, "minLength": 1, "description": "Where in " + r + "; empty for its own choice."}
	}
	defs["routes"] = node{
		"title": "Routes", "description": "Reporters, and where in them. An empty mapping tells nobody.",
		"type": "object", "additionalProperties": false, "properties": reporters,
	}
	return defs
}
