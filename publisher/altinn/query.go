package altinn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
)

const (
	defaultPageSize = 50
	largestPageSize = 1000
)

// Query asks for events, in the order in which the service got them. Which fields are
// set says what is asked:
//
//	Resource                       events of a resource; Subject or AlternativeSubject
//	Org and App                    events of an app, for its owner; Party, Unit or
//	                               Person, From, To
//	one of Party, Unit and Person  events of apps about somebody; Sources, From, To
//
// Types may be given always: compared without case but for those of a resource, and
// with the wildcards % and _.
//
// Source: Altinn/altinn-events, AppController.cs, EventsController.cs (2026-08).
type Query struct {
	Resource           string
	Subject            string
	AlternativeSubject string

	Org, App string

	Party  int    // party id
	Unit   string // organisation number, 9 digits
	Person string // national identity number, 11 digits; sent in a header

	Types   []string
	Sources []string

	// From and To bound the time of events, inclusively; zero does not.
	From, To time.Time

	// After is the id of the event after which to go on: the cursor, which a caller
	// keeps. Empty means from the beginning. So does an id that the service does not
	// know any more: it keeps events for 90 days.
	After string

	// PageSize is how many events a request asks for, 1 to 1000. Defaults to 50.
	PageSize int
}

// ErrCursor means that reading cannot go on: the service would answer the same page
// again, because two sources have used one event id.
var ErrCursor = errors.New("the events of two sources have the same id, so that the service cannot tell where to go on")

// request returns the endpoint, the parameters and the headers of a query.
func (q Query) request() (endpoint string, query url.Values, header http.Header, err error) {
	var faults []models.Fault
	add := func(bad bool, attribute, message string) {
		if bad {
			faults = append(faults, models.Fault{Attribute: attribute, Message: message})
		}
	}
	query, header = url.Values{}, http.Header{}
	set := func(name, value string) {
		if value != "" {
			query.Set(name, value)
		}
	}
	add(q.PageSize < 0 || q.PageSize > largestPageSize, "PageSize", "is not 1 to 1000")
	whose := 0
	for _, given := range []bool{q.Party != 0, q.Unit != "", q.Person != ""} {
		if given {
			whose++
		}
	}
	add(whose > 1, "Party", "excludes Unit and Person")
	add(q.Unit != "" && !isDigits(q.Unit, 9), "Unit", "is not 9 digits")
	add(q.Person != "" && !isDigits(q.Person, 11), "Person", "is not 11 digits")
	switch {
	case q.Resource != "":
		endpoint = "/events"
		add(q.Org+q.App != "" || whose > 0 || len(q.Sources) > 0 || !q.From.IsZero() || !q.To.IsZero(), "Resource", "goes with Subject or AlternativeSubject, Types and After only")
		_, parseErr := models.ParseResource(q.Resource)
		add(parseErr != nil, "Resource", "is no urn:altinn:resource:…")
		add(q.Subject != "" && q.AlternativeSubject != "", "Subject", "excludes AlternativeSubject")
		set("resource", q.Resource)
		set("subject", q.Subject)
		if q.AlternativeSubject != "" {
			header.Set("Altinn-Alternativesubject", q.AlternativeSubject)
		}
	case q.Org != "" || q.App != "":
		endpoint = "/app/" + url.PathEscape(q.Org) + "/" + url.PathEscape(q.App)
		add(q.Org == "" || q.App == "", "App", "and Org go together")
		add(len(q.Sources) > 0, "Sources", "are for the events of one party")
	default:
		endpoint = "/app/party"
		add(whose == 0, "Resource", "is missing, and so are Org and App, Party, Unit and Person: one of them says what is asked")
	}
	add(q.Resource == "" && q.Subject+q.AlternativeSubject != "", "Subject", "and AlternativeSubject go with Resource")
	if q.Party != 0 {
		set("party", strconv.Itoa(q.Party))
	}
	set("unit", q.Unit)
	if q.Person != "" {
		header.Set("Person", q.Person)
	}
	query["type"], query["source"] = q.Types, q.Sources
	for name, at := range map[string]time.Time{"from": q.From, "to": q.To} {
		if !at.IsZero() {
			set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	if len(faults) > 0 {
		return "", nil, nil, &models.ValidationError{What: "query", Faults: faults}
	}
	return endpoint, query, header, nil
}

// isDigits reports whether text is n digits. Check digits are the register's affair.
func isDigits(text string, n int) bool {
	return len(text) == n && strings.Trim(text, "0123456789") == ""
}

// Events reads events page by page, until the service has no more. An error ends
// it: a *models.ValidationError for a query that cannot be meant, ErrCursor, or as
// Send's. To go on later, keep the id of the last event and set Query.After.
//
// The service counts a page before it leaves out what the caller may not read, so a
// page may be short, or empty although there is more: an empty one is asked for again
// in larger sizes, up to 1000.
func (c *Client) Events(ctx context.Context, q Query) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		endpoint, query, header, err := q.request()
		if err != nil {
			yield(event.Event{}, err)
			return
		}
		after, seen := q.After, map[string]bool{}
		for {
			page, err := c.page(ctx, endpoint, query, header, after, q.PageSize)
			if err != nil {
				yield(event.Event{}, err)
				return
			}
			for _, ev := range page {
				if !yield(ev, nil) {
					return
				}
			}
			if len(page) == 0 {
				return
			}
			seen[after] = true
			if after = page[len(page)-1].ID(); seen[after] {
				yield(event.Event{}, fmt.Errorf("GET %s: %w", endpoint, ErrCursor))
				return
			}
		}
	}
}

// page reads one page, larger if it is empty.
func (c *Client) page(ctx context.Context, endpoint string, query url.Values, header http.Header, after string, size int) (page []event.Event, err error) {
	if after == "" {
		after = "0"
	}
	if size == 0 {
		size = defaultPageSize
	}
	query.Set("after", after)
	for {
		query.Set("size", strconv.Itoa(size))
		var raw []json.RawMessage
		if err := c.call(ctx, http.MethodGet, endpoint, query, header, nil, &raw); err != nil {
			return nil, err
		}
		for _, text := range raw {
			var ev event.Event
			if err := json.Unmarshal(text, &ev); err != nil {
				return nil, &callError{text: "GET " + endpoint + ": the page has what is no CloudEvent", class: publisher.ErrUnavailable, cause: err}
			}
			page = append(page, ev)
		}
		if len(page) > 0 || size == largestPageSize {
			return page, nil
		}
		size = min(size*4, largestPageSize)
	}
}

// PollConfig says how often Poll asks when there is nothing new.
type PollConfig struct {
	// MinInterval passes after the first look that found nothing, and doubles with each
	// further one up to MaxInterval. Defaults to 1 s and 1 min.
	MinInterval, MaxInterval time.Duration
}

// Poll is Events that goes on for as long as ctx: when there are no more it waits and
// looks again. After an error, which it yields, it waits too and goes on where it was,
// unless the query cannot be meant or the caller breaks out; who wants to end at an
// error does that.
//
// The service shows events after about 30 s.
func (c *Client) Poll(ctx context.Context, q Query, cfg PollConfig) iter.Seq2[event.Event, error] {
	if cfg.MinInterval <= 0 {
		cfg.MinInterval = time.Second
	}
	if cfg.MaxInterval <= 0 {
		cfg.MaxInterval = time.Minute
	}
	return func(yield func(event.Event, error) bool) {
		pause := cfg.MinInterval
		for ctx.Err() == nil {
			for ev, err := range c.Events(ctx, q) {
				if err != nil && ctx.Err() != nil {
					return
				}
				if !yield(ev, err) {
					return
				}
				if _, invalid := errors.AsType[*models.ValidationError](err); invalid || errors.Is(err, ErrCursor) {
					return
				}
				if err == nil {
					q.After, pause = ev.ID(), cfg.MinInterval
				}
			}
			timer := time.NewTimer(pause)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return
			}
			pause = min(pause*2, cfg.MaxInterval)
		}
	}
}
