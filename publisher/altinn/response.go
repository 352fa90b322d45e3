package altinn

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/altinn-go/events/publisher"
)

// maxBodyBytes bounds ResponseError.Body.
const maxBodyBytes = 4 << 10

// ResponseError is an answer that is not a success. errors.Is maps it to what to
// do next:
//
//	publisher.ErrUnavailable   404, 405, 408, 409, 425, 429, and what is not 4xx
//	publisher.ErrUnauthorized  401 and 403
//	publisher.ErrRejected      any other 4xx, and the 401 of POST /app that says, as
//	                           a JSON string, that the app "is not authorized to
//	                           create events for" the event's source
//
// Its texts are redacted: no identity number, none of our tokens.
type ResponseError struct {
	// Method and Endpoint say what was called: "POST" and "/app".
	Method, Endpoint string

	// Status is the HTTP status.
	Status int

	// RetryAfter is the pause that the service asked for; 0 if it did not.
	RetryAfter time.Duration

	// Title and Detail say what is wrong, each on one line of at most 1 KiB. They
	// come from problem details (errors per field make up a missing detail), from
	// the "message" of the API gateway, from a JSON string or from plain text.
	// Either may be empty.
	Title, Detail string

	// Body is what the service answered, up to 4 KiB.
	Body string
}

// Error reads "POST /app: 503 Service Unavailable: {detail}", or the title if there
// is no detail.
func (e *ResponseError) Error() string {
	text := strings.TrimSpace(fmt.Sprintf("%s %s: %d %s", e.Method, e.Endpoint, e.Status, http.StatusText(e.Status)))
	if e.Detail != "" {
		return text + ": " + e.Detail
	}
	if e.Title != "" && e.Title != http.StatusText(e.Status) {
		return text + ": " + e.Title
	}
	return text
}

// Is reports whether target is the one of publisher's errors that stands for the
// status.
func (e *ResponseError) Is(target error) bool { return target == e.class() }

// HTTPStatus returns Status.
func (e *ResponseError) HTTPStatus() int { return e.Status }

// RetryDelay returns RetryAfter.
func (e *ResponseError) RetryDelay() time.Duration { return e.RetryAfter }

func (e *ResponseError) class() error {
	switch e.Status {
	case http.StatusUnauthorized:
		if e.curable() {
			return publisher.ErrUnauthorized
		}
		return publisher.ErrRejected
	case http.StatusForbidden:
		return publisher.ErrUnauthorized
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestTimeout,
		http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return publisher.ErrUnavailable
	}
	if e.Status >= 400 && e.Status < 500 {
		return publisher.ErrRejected
	}
	return publisher.ErrUnavailable
}

// foreignSource is what POST /app says about the source of another app: the JSON
// string "{org}/{app} is not authorized to create events for {source}".
//
// Source: Altinn/altinn-events, AppController.cs (2026-08).
const foreignSource = " is not authorized to create events for "

// curable reports whether another token may change the answer: of every 401 but
// that of a foreign source. A string that Body has only the beginning of is one too.
func (e *ResponseError) curable() bool {
	if e.Status != http.StatusUnauthorized {
		return false
	}
	isString := strings.HasPrefix(strings.TrimSpace(e.Body), `"`)
	return e.Endpoint != publisher.EndpointApp || !isString || !strings.Contains(e.Body, foreignSource)
}

func newResponseError(op *operation, resp *http.Response, reply []byte, scrub scrubber) *ResponseError {
	title, detail := describe(reply)
	if location := resp.Header.Get("Location"); detail == "" && location != "" && resp.StatusCode/100 == 3 {
		detail = describeRedirect(location)
	}
	method, endpoint, _ := strings.Cut(op.name, " ")
	return &ResponseError{
		Method:     method,
		Endpoint:   endpoint,
		Status:     resp.StatusCode,
		RetryAfter: parseRetryAfter(resp.Header.Get("Retry-After")),
		Title:      scrub.line(title),
		Detail:     scrub.line(detail),
		Body:       scrub.text(string(reply), maxBodyBytes),
	}
}

// problem has the members that say what is wrong, in the shapes that the service
// and the gateway before it answer with.
//
// Source: RFC 9457; ASP.NET Core's ValidationProblemDetails (errors); Azure API
// Management (message).
type problem struct {
	Title   string              `json:"title"`
	Detail  string              `json:"detail"`
	Errors  map[string][]string `json:"errors"`
	Message string              `json:"message"`
}

// describe finds in an error's body what a person wants to read.
func describe(reply []byte) (title, detail string) {
	text := strings.TrimSpace(string(reply))
	switch {
	case text == "" || text[0] == '<': // a gateway's page says no more than its status
		return "", ""
	case text[0] == '"' && json.Unmarshal([]byte(text), &detail) == nil:
		return "", detail
	case text[0] == '{' && json.Valid([]byte(text)):
		var p problem
		_ = json.Unmarshal([]byte(text), &p) // a member of another type is left out
		return p.Title, p.detail()
	default:
		return "", text
	}
}

func (p problem) detail() string {
	if p.Detail != "" {
		return p.Detail
	}
	if p.Message != "" {
		return p.Message
	}
	var faults []string
	for _, field := range slices.Sorted(maps.Keys(p.Errors)) {
		faults = append(faults, field+": "+strings.Join(p.Errors[field], " "))
	}
	return strings.Join(faults, "; ")
}

// describeRedirect names the place that was not gone to, without its query.
func describeRedirect(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return "redirect not followed"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return fmt.Sprintf("redirect to %s not followed", u)
}

// parseRetryAfter reads a Retry-After header, seconds or an HTTP date, as the pause
// from now. What is neither, or is past, asks for nothing.
func parseRetryAfter(value string) time.Duration {
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Duration(min(max(seconds, 0), int64(365*24*time.Hour/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
