package testutil

import (
	"bytes"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/altinn-go/events/models"
)

const (
	defaultPageSize = 50
	maxPageSize     = 1000

	contentEvents = "application/cloudevents+json; charset=utf-8"

	appResource = "urn:altinn:resource:app_"
)

// parameter is one pair of a query string.
type parameter struct{ name, value string }

// parameters are the pairs of a request's query string as ASP.NET Core has them:
// names without case, those that repeat together at the place of the first.
type parameters []parameter

func parametersOf(u *url.URL) parameters {
	var all parameters
	var names []string
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		all = append(all, parameter{unescapeQuery(name), unescapeQuery(value)})
		if name := strings.ToLower(all[len(all)-1].name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.SortStableFunc(all, func(a, b parameter) int {
		return slices.Index(names, strings.ToLower(a.name)) - slices.Index(names, strings.ToLower(b.name))
	})
	return all
}

// unescapeQuery decodes what can be decoded and leaves the rest.
func unescapeQuery(text string) string {
	if decoded, err := url.QueryUnescape(text); err == nil {
		return decoded
	}
	return strings.ReplaceAll(text, "+", " ")
}

// all returns the values of a name.
func (p parameters) all(name string) (values []string) {
	for _, pair := range p {
		if strings.EqualFold(pair.name, name) {
			values = append(values, pair.value)
		}
	}
	return values
}

// first returns the first value of a name, or "".
func (p parameters) first(name string) string {
	if values := p.all(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// page answers with entries: the events, and where to go on.
//
// Source: Altinn/altinn-events, AppController.cs and EventsController.cs,
// SetNextLink (2026-08).
func (s *Sink) page(x *exchange, pairs parameters, entries []*entry, extra ...parameter) {
	x.status = http.StatusOK
	x.header.Set("Content-Type", contentEvents)
	encoded := make([][]byte, len(entries))
	for i, e := range entries {
		encoded[i] = encodeCloudEvent(e.Event)
	}
	x.answer = slices.Concat([]byte{'['}, bytes.Join(encoded, []byte{','}), []byte{']'})
	if len(entries) == 0 {
		return
	}
	// Decoded and not encoded again, as the service does.
	var next strings.Builder
	next.WriteString(s.baseURL() + x.request.URL.Path + "?after=" + entries[len(entries)-1].identity.id)
	for _, pair := range slices.Concat(pairs, extra) {
		if !strings.EqualFold(pair.name, "after") {
			next.WriteString("&" + pair.name + "=" + pair.value)
		}
	}
	x.header.Set("Next", headerText(next.String()))
}

// headerText returns text without what no header can hold.
func headerText(text string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return -1
		}
		return c
	}, text)
}

// visible sets what the service's lag hides from a query. Without a row that is old
// enough an app's query hides nothing and any other hides everything.
//
// Source: Altinn/altinn-events, getappevents.sql, getevents.sql (2026-08).
func (s *Sink) visible(q *query, app bool) {
	lag := s.cfg.VisibilityLag
	if lag <= 0 {
		return
	}
	newest := time.Now().Add(-lag)
	if oldest, ok := s.store.oldest(); app && ok && oldest.After(newest) {
		return
	}
	q.newest = newest
}

// like makes a predicate of the patterns of SQL, of which any has to match. Without
// patterns it matches everything.
func like(patterns []string, foldCase bool) func(string) bool {
	var expressions []*regexp.Regexp
	for _, pattern := range patterns {
		if pattern == "" {
			continue
		}
		var b strings.Builder
		b.WriteString("^(?s")
		if foldCase {
			b.WriteByte('i')
		}
		b.WriteByte(')')
		escaped := false
		for _, c := range pattern {
			switch {
			case escaped:
				b.WriteString(regexp.QuoteMeta(string(c)))
				escaped = false
			case c == '\\':
				escaped = true
			case c == '%':
				b.WriteString(".*")
			case c == '_':
				b.WriteByte('.')
			default:
				b.WriteString(regexp.QuoteMeta(string(c)))
			}
		}
		b.WriteByte('$')
		expressions = append(expressions, regexp.MustCompile(b.String()))
	}
	return func(text string) bool {
		return expressions == nil || slices.ContainsFunc(expressions, func(r *regexp.Regexp) bool { return r.MatchString(text) })
	}
}

// The forms of a time that are read, .NET's most common: with a zone, and without.
var (
	zonedTimes = []string{
		time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02 15:04Z07:00", "2006-01-02Z07:00",
	}
	localTimes = []string{
		"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
	}
)

// parseTime reads a time of a query. Without a zone it is zoned false.
func parseTime(text string) (at time.Time, zoned, ok bool) {
	for _, layout := range zonedTimes {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true, true
		}
	}
	for _, layout := range localTimes {
		if at, err := time.Parse(layout, text); err == nil {
			return at, false, true
		}
	}
	return time.Time{}, false, false
}

// notValid is the framework's answer to a parameter that it cannot read.
func (x *exchange) notValid(name, value string) {
	x.invalid(name, "The value '"+value+"' is not valid.")
}

// intParameter reads a number; without one it is missing. It answers what cannot be
// read and reports false.
func (x *exchange) intParameter(pairs parameters, name string, missing int) (n int, ok bool) {
	text := pairs.first(name)
	if text == "" {
		return missing, true
	}
	parsed, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
	if err != nil {
		x.notValid(name, text)
		return 0, false
	}
	return int(parsed), true
}

// readable keeps the entries that the caller may read. The service asks after it
// has counted the page, so a page may be short.
func (s *Sink) readable(consumer string, entries []*entry) []*entry {
	return slices.DeleteFunc(entries, func(e *entry) bool { return !s.mayRead(consumer, extensionText(e.Event, models.ExtResource)) })
}

// mayRead decides whether a consumer may be given events of a resource.
func (s *Sink) mayRead(consumer, resource string) bool {
	return s.policy.permits(consumer, resource, readAction(resource))
}

// readAction is what the policy is asked about events of a resource.
func readAction(resource string) string {
	if strings.HasPrefix(strings.ToLower(resource), appResource) {
		return ActionRead
	}
	return ActionSubscribe
}
