package testutil

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/testutil/inspector"
)

const (
	maxRows          = 200 // of one answer
	maxRelatedRows   = 200 // of one event, and of one instance
	maxExplained     = 50  // subscriptions to one event
	maxShownAttempts = 200
)

// inspectRequests is GET requests: rows of what the filter lets through, the newest
// first. With "until" newer ones do not count, so that "offset" means the same row
// each time. "api" is where events are to be posted.
func (s *Sink) inspectRequests(x *exchange) {
	query := x.request.URL.Query()
	filter, err := parseArrivalFilter(query)
	if err != nil {
		x.problem(http.StatusBadRequest, err.Error())
		return
	}
	numbers := map[string]int{"until": 0, "offset": 0, "limit": maxRows}
	for name := range numbers {
		if text := query.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 {
				x.problem(http.StatusBadRequest, name+": want a whole number that is not negative.")
				return
			}
			numbers[name] = n
		}
	}
	arrivals, _ := s.store.arrivals(0)
	until := numbers["until"]
	if until == 0 && len(arrivals) > 0 {
		until = arrivals[len(arrivals)-1].number
	}
	total, filters := 0, s.resourceFilters()
	rows := []arrivalRow{}
	from := numbers["offset"]
	to := from + min(numbers["limit"], maxRows)
	for _, a := range slices.Backward(arrivals) {
		if a.number > until || !filter.matches(a) {
			continue
		}
		if total >= from && total < to {
			rows = append(rows, a.row(filters, s.mask(x.request)))
		}
		total++
	}
	x.json(http.StatusOK, contentJSON, map[string]any{
		"until": until, "total": total, "rows": rows, "api": s.apiURL(x.request),
	})
}

// arrivalDetail is all about a request.
type arrivalDetail struct {
	arrivalRow

	ID         string                `json:"id"`
	Attributes []inspector.Attribute `json:"attributes"`
	Pretty     inspector.Exact       `json:"pretty"` // the event as stored
	Raw        inspector.Exact       `json:"raw"`    // the body as it came
	Bytes      int64                 `json:"bytes"`
	Cut        bool                  `json:"cut,omitempty"` // Raw is the beginning of a body that is too long
	Headers    []inspector.Header    `json:"headers"`
	Curl       string                `json:"curl"`
	Findings   []inspector.Finding   `json:"findings"`
	Explained  []explanation         `json:"explained"`
	More       int                   `json:"more"`   // subscriptions that Explained leaves out
	Masked     bool                  `json:"masked"` // something was

	// The newest of each, and how many there are.
	Arrivals        []arrivalRow   `json:"arrivals"` // of the same event, this one included
	RelatedTotal    int            `json:"relatedTotal"`
	Timeline        []arrivalRow   `json:"timeline"` // of its instance
	InstanceTotal   int            `json:"instanceTotal"`
	Deliveries      []deliveryView `json:"deliveries"` // of the event
	DeliveriesTotal int            `json:"deliveriesTotal"`
}

// explanation is why an event is pushed to a subscription, or not.
type explanation struct {
	Subscription int         `json:"subscription"`
	EndPoint     string      `json:"endPoint"`
	Pushed       bool        `json:"pushed"`
	Criteria     []Criterion `json:"criteria"`
}

func (s *Sink) explain(sub Subscription, e *entry, mask *inspector.Mask) explanation {
	criteria := s.Explain(sub, e.Event)
	for i := range criteria {
		c := &criteria[i]
		if c.Name == "subjectFilter" {
			c.Want, c.Got = mask.Subject(c.Want), mask.Subject(c.Got)
		} else {
			c.Want, c.Got = mask.Text(c.Want), mask.Text(c.Got)
		}
	}
	return explanation{sub.ID, mask.Text(withoutSecrets(sub.EndPoint)), isPushed(criteria), criteria}
}

// isPushed reports whether an event that meets criteria so is pushed.
func isPushed(criteria []Criterion) bool {
	return !slices.ContainsFunc(criteria, func(c Criterion) bool { return !c.OK })
}

// deliveryView is one attempt as the inspector shows it.
type deliveryView struct {
	Push         int        `json:"push"`              // number that the attempts of one push share
	Request      int        `json:"request,omitempty"` // number of the one that the event came by
	Subscription int        `json:"subscription"`
	EndPoint     string     `json:"endPoint"`
	EventID      string     `json:"eventId"`
	Type         string     `json:"type"`
	Validation   bool       `json:"validation,omitempty"`
	Attempt      int        `json:"attempt"`
	Status       int        `json:"status"`
	Error        string     `json:"error,omitempty"`
	HeldBack     bool       `json:"heldBack,omitempty"`
	At           time.Time  `json:"at"`
	TookMS       float64    `json:"tookMs"`
	NextAttempt  *time.Time `json:"nextAttempt,omitempty"`
}

// deliveryViews returns the newest attempts that are wanted, in order, and how many
// there are.
func (s *Sink) deliveryViews(mask *inspector.Mask, wanted func(*Delivery) bool) (views []deliveryView, total int) {
	views = []deliveryView{}
	all := s.pushes.record.attempts()
	for i := len(all) - 1; i >= 0; i-- {
		d := &all[i]
		if !wanted(&d.Delivery) {
			continue
		}
		if total++; total > maxShownAttempts {
			continue
		}
		view := deliveryView{
			Push: d.push, Request: d.request, Subscription: d.Subscription, EndPoint: mask.Text(withoutSecrets(d.Endpoint)), EventID: mask.Text(d.Event.ID()),
			Type: mask.Text(d.Event.Type()), Validation: d.Validation, Attempt: d.Attempt, Status: d.Status,
			Error: mask.Text(d.Error), HeldBack: d.HeldBack, At: d.At.UTC(), TookMS: float64(d.Took) / float64(time.Millisecond),
		}
		if !d.NextAttempt.IsZero() {
			view.NextAttempt = new(d.NextAttempt.UTC())
		}
		views = append(views, view)
	}
	slices.Reverse(views)
	return views, total
}

// inspectRequest is GET requests/{number}.
func (s *Sink) inspectRequest(x *exchange) {
	a, ok := s.requestArrival(x)
	if !ok {
		return
	}
	mask, filters := s.mask(x.request), s.resourceFilters()
	ev := a.Event
	raw := mask.Body(a.Body)
	pretty := inspector.Pretty(raw) // masked before, as white space sets digits apart
	if a.accepted != nil {
		pretty = inspector.Pretty(mask.JSON(encodeCloudEvent(maskSubjects(ev, mask))))
	}
	detail := arrivalDetail{
		arrivalRow: a.row(filters, mask),
		ID:         mask.Text(ev.ID()),
		Attributes: inspector.Attributes(ev, mask),
		Pretty:     pretty,
		Raw:        raw,
		Bytes:      int64(len(a.Body)),
		Cut:        len(a.Body) > maxBodyBytes,
		Headers:    inspector.Headers(a.Header, mask),
		Curl:       inspector.Curl(a.method(), s.apiURL(x.request)+a.path(), a.Header, a.Body, mask),
		Findings:   a.findings(filters),
		Arrivals:   []arrivalRow{}, Timeline: []arrivalRow{}, Deliveries: []deliveryView{}, Explained: []explanation{},
	}
	if detail.Cut {
		detail.Bytes = max(detail.Bytes, a.refused.length)
	}
	if e := a.accepted; e != nil {
		same, instance := s.store.related(e)
		detail.RelatedTotal, detail.InstanceTotal = same.total, instance.total
		for _, other := range same.newest {
			detail.Arrivals = append(detail.Arrivals, other.arrival().row(filters, mask))
		}
		for _, other := range instance.newest {
			detail.Timeline = append(detail.Timeline, other.arrival().row(filters, mask))
		}
		detail.Deliveries, detail.DeliveriesTotal = s.deliveryViews(mask, func(d *Delivery) bool {
			return d.Event.ID() == e.identity.id && d.Event.Source() == e.identity.source
		})
		detail.Explained, detail.More = s.explained(e, mask)
	}
	detail.Masked = mask.Masked
	x.json(http.StatusOK, contentJSON, detail)
}

// explained tells of the subscriptions nearest to an event why it is pushed to them
// or not: those that get it first, then those to its resource, then the others.
func (s *Sink) explained(e *entry, mask *inspector.Mask) (nearest []explanation, more int) {
	resource := extensionText(e.Event, models.ExtResource)
	rank := func(sub Subscription) int {
		switch {
		case sub.ResourceFilter != resource:
			return 2
		case sub.TypeFilter != nil && *sub.TypeFilter != e.Event.Type():
			return 1
		default:
			return 0
		}
	}
	subs := s.subscriptions.list("")
	slices.SortStableFunc(subs, func(a, b Subscription) int { return rank(a) - rank(b) })
	nearest = []explanation{}
	for i := range min(len(subs), maxExplained) {
		nearest = append(nearest, s.explain(subs[i], e, mask))
	}
	slices.SortStableFunc(nearest, func(a, b explanation) int {
		switch {
		case a.Pushed == b.Pushed:
			return 0
		case a.Pushed:
			return -1
		default:
			return 1
		}
	})
	return nearest, len(subs) - len(nearest)
}

// newest are the last of some entries, in order of arrival, and how many there are.
type newest struct {
	newest []*entry
	total  int
}

// newestOf returns the newest entries that are wanted.
func newestOf(entries []*entry, wanted func(*entry) bool) (n newest) {
	for _, e := range slices.Backward(entries) {
		if !wanted(e) {
			continue
		}
		if n.total++; n.total <= maxRelatedRows {
			n.newest = append(n.newest, e)
		}
	}
	slices.Reverse(n.newest)
	return n
}

// related returns the arrivals of the same event, and the events of the same
// instance.
func (s *store) related(e *entry) (same, instance newest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	same = newestOf(s.kept, func(other *entry) bool { return other.identity == e.identity })
	id := extensionText(e.Event, models.ExtResourceInstance)
	if id == "" {
		return same, newest{}
	}
	return same, newestOf(s.indexes.resource[extensionText(e.Event, models.ExtResource)], func(other *entry) bool {
		return extensionText(other.Event, models.ExtResourceInstance) == id
	})
}

// path is where a request was sent to. The query of what is no part of the API may
// be the secret of a webhook, and is left out.
func (a arrival) path() string {
	switch {
	case a.refused == nil:
		return basePath + a.Endpoint
	case !a.refused.isAPI:
		return a.Endpoint
	case a.refused.query == "":
		return basePath + a.Endpoint
	default:
		return basePath + a.Endpoint + "?" + a.refused.query
	}
}

// apiURL is where the Events API is reached, as commands name it: if nothing else is
// known where who asks has reached the inspector, or else where eventsink listens.
func (s *Sink) apiURL(r *http.Request) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.cfg.BaseURL != "":
		return strings.TrimSuffix(s.cfg.BaseURL, "/")
	case s.listener != nil:
		return "http://" + s.listener.Addr().String()
	case r.Context().Value(withoutAPI{}) != nil || r.Host == "":
		return "http://127.0.0.1:5080"
	case r.TLS != nil:
		return "https://" + r.Host
	default:
		return "http://" + r.Host
	}
}

// requestArrival returns the request that the path names, or answers 404.
func (s *Sink) requestArrival(x *exchange) (arrival, bool) {
	number, err := strconv.Atoi(x.request.PathValue("number"))
	if err != nil {
		x.problem(http.StatusNotFound, "A request has a number.")
		return arrival{}, false
	}
	a, ok := s.store.arrival(number)
	if !ok {
		x.problem(http.StatusNotFound, "There is no such request; it may have been deleted, or dropped for newer ones.")
	}
	return a, ok
}

// inspectForget is DELETE requests/{number}.
func (s *Sink) inspectForget(x *exchange) {
	if a, ok := s.requestArrival(x); ok {
		s.store.forget(a)
		x.empty(http.StatusNoContent, "")
	}
}

// inspectForward is POST requests/{number}/forward: the event is posted to a URL
// once, as a webhook would get it.
func (s *Sink) inspectForward(x *exchange) {
	a, ok := s.requestArrival(x)
	if !ok {
		return
	}
	var req struct {
		URL string `json:"url"`
	}
	if !x.decodes(&req) {
		return
	}
	target, err := url.Parse(req.URL)
	switch {
	case err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https":
		x.problem(http.StatusBadRequest, "url: want an absolute http or https URL.")
		return
	case a.accepted == nil:
		x.problem(http.StatusConflict, "The request was refused, so there is no event to forward.")
		return
	}
	ctx, cancel := context.WithTimeout(x.request.Context(), pushTimeout)
	defer cancel()
	defer context.AfterFunc(s.pushes.ctx, cancel)()
	began := time.Now()
	status, err := s.pushes.post(ctx, &pushing{
		endpoint: req.URL, event: a.Event, body: encodeCloudEvent(a.Event),
	}, http.Header{"Content-Type": {contentJSON}})
	answer := map[string]any{"status": status, "tookMs": float64(time.Since(began)) / float64(time.Millisecond)}
	if err != nil {
		answer["error"] = models.Redact(sendError(err))
	}
	x.json(http.StatusOK, contentJSON, answer)
}
