package alertmanager_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/receiver"
)

// Whatever is wrong with an alert, wherever in it, the ones around it are used.
func TestABadAlertDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	good := func(name string) string {
		return `{"status":"firing","labels":{"alertname":"` + name + `"},` + start + `}`
	}
	for _, c := range []struct{ name, bad, want string }{
		{"a number", `7`, "alerts[1] is a JSON number"},
		{"null", `null`, "alerts[1] is a JSON null"},
		{"an array", `[{"status":"firing"},[]]`, "alerts[1] is a JSON array"},
		{"empty", `{}`, "alerts[1].status"},
		{"unknown status", `{"status":"pending",` + labels + `}`, `alerts[1].status is "pending"`},
		{"status an object", `{"status":{"a":[1,{}]},` + labels + `}`, "alerts[1].status: it is a JSON object"},
		{"status a number, at the end", `{` + labels + `,"status":1}`, "alerts[1].status: it is a JSON number"},
		{"label a list", `{"status":"firing","labels":{"a":"b","port":[1,[2]],"c":"d"},` + start + `}`, `alerts[1].labels: "port"`},
		{"label null, then a number", `{"status":"firing","labels":{"a":null,"b":2}}`, `alerts[1].labels: "b"`},
		{"labels an array", `{"status":"firing","labels":[{"a":1}],"x":{}}`, "alerts[1].labels: it is a JSON array"},
		{"annotations a string", `{"annotations":"x",` + labels + `}`, "alerts[1].annotations"},
		{"no identity", `{"status":"firing","labels":{},"annotations":{"a":1}}`, "nothing identifies it"},
		{"start not a time", `{"status":"firing",` + labels + `,"startsAt":"now"}`, `alerts[1].startsAt is "now"`},
		{"start an object", `{"startsAt":{"a":{"b":"c"}},"status":"firing",` + labels + `}`, "alerts[1].startsAt: it is a JSON object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := decode(`{"alerts":[` + good("A") + `,` + c.bad + `,` + good("B") + `],"version":"4"}`)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Alerts) != 2 || got.Alerts[0].Name != "A" || got.Alerts[1].Name != "B" {
				t.Errorf("usable: %+v", got.Alerts)
			}
			if len(got.Refused) != 1 || got.Refused[0].Index != 1 || !strings.Contains(got.Refused[0].Reason, c.want) {
				t.Errorf("refused: %+v, want %q", got.Refused, c.want)
			}
		})
	}
}

// Broken JSON inside or behind a bad alert is broken JSON.
func TestAfterABadAlertTheBodyIsStillJudged(t *testing.T) {
	t.Parallel()
	good := `{"status":"firing",` + labels + `,` + start + `}`
	for name, body := range map[string]string{
		"cut off in it":        `{"alerts":[` + good + `,{"status":1,"x":`,
		"cut off behind it":    `{"alerts":[` + good + `,{"status":1}`,
		"a key twice in it":    `{"alerts":[` + good + `,{"status":1,"a":1,"a":2}]}`,
		"rubbish behind it":    `{"alerts":[` + good + `,7 8]}`,
		"UTF-8 in its rest":    `{"alerts":[` + good + ",{\"status\":1,\"a\":\"\xff\"}]}",
		"a second body":        `{"alerts":[` + good + `,7]}{}`,
		"brackets that differ": `{"alerts":[` + good + `,{"labels":{"a":1]}]}`,
	} {
		if got, err := decode(body); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestRefusedKeepTheirPlaces(t *testing.T) {
	t.Parallel()
	shared := func(job string) string {
		return `{"status":"firing","labels":{"alertname":"Down","job":"` + job + `"},` + start + `,"fingerprint":"x"}`
	}
	got, err := decode(`{"alerts":[1,` + shared("a") + `,2,3,` + shared("b") + `]}`)
	if err != nil {
		t.Fatal(err)
	}
	var places []int
	for _, r := range got.Refused {
		places = append(places, r.Index)
	}
	if want := []int{0, 2, 3}; !reflect.DeepEqual(places, want) {
		t.Errorf("refused %v, want %v", places, want)
	}
	if got.Place(0) != 1 || got.Place(1) != 4 {
		t.Errorf("the usable ones are at %d and %d", got.Place(0), got.Place(1))
	}
	if len(got.Warnings) != 2 || !strings.Contains(got.Warnings[0], "alerts[1]") || !strings.Contains(got.Warnings[1], "alerts[4]") {
		t.Errorf("warnings %q", got.Warnings)
	}
}

// Fifty thousand bad alerts must not become fifty thousand sentences.
func TestReasonsAreBounded(t *testing.T) {
	t.Parallel()
	one := `{"status":"firing",` + labels + `,` + start + `}`
	got, err := decode(`{"alerts":[` + one + strings.Repeat(`,7`, 49_999) + `]}`)
	if err != nil {
		t.Fatal(err)
	}
	reasons := 0
	for _, r := range got.Refused {
		if r != (receiver.RefusedAlert{Index: r.Index}) {
			reasons++
		}
	}
	if len(got.Refused) != 49_999 || reasons != 20 {
		t.Errorf("%d refused, %d with a reason", len(got.Refused), reasons)
	}
	if _, err := decode(`{"alerts":[` + one + strings.Repeat(`,7`, 50_000) + `]}`); err == nil {
		t.Error("one more was let through")
	}
}
