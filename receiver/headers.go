package receiver

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// maxHeaders bounds the headers that are kept, in bytes of JSON: the bus has
	// room for 7 KiB.
	maxHeaders = 6 << 10
	// maxReason bounds the reason's part of it: characters that JSON spells with
	// six must not drive out what a replay needs.
	maxReason = 2 << 10
	// maxMissing bounds the names of those that are not. It comes on top.
	maxMissing = 500
)

// checkKept refuses traits that would keep what carries a secret.
func checkKept(names []string) error {
	for _, name := range names {
		prefix, all := strings.CutSuffix(name, "*")
		switch {
		case all && (!strings.HasSuffix(prefix, "-") || len(prefix) < 2):
			return fmt.Errorf("its decoder keeps the headers %q: want a name, or a prefix such as Ce-*", name)
		case !all && carriesSecret(name):
			return fmt.Errorf("its decoder keeps the header %q, which carries a secret: nothing of that kind goes into quarantine", name)
		}
	}
	return nil
}

// carriesSecret reports whether a header is one by which a sender proves who it
// is. It rather withholds one too many.
func carriesSecret(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, "-key") || slices.ContainsFunc([]string{
		"authorization", "cookie", "signature", "token", "secret", "password", "credential", "apikey",
	}, func(word string) bool { return strings.Contains(name, word) })
}

// keeping collects headers up to a size.
type keeping struct {
	kept map[string]string
	size int
}

// add keeps a header if there is room for it.
func (k *keeping) add(name, value string) bool {
	size := encodedSize(name, value)
	if k.size+size > maxHeaders {
		return false
	}
	k.kept[name], k.size = value, k.size+size
	return true
}

// encodedSize is what a header takes in the JSON that the bus makes of all.
func encodedSize(name, value string) int {
	pair, err := json.Marshal(map[string]string{name: value})
	if err != nil { // strings cannot fail
		return maxHeaders + 1
	}
	return len(pair)
}

// keepHeaders returns what goes into quarantine with a body: why, and of the
// request's headers those that a replay needs, and at last what a person may like
// to know. HeaderMissing names those of the former that are not as they came.
func keepHeaders(h http.Header, wanted []string, reason, receivedAt string) map[string]string {
	k := &keeping{kept: map[string]string{}}
	k.add(HeaderReceivedAt, receivedAt)
	for encodedSize(HeaderReason, reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:len(reason)/2], "") + "..."
	}
	k.add(HeaderReason, reason)
	var missing []string
	for _, name := range replayed(h, wanted) {
		values := h[name]
		if carriesSecret(name) || !utf8.ValidString(values[0]) || !k.add(name, values[0]) || len(values) > 1 {
			missing = append(missing, name)
		}
	}
	if agent := h.Get("User-Agent"); agent != "" {
		k.add("User-Agent", printable(agent))
	}
	if len(missing) > 0 {
		k.kept[HeaderMissing] = enumerate(missing, maxMissing)
	}
	return k.kept
}

// replayed are the headers of h that a replay needs, each once, with those first
// that every body of the source has.
func replayed(h http.Header, wanted []string) []string {
	var names []string
	add := func(name string) {
		if len(h[name]) > 0 && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	add("Content-Type")
	for _, name := range wanted {
		if !strings.HasSuffix(name, "*") {
			add(http.CanonicalHeaderKey(name))
		}
	}
	all := slices.Sorted(maps.Keys(h))
	for _, name := range wanted {
		prefix, ok := strings.CutSuffix(name, "*")
		if !ok {
			continue
		}
		for _, name := range all {
			if strings.HasPrefix(name, http.CanonicalHeaderKey(prefix)) {
				add(name)
			}
		}
	}
	return names
}

// enumerate joins names as long as there is room, and counts the rest.
func enumerate(names []string, room int) string {
	var b strings.Builder
	for i, name := range names {
		if b.Len()+len(name) > room-len(", and 10000 more") {
			fmt.Fprintf(&b, "and %d more", len(names)-i)
			break
		}
		b.WriteString(name)
		if i < len(names)-1 {
			b.WriteString(", ")
		}
	}
	return b.String()
}
