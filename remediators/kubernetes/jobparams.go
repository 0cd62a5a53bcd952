package kubernetes

import (
	"fmt"
	"regexp"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// jobParams are those of [Job]; jobSchema says the same to editors and the linter.
type jobParams struct {
	Name     string `json:"name"`
	Deadline int64  `json:"activeDeadlineSeconds"`
	Keep     string `json:"keep"`

	keep time.Duration
}

const jobSchema = `{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "name": {"type": "string", "maxLength": 40, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "description": "What the Job's name begins with; the CronJob's by default."},
    "activeDeadlineSeconds": {"type": "integer", "minimum": 1, "maximum": 86400, "description": "After so long Kubernetes ends the Job, which has failed then; at most the attempt's timeout."},
    "keep": {"type": "string", "pattern": "^([0-9]+h)?([0-9]+m)?([0-9]+s)?$", "minLength": 2, "description": "So long after its end the Job is deleted, from 10m to 720h; by default what the template says."}
  }
}`

const (
	jobNamePattern  = `^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	maxJobPrefix    = 40
	maxJobDeadline  = 24 * 60 * 60
	durationPattern = `^(\d+h)?(\d+m)?(\d+s)?$`
	// leastKept is how long a Job must be there after its end: longer than a task is in
	// doubt, since it is by the Job that an observation tells.
	leastKept = 10 * time.Minute
	mostKept  = 30 * 24 * time.Hour
)

func jobParamsOf(t engine.Task) (jobParams, error) {
	var p jobParams
	given, err := wholeParams(t, &p)
	if err != nil {
		return p, err
	}
	_, name := given["name"]
	_, deadline := given["activeDeadlineSeconds"]
	_, keep := given["keep"]
	if keep {
		p.keep, err = time.ParseDuration(p.Keep)
	}
	switch {
	case name && (len(p.Name) > maxJobPrefix || !regexp.MustCompile(jobNamePattern).MatchString(p.Name)):
		err = fmt.Errorf("name is %q; want up to %d small letters, digits and dashes", p.Name, maxJobPrefix)
	case deadline && (p.Deadline < 1 || p.Deadline > maxJobDeadline):
		err = fmt.Errorf("activeDeadlineSeconds is %d; want 1 to %d", p.Deadline, maxJobDeadline)
	case deadline && t.Timeout > 0 && p.Deadline > int64(t.Timeout/time.Second):
		err = fmt.Errorf("activeDeadlineSeconds is %d, longer than the attempt's timeout of %v; raise that, or nobody waits for the end", p.Deadline, t.Timeout)
	case keep && (err != nil || !regexp.MustCompile(durationPattern).MatchString(p.Keep)):
		err = fmt.Errorf("keep is %q; want a duration, as 24h", p.Keep)
	case keep && (p.keep < leastKept || p.keep > mostKept):
		err = fmt.Errorf("keep is %q; want %v to %v", p.Keep, leastKept, mostKept)
	}
	if err != nil {
		return p, badParams(t, "%w", err)
	}
	return p, nil
}
