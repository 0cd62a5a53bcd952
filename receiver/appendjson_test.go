package receiver

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tripgen/paramedic/internal/alert"
)

// sameAsEncodingJSON checks that the line of d is read as what encoding/json
// would have written for it.
func sameAsEncodingJSON(t *testing.T, d alert.Delivery) {
	t.Helper()
	lines, err := encode(d, 0, 1<<30)
	if err != nil || len(lines) != 1 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	line := lines[0]
	if !utf8.Valid(line) || bytes.IndexByte(line, '\n') != len(line)-1 {
		t.Errorf("not one line of UTF-8: %q", line)
	}
	reference, err := json.Marshal(map[string]alert.Delivery{"delivery": d})
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	if err := json.Unmarshal(reference, &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("wrote  %s\nshould %s", line, reference)
	}
	var back, expected struct{ Delivery alert.Delivery }
	if err := json.Unmarshal(line, &back); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(reference, &expected); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, expected) {
		t.Errorf("read  %+v\nshould %+v", back, expected)
	}
}

// fill gives every field that v has, however deep, a value other than zero: one
// that the types get tomorrow is then missed if it is not written.
func fill(t *testing.T, v reflect.Value, number *int) {
	t.Helper()
	*number++
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(int64(1_700_000_000+*number), int64(*number)).UTC()))
	case v.Kind() == reflect.String:
		v.SetString(strings.Repeat("s", *number))
	case v.CanInt():
		v.SetInt(int64(*number))
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(t, v.Index(i), number)
		}
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(t, key, number)
			fill(t, value, number)
			v.SetMapIndex(key, value)
		}
	case v.Kind() == reflect.Struct:
		for _, field := range v.Fields() {
			fill(t, field, number)
		}
	default:
		t.Fatalf("a field of a type that the encoder does not know: %s", v.Type())
	}
}

func TestEveryFieldIsWritten(t *testing.T) {
	t.Parallel()
	var d alert.Delivery
	number := 0
	fill(t, reflect.ValueOf(&d).Elem(), &number)
	sameAsEncodingJSON(t, d)
	// And each of them left out, one at a time.
	for i := range reflect.TypeFor[alert.Delivery]().NumField() {
		if less := d; reflect.TypeFor[alert.Delivery]().Field(i).Name != "Alerts" {
			reflect.ValueOf(&less).Elem().Field(i).SetZero()
			sameAsEncodingJSON(t, less)
		}
	}
	for i := range reflect.TypeFor[alert.Alert]().NumField() {
		less := d
		less.Alerts = []alert.Alert{d.Alerts[0]}
		reflect.ValueOf(&less.Alerts[0]).Elem().Field(i).SetZero()
		sameAsEncodingJSON(t, less)
	}
	d.Alerts[0].Labels, d.Alerts[1].Annotations = map[string]string{}, map[string]string{}
	sameAsEncodingJSON(t, d)
}

// randomText mixes what needs escapes, what does not, and what is no UTF-8.
func randomText(random *rand.Rand) string {
	var b strings.Builder
	for range random.IntN(12) {
		switch random.IntN(6) {
		case 0:
			b.WriteByte(byte(random.IntN(256)))
		case 1:
			b.WriteRune(rune(random.IntN(0x110000)))
		case 2:
			b.WriteString([]string{"\u2028", "\u2029", "\x00", "\x7f", `\`, `"`, "\r\n", "\ufffd", "\ufeff", "</script>", "&", "\xed\xa0\x80", "\U0001F600"}[random.IntN(13)])
		default:
			b.WriteString("plain text/1.0")
		}
	}
	return b.String()
}

func TestTextOfEveryKind(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	text := func() string { return randomText(random) }
	// Names that are the same once repaired would be one key, of unknown value.
	table := func() map[string]string {
		m := map[string]string{}
		for range random.IntN(4) {
			m[strings.ToValidUTF8(text(), "?")] = text()
		}
		return m
	}
	instant := func() time.Time {
		zone := time.FixedZone("", (random.IntN(2*14*60)-14*60)*60)
		return time.Unix(random.Int64N(10_000_000_000), random.Int64N(1_000_000_000)).In(zone)
	}
	for range 500 {
		d := alert.Delivery{ID: text(), Source: text(), ReceivedAt: instant(), Warnings: []string{text(), text()}}
		for range 1 + random.IntN(3) {
			d.Alerts = append(d.Alerts, alert.Alert{
				Source: text(), Fingerprint: text(), Name: text(), Status: alert.Status(text()), Severity: text(),
				Labels: table(), Annotations: table(), StartsAt: instant(), EndsAt: instant(), At: instant(), URL: text(),
			})
		}
		sameAsEncodingJSON(t, d)
	}
}

func TestTimesThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	d := sample(2, 10)
	d.Alerts[1].EndsAt = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := encode(d, 0, 5000); err == nil || !strings.Contains(err.Error(), "alerts[1]: endsAt") {
		t.Errorf("got %v", err)
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "\xff", "a\u2028b", "\x00\"\\", "é😀", "\xed\xa0\x80", "<&>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		reference, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var got, want string
		if err := json.Unmarshal(appendString(nil, s), &got); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if err := json.Unmarshal(reference, &want); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%q is read as %q, want %q", s, got, want)
		}
	})
}
