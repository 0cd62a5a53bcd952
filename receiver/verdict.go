package receiver

import (
	"errors"
	"net/http"
	"strings"
)

// verdict gathers what the authenticators of a source say of one request: first
// of its headers, then, if that is not enough, of its body.
type verdict struct {
	passed bool
	// pending let the headers pass and want to see the body.
	pending []BodyAuthenticator
	// Of those that do not let it pass: broken cannot tell, denials say why.
	broken    []error
	denials   []*Denial
	forbidden bool
}

// judgeHeaders lets a request pass if any of the list does. All of them are
// asked, so that the time taken does not tell which one was near.
func judgeHeaders(r *http.Request, list []Authenticator) verdict {
	var v verdict
	for _, a := range list {
		err := a.Authenticate(r)
		if err != nil {
			v.add(err)
			continue
		}
		if later, ok := a.(BodyAuthenticator); ok {
			v.pending = append(v.pending, later)
			continue
		}
		v.passed = true
	}
	return v
}

// judgeBody asks those that want the body, likewise all.
func (v *verdict) judgeBody(r *http.Request, body []byte) Once {
	var once Once
	for _, a := range v.pending {
		o, err := a.AuthenticateBody(r, body)
		if err != nil {
			v.add(err)
			continue
		}
		v.passed = true
		if once == (Once{}) {
			once = o
		}
	}
	return once
}

func (v *verdict) add(err error) {
	forbidden := errors.Is(err, ErrForbidden)
	if !forbidden && !errors.Is(err, ErrUnauthenticated) {
		v.broken = append(v.broken, err)
		return
	}
	v.forbidden = v.forbidden || forbidden
	if d, ok := errors.AsType[*Denial](err); ok {
		v.denials = append(v.denials, d)
	}
}

// refusal is the answer to a request that nothing has let pass.
func (v *verdict) refusal(list []Authenticator) *refusal {
	if len(v.broken) > 0 {
		return doubt(reasonAuthUnavailable, errors.Join(v.broken...), "credentials cannot be checked now; send again")
	}
	var f *refusal
	var challenges challenges
	if v.forbidden {
		f = refuse(http.StatusForbidden, reasonForbidden, "the caller is known, but not allowed here")
	} else {
		f = refuse(http.StatusUnauthorized, reasonUnauthenticated, "the credentials are missing or wrong")
		for _, a := range list {
			challenges.add(a.Challenge())
		}
	}
	var why []error
	for _, d := range v.denials {
		why = append(why, d)
		if errors.Is(d.Err, ErrForbidden) != v.forbidden {
			continue
		}
		challenges.add(d.Challenge)
		if f.counted == "" && d.Reason.known() {
			f.counted = d.Reason
		}
	}
	if f.counted.shown() {
		f.reason, f.detail = f.counted, f.counted.title()
	}
	f.cause, f.challenges, f.failed = errors.Join(why...), challenges, true
	return f
}

// challenges has one for each scheme: two tokens in rotation have the same.
type challenges []string

// add prefers the one that says more.
func (c *challenges) add(challenge string) {
	if challenge == "" {
		return
	}
	scheme, _, _ := strings.Cut(challenge, " ")
	for i, have := range *c {
		if other, _, _ := strings.Cut(have, " "); strings.EqualFold(scheme, other) {
			if len(challenge) > len(have) {
				(*c)[i] = challenge
			}
			return
		}
	}
	*c = append(*c, challenge)
}
