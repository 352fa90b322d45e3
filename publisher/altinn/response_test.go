package altinn_test

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/altinn"
)

var classes = []error{publisher.ErrRejected, publisher.ErrUnauthorized, publisher.ErrUnavailable}

// isOnly reports whether err is want and none of the other classes.
func isOnly(err, want error) bool {
	for _, class := range classes {
		if errors.Is(err, class) != (class == want) { //nolint:errorlint // the sentinels themselves
			return false
		}
	}
	return true
}

func TestResponseError_SaysWhatToDoNext(t *testing.T) {
	t.Parallel()
	want := map[int]error{}
	for _, status := range []int{400, 402, 406, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421, 422, 423, 424, 426, 428, 431, 451, 499} {
		want[status] = publisher.ErrRejected
	}
	for _, status := range []int{401, 403} {
		want[status] = publisher.ErrUnauthorized
	}
	for _, status := range []int{
		300, 301, 302, 303, 304, 307, 308, 404, 405, 408, 409, 425, 429,
		500, 501, 502, 503, 504, 507, 511, 599, 600, 999,
	} {
		want[status] = publisher.ErrUnavailable
	}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		status, _ := strconv.Atoi(string(body))
		w.WriteHeader(status)
	})
	c := s.client(t, altinn.Config{})
	for status, class := range want {
		item := brokerItem
		item.Body = []byte(strconv.Itoa(status))
		err := c.Send(t.Context(), item)
		answered, ok := errors.AsType[*altinn.ResponseError](err)
		if !ok || answered.HTTPStatus() != status || answered.Method != http.MethodPost || answered.Endpoint != "/events" {
			t.Errorf("%d: Send = %#v, want a ResponseError of it", status, err)
			continue
		}
		if !isOnly(err, class) {
			t.Errorf("%d: Send = %v, want it to be %q only", status, err, class)
		}
	}
}

func TestResponseError_TakesAForeignSourceAsRejected(t *testing.T) {
	t.Parallel()
	const foreign = `"ttd/app is not authorized to create events for ` + source
	for body, want := range map[string]error{
		foreign + `"`:                              publisher.ErrRejected,
		"\r\n" + foreign + `" ` + "\n":             publisher.ErrRejected,
		foreign + strings.Repeat("x", 5<<10) + `"`: publisher.ErrRejected,
		foreign + strings.Repeat("x", 65<<10):      publisher.ErrRejected,
		"":                                         publisher.ErrUnauthorized,
		`"refused"`:                                publisher.ErrUnauthorized,
		`"refused`:                                 publisher.ErrUnauthorized,
		`"` + strings.Repeat("x", 5<<10) + `"`:     publisher.ErrUnauthorized,
		`{"title":"Unauthorized"}`:                 publisher.ErrUnauthorized,
		`{"detail":"ttd/app is not authorized to create events for ` + source + `"}`: publisher.ErrUnauthorized,
		foreign[1:]: publisher.ErrUnauthorized,
		"refused":   publisher.ErrUnauthorized,
		"[]":        publisher.ErrUnauthorized,
	} {
		if err := altinn.NewResponseError(http.StatusUnauthorized, nil, []byte(body)); !isOnly(err, want) {
			t.Errorf("401 %.80s = %v, want it to be %q only", body, err, want)
		}
	}
	if err := altinn.NewResponseError(http.StatusForbidden, nil, []byte(foreign+`"`)); !isOnly(err, publisher.ErrUnauthorized) {
		t.Errorf("403 = %v, want ErrUnauthorized only", err)
	}
	s := serve(t, answer(http.StatusUnauthorized, "application/json", foreign+`"`))
	if err := s.client(t, altinn.Config{}).Send(t.Context(), brokerItem); !isOnly(err, publisher.ErrUnauthorized) {
		t.Errorf("401 of POST /events = %v, want ErrUnauthorized only", err)
	}
}

func TestResponseError_Error(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status        int
		body          string
		title, detail string
		want          string
	}{
		"ProblemDetails": {
			400, `{"type":"https://tools.ietf.org/html/rfc7231#section-6.5.1","title":"Bad Request","status":400,` +
				`"detail":"Missing parameter values: source, subject and type cannot be null","traceId":"00-4b54-00"}`,
			"Bad Request", "Missing parameter values: source, subject and type cannot be null",
			"POST /app: 400 Bad Request: Missing parameter values: source, subject and type cannot be null",
		},
		"ValidationProblem": {
			400, `{"title":"One or more validation errors occurred.","errors":{"subject":["is empty.","is not rooted."],` +
				`"RequestBody":["CloudEvent is missing required attributes: id (Parameter 'data')"]}}`,
			"One or more validation errors occurred.",
			"RequestBody: CloudEvent is missing required attributes: id (Parameter 'data'); subject: is empty. is not rooted.",
			"POST /app: 400 Bad Request: RequestBody: CloudEvent is missing required attributes: id (Parameter 'data'); subject: is empty. is not rooted.",
		},
		"TitleOnly":        {500, `{"title":"An error occurred."}`, "An error occurred.", "", "POST /app: 500 Internal Server Error: An error occurred."},
		"TitleOfTheStatus": {500, `{"title":"Internal Server Error"}`, "Internal Server Error", "", "POST /app: 500 Internal Server Error"},
		"GatewayMessage": {
			401, `{"statusCode":401,"message":"Access denied due to missing subscription key."}`,
			"", "Access denied due to missing subscription key.",
			"POST /app: 401 Unauthorized: Access denied due to missing subscription key.",
		},
		"WrongTypes":     {400, `{"title":5,"detail":"the detail","errors":"none"}`, "", "the detail", "POST /app: 400 Bad Request: the detail"},
		"OtherObject":    {400, `{"a":1}`, "", "", "POST /app: 400 Bad Request"},
		"JSONString":     {500, `"Unable to register cloud event."`, "", "Unable to register cloud event.", "POST /app: 500 Internal Server Error: Unable to register cloud event."},
		"PlainText":      {503, "try\r\nlater\t\x1b[31m\x00now", "", "try later [31m now", "POST /app: 503 Service Unavailable: try later [31m now"},
		"MalformedJSON":  {502, `{"title": `, "", `{"title":`, `POST /app: 502 Bad Gateway: {"title":`},
		"BrokenString":   {502, `"busy`, "", `"busy`, `POST /app: 502 Bad Gateway: "busy`},
		"InvalidUTF8":    {502, "b\xffusy", "", "b\ufffdusy", "POST /app: 502 Bad Gateway: b\ufffdusy"},
		"HTML":           {502, "\n<!DOCTYPE html><h1>Bad Gateway</h1>", "", "", "POST /app: 502 Bad Gateway"},
		"Empty":          {403, "", "", "", "POST /app: 403 Forbidden"},
		"UnknownStatus":  {599, "", "", "", "POST /app: 599"},
		"IdentityNumber": {400, "no 16035001577 or 160350 01577\n16035001577", "", "no *********** or ****** ***** ***********", "POST /app: 400 Bad Request: no *********** or ****** ***** ***********"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := altinn.NewResponseError(tc.status, nil, []byte(tc.body))
			if err.Title != tc.title || err.Detail != tc.detail {
				t.Errorf("title and detail = %q, %q, want %q, %q", err.Title, err.Detail, tc.title, tc.detail)
			}
			if got := err.Error(); got != tc.want {
				t.Errorf("Error() = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestResponseError_Redirect(t *testing.T) {
	t.Parallel()
	for location, want := range map[string]string{
		"https://user:hunter2@idp.example/login?code=hunter2#hunter2": "POST /app: 302 Found: redirect to https://idp.example/login not followed",
		"/login":       "POST /app: 302 Found: redirect to /login not followed",
		"http://a b:c": "POST /app: 302 Found: redirect not followed",
		"":             "POST /app: 302 Found",
	} {
		if got := altinn.NewResponseError(http.StatusFound, http.Header{"Location": {location}}, nil).Error(); got != want {
			t.Errorf("Location %s = %q, want %q", location, got, want)
		}
	}
	header := http.Header{"Location": {"/login"}}
	if got, want := altinn.NewResponseError(http.StatusFound, header, []byte("moved")).Error(), "POST /app: 302 Found: moved"; got != want {
		t.Errorf("with a body = %q, want %q", got, want)
	}
	if got, want := altinn.NewResponseError(http.StatusForbidden, header, nil).Error(), "POST /app: 403 Forbidden"; got != want {
		t.Errorf("of no redirect = %q, want %q", got, want)
	}
}

func TestResponseError_IsBounded(t *testing.T) {
	t.Parallel()
	detail := strings.Repeat("æ", 5<<10)
	body, err := json.Marshal(map[string]string{"title": detail, "detail": "begin " + detail})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, answer(http.StatusBadRequest, "application/problem+json", string(body)))
	sent := s.client(t, altinn.Config{}).Send(t.Context(), appItem)
	got, ok := errors.AsType[*altinn.ResponseError](sent)
	if !ok {
		t.Fatalf("Send = %v, want a ResponseError", sent)
	}
	if len(got.Body) > 4<<10 || len(got.Body) < 4000 || !utf8.ValidString(got.Body) {
		t.Errorf("Body has %d bytes, want close to 4 KiB of UTF-8", len(got.Body))
	}
	for _, text := range []string{got.Title, got.Detail} {
		if len(text) > 1<<10 || len(text) < 1000 || !utf8.ValidString(text) {
			t.Errorf("Title or Detail has %d bytes, want close to 1 KiB of UTF-8", len(text))
		}
	}
	if !strings.HasPrefix(got.Detail, "begin æ") {
		t.Errorf("Detail = %.20q, want the decoded one", got.Detail)
	}
}

// Most replies fit into a buffer that is used again; what is longer is read on.
func TestResponseError_HoldsTheWholeReply(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 1<<10 - 1, 1 << 10, 1<<10 + 1, 4 << 10} {
		body := strings.Repeat("x", size)
		s := serve(t, answer(http.StatusBadRequest, "text/plain", body))
		sent := s.client(t, altinn.Config{}).Send(t.Context(), appItem)
		got, ok := errors.AsType[*altinn.ResponseError](sent)
		if !ok || got.Body != body {
			t.Errorf("Send = %.50v, want a ResponseError with the %d bytes of the reply", sent, size)
		}
	}
}

// An identity number must not become unrecognisable by being cut in two.
func TestResponseError_RedactsBeforeItCuts(t *testing.T) {
	t.Parallel()
	broken := altinn.NewResponseError(http.StatusBadRequest, nil, []byte("160350\xff01577"))
	if text := broken.Detail + broken.Body; strings.Contains(text, "16035001577") {
		t.Errorf("a number is mended and shown: %s", text)
	}
	for _, limit := range []int{1 << 10, 4 << 10} {
		err := altinn.NewResponseError(http.StatusBadRequest, nil, []byte(strings.Repeat("x", limit-6)+"16035001577"))
		if strings.Contains(err.Detail+err.Body, "160350") {
			t.Errorf("part of a number at %d bytes is shown", limit)
		}
	}
}

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const year = 365 * 24 * time.Hour
		at := func(d time.Duration) time.Time { return time.Now().Add(d).UTC() }
		for value, want := range map[string]time.Duration{
			"0": 0, "1": time.Second, "120": 2 * time.Minute, "-1": 0,
			strconv.Itoa(math.MaxInt64): year, "99999999999999999999": 0,
			"": 0, "soon": 0, "1.5": 0, "1s": 0, " ": 0,
			at(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
			at(time.Hour).Format(time.RFC850):            time.Hour,
			at(time.Minute).Format(time.ANSIC):           time.Minute,
			at(-time.Hour).Format(http.TimeFormat):       0,
			at(time.Hour).Format(time.RFC3339):           0,
		} {
			if got := altinn.ParseRetryAfter(value); got != want {
				t.Errorf("Retry-After %q = %v, want %v", value, got, want)
			}
		}
	})
}

func TestResponseError_RetryDelay(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503, 401} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
		})
		err := s.client(t, altinn.Config{}).Send(t.Context(), appItem)
		asks, ok := errors.AsType[interface {
			error
			RetryDelay() time.Duration
			HTTPStatus() int
		}](err)
		if !ok || asks.RetryDelay() != 7*time.Second || asks.HTTPStatus() != status {
			t.Errorf("Send = %#v, want a delay of 7s and status %d", err, status)
		}
	}
}

func FuzzResponseError(f *testing.F) {
	f.Add(400, `{"title":"Bad Request","status":400,"detail":"Missing parameter values"}`, "", "")
	f.Add(400, `{"errors":{"a":["b"],"c":[]}}`, "120", "")
	f.Add(401, `"ttd/app is not authorized to create events for `+source+`"`, "", "")
	f.Add(302, "", "Mon, 02 Jan 2006 15:04:05 GMT", "https://a:b@c/d?e#f")
	f.Add(503, "160350\xff01577", "", "")
	f.Add(503, "\xff\u2028plain 16035001577", "-1", "")
	f.Fuzz(func(t *testing.T, status int, body, retryAfter, location string) {
		header := http.Header{"Retry-After": {retryAfter}, "Location": {location}}
		err := altinn.NewResponseError(status, header, []byte(body))
		n := 0
		for _, class := range classes {
			if errors.Is(err, class) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("is %d classes, want 1", n)
		}
		if err.RetryAfter < 0 {
			t.Errorf("RetryAfter = %v", err.RetryAfter)
		}
		if len(err.Body) > 4<<10 || !utf8.ValidString(err.Body) {
			t.Errorf("Body has %d bytes, valid: %t", len(err.Body), utf8.ValidString(err.Body))
		}
		text := err.Error()
		if !utf8.ValidString(text) || len(text) > 1200 || strings.ContainsAny(text, "\r\n\x00\x1b\u0085\u2028\u2029") {
			t.Errorf("Error() = %q", text)
		}
		if strings.Contains(err.Title+err.Detail+err.Body, "16035001577") {
			t.Error("an identity number is shown")
		}
	})
}
