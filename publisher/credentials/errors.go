package credentials

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/altinn-go/events/publisher"
)

// Error is why an issuer gave no token. It holds no secret: the issuer's own words
// are left out but for OAuth's error code.
//
// errors.Is finds publisher.ErrUnavailable if the issuer may give one later, and
// else publisher.ErrUnauthorized.
type Error struct {
	// Issuer is "maskinporten", "altinn exchange" or "platform".
	Issuer string
	// Status is the answer's, or 0 if there was none.
	Status int
	// Code is OAuth's, such as "invalid_grant", or "".
	Code string
	// RetryAfter is what the issuer asked for, or 0.
	RetryAfter time.Duration
	// Err is the cause, without a URL's query; it may be nil.
	Err error
}

// Error says what to look at.
func (e *Error) Error() string {
	text := e.Issuer + ": no token"
	if e.Status != 0 {
		text += fmt.Sprintf(": answered %d", e.Status)
	}
	if e.Code != "" {
		text += ": " + e.Code
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if hint := hints[e.Code]; hint != "" {
		text += " (" + hint + ")"
	}
	return text
}

// hints say what to do about the codes of Maskinporten.
var hints = map[string]string{
	"invalid_grant":       "check the key and its kid at Maskinporten, the consumer organisation and this machine's clock",
	"invalid_client":      "check the client id and the environment",
	"invalid_scope":       "check that the client has been given the scopes",
	"unauthorized_client": "check that the client may use the JWT grant",
}

// Unwrap returns how the error is met, and its cause.
func (e *Error) Unwrap() []error {
	class := publisher.ErrUnauthorized
	if e.temporary() {
		class = publisher.ErrUnavailable
	}
	if e.Err == nil {
		return []error{class}
	}
	return []error{class, e.Err}
}

func (e *Error) temporary() bool {
	if e.Status != 0 {
		return e.Status >= http.StatusInternalServerError || e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout
	}
	if _, ok := errors.AsType[net.Error](e.Err); ok {
		return true
	}
	return errors.Is(e.Err, context.DeadlineExceeded) || errors.Is(e.Err, context.Canceled) || errors.Is(e.Err, errBrokenAnswer)
}
