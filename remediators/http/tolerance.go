package http

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// tolerance is how far two numbers may be apart; the zero value is not at all.
type tolerance struct {
	// by is the distance, or of a percentage the share of the larger number; nil is 0.
	by      *big.Rat
	percent bool
	text    string
}

// UnmarshalJSON implements [json.Unmarshaler].
func (t *tolerance) UnmarshalJSON(b []byte) error {
	bad := fmt.Errorf("tolerance: %s is neither a number of 0 or more nor a percentage up to 100%%, such as 1%%", brief(json.RawMessage(b)))
	v, err := decodeJSON(b)
	if err != nil {
		return bad
	}
	text, isText := v.(string)
	if isText {
		share, ok := strings.CutSuffix(text, "%")
		if !ok || !json.Valid([]byte(share)) || strings.ContainsAny(share, "-eE") {
			return bad
		}
		v = json.Number(share)
	}
	by, ok := exact(v)
	if !ok || by.Sign() < 0 || isText && by.Cmp(big.NewRat(100, 1)) > 0 {
		return bad
	}
	t.by, t.percent, t.text = by, isText, strings.Trim(string(b), `"`)
	if isText {
		t.by = new(big.Rat).Quo(by, big.NewRat(100, 1))
	}
	return nil
}

// holds compares numbers without rounding, since counts beyond 2^53 are no float64,
// and everything else by equality.
func (t tolerance) holds(left, right any) (ok bool, detail string) {
	both := fmt.Sprintf("left is %s, right is %s", brief(left), brief(right))
	_, leftNumber := left.(json.Number)
	_, rightNumber := right.(json.Number)
	if !leftNumber || !rightNumber {
		switch {
		case t.by != nil:
			return false, both + ": a tolerance is of two numbers"
		case !equal(left, right):
			return false, both
		}
		return true, "both are " + brief(left)
	}
	l, leftOK := exact(left)
	r, rightOK := exact(right)
	if !leftOK || !rightOK {
		return false, both + ": a number is beyond what can be compared"
	}
	apart := new(big.Rat).Abs(new(big.Rat).Sub(l, r))
	limit := new(big.Rat)
	if t.by != nil {
		limit.Set(t.by)
	}
	if t.percent {
		larger := l.Abs(l)
		if r.Abs(r).Cmp(larger) > 0 {
			larger = r
		}
		limit.Mul(limit, larger)
	}
	switch {
	case apart.Cmp(limit) > 0 && t.by == nil:
		return false, both
	case apart.Cmp(limit) > 0:
		return false, both + ": further apart than " + t.text
	case apart.Sign() == 0:
		return true, "both are " + brief(left)
	}
	return true, both + ": no further apart than " + t.text
}

const (
	// maxDigits and maxExponent bound what a number costs that a server sends.
	maxDigits   = 100
	maxExponent = 400
)

// exact is a JSON number without rounding.
func exact(v any) (*big.Rat, bool) {
	n, ok := v.(json.Number)
	if !ok || len(n) > maxDigits {
		return nil, false
	}
	if _, exponent, found := strings.Cut(strings.ToLower(n.String()), "e"); found {
		if e, err := strconv.Atoi(exponent); err != nil || max(e, -e) > maxExponent {
			return nil, false
		}
	}
	return new(big.Rat).SetString(n.String())
}
