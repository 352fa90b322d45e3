package testutil

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/testutil/inspector"
)

// maxStreamRows is how many rows one message carries; of more, the newest.
const maxStreamRows = 50

// streamMessage tells a page what has changed.
type streamMessage struct {
	Newest   int          `json:"newest"`   // number of the newest request
	Added    int          `json:"added"`    // rows that the filter lets through, since the last message
	Rows     []arrivalRow `json:"rows"`     // the newest of them, the newest first
	Requests int          `json:"requests"` // kept, whatever the filter
	Dropped  int          `json:"dropped"`
	// Cleared changes when requests were taken away.
	Cleared       int         `json:"cleared"`
	Deliveries    int         `json:"deliveries"` // attempts ever
	Subscriptions int         `json:"subscriptions"`
	Changes       int         `json:"changes"` // to subscriptions ever
	Faults        []faultView `json:"faults"`
}

// inspectStream is GET stream: server-sent events, a message for each change and at
// most one each streamInterval, however much arrives. "after" is the number of the
// newest request that the page has.
func (s *Sink) inspectStream(w http.ResponseWriter, r *http.Request) {
	filter, err := parseArrivalFilter(r.URL.Query())
	if err != nil {
		writeProblem(w, http.StatusBadRequest, err.Error())
		return
	}
	last, _ := strconv.Atoi(r.URL.Query().Get("after"))
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // it was for the request
	var before []byte
	written := time.Now()
	ticker := time.NewTicker(streamInterval)
	defer ticker.Stop()
	for {
		message, changed, delivered := s.streamMessage(filter, last, s.mask(r))
		last = message.Newest
		text, err := json.Marshal(message)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		message.Added, message.Rows = 0, nil
		state, _ := json.Marshal(message)
		switch {
		case !bytes.Equal(state, before):
			before, written = state, time.Now()
			_, err = fmt.Fprintf(w, "data: %s\n\n", text)
		case time.Since(written) >= streamHeartbeat:
			written = time.Now()
			_, err = w.Write([]byte(": still here\n\n"))
		}
		if err != nil || control.Flush() != nil {
			return
		}
		// What tells of no change by itself, faults and subscriptions, is looked at
		// once a second.
		wake := time.NewTimer(time.Second)
		select {
		case <-changed:
		case <-delivered:
		case <-wake.C:
		case <-r.Context().Done():
			wake.Stop()
			return
		case <-s.ending:
			wake.Stop()
			return
		}
		wake.Stop()
		select { // the next slot
		case <-ticker.C:
		case <-r.Context().Done():
			return
		case <-s.ending:
			return
		}
	}
}

// streamMessage returns what a page is to know that has everything up to the request
// numbered last, and what tells of changes.
func (s *Sink) streamMessage(filter arrivalFilter, last int, mask *inspector.Mask) (m streamMessage, changed, delivered <-chan struct{}) {
	arrivals, changed := s.store.arrivals(last)
	m.Newest, m.Rows = last, []arrivalRow{}
	if len(arrivals) > 0 {
		m.Newest = arrivals[len(arrivals)-1].number
	}
	newest := []arrival{}
	for _, a := range slices.Backward(arrivals) {
		if !filter.matches(a) {
			continue
		}
		if m.Added++; m.Added <= maxStreamRows {
			newest = append(newest, a)
		}
	}
	if len(newest) > 0 {
		filters := s.resourceFilters()
		for _, a := range newest {
			m.Rows = append(m.Rows, a.row(filters, mask))
		}
	}
	m.Requests, m.Dropped, m.Cleared = s.store.counts()
	m.Deliveries, delivered = s.pushes.record.ever()
	m.Subscriptions, m.Changes = s.subscriptions.counts()
	m.Faults = s.faultViews()
	return m, changed, delivered
}

// faultView is a fault as the inspector shows it.
type faultView struct {
	ID           int     `json:"id"`
	Endpoint     string  `json:"endpoint"`
	Method       string  `json:"method,omitempty"`
	Status       int     `json:"status,omitempty"`
	RetryAfterMS int64   `json:"retryAfterMs,omitempty"`
	DelayMS      int64   `json:"delayMs,omitempty"`
	Hang         bool    `json:"hang,omitempty"`
	Reset        bool    `json:"reset,omitempty"`
	Truncate     bool    `json:"truncate,omitempty"`
	Stored       bool    `json:"stored,omitempty"`
	Times        int     `json:"times,omitempty"` // left
	Rate         float64 `json:"rate,omitempty"`
}

func (s *Sink) faultViews() []faultView {
	views := []faultView{}
	for id, f := range s.faults.injected() {
		views = append(views, faultView{
			ID: id, Endpoint: models.Redact(f.Endpoint), Method: f.Method, Status: f.Status, RetryAfterMS: f.RetryAfter.Milliseconds(),
			DelayMS: f.Delay.Milliseconds(), Hang: f.Hang, Reset: f.Reset, Truncate: f.Truncate, Stored: f.Stored, Times: f.Times,
			Rate: f.Rate,
		})
	}
	return views
}

// inspectFaults is GET faults.
func (s *Sink) inspectFaults(x *exchange) {
	x.json(http.StatusOK, contentJSON, map[string]any{"faults": s.faultViews()})
}

// inspectLift is DELETE faults/{id}.
func (s *Sink) inspectLift(x *exchange) {
	id, err := strconv.Atoi(x.request.PathValue("id"))
	if err != nil || !s.faults.liftOne(id) {
		x.problem(http.StatusNotFound, "There is no such fault; it may be used up.")
		return
	}
	x.empty(http.StatusNoContent, "")
}
