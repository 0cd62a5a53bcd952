package jsonmap

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// unusableError is what is wrong with one alert: it is refused, and the next is
// looked at.
type unusableError string

func (e unusableError) Error() string { return string(e) }

func unusable(format string, args ...any) error {
	return unusableError(fmt.Sprintf(format, args...))
}

func asUnusable(err error) (unusableError, bool) { return errors.AsType[unusableError](err) }

// maxReasons bounds the reasons kept: a body may have very many tiny alerts.
const maxReasons = 20

// text is a value as a field holds it; null is the empty text.
func text(v ref.Val) (string, error) {
	switch v := v.(type) {
	case types.Null:
		return "", nil
	case types.String:
		return string(v), nil
	case types.Int:
		return strconv.FormatInt(int64(v), 10), nil
	case types.Uint:
		return strconv.FormatUint(uint64(v), 10), nil
	case types.Double:
		return strconv.FormatFloat(float64(v), 'f', -1, 64), nil
	case types.Bool:
		return strconv.FormatBool(bool(v)), nil
	case types.Timestamp:
		return v.UTC().Format(time.RFC3339Nano), nil
	default:
		return "", unusable("the expression gave a CEL %s; it must give a text, a number or a boolean", v.Type().TypeName())
	}
}
