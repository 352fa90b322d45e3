package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher/outbox"
)

// printer writes answers, as a table or as JSON.
type printer struct {
	out    io.Writer
	json   bool
	unmask bool
}

func (p printer) encode(v any) error { return json.NewEncoder(p.out).Encode(v) }

func (p printer) printStats(s outbox.Stats) error {
	var age time.Duration
	if !s.OldestPending.IsZero() {
		age = time.Since(s.OldestPending).Round(time.Second)
	}
	if p.json {
		return p.encode(map[string]any{
			"pending": s.Pending, "sending": s.Sending, "delivered": s.Delivered, "discarded": s.Discarded,
			"oldestPendingSeconds": age.Seconds(),
		})
	}
	_, err := fmt.Fprintf(p.out, "pending %d  sending %d  delivered %d  discarded %d  oldest pending %v\n",
		s.Pending, s.Sending, s.Delivered, s.Discarded, age)
	return err
}

func (p printer) printCount(what string, n int) error {
	if p.json {
		return p.encode(map[string]int{what: n})
	}
	_, err := fmt.Fprintf(p.out, "%s %d\n", what, n)
	return err
}

// row is an event as JSON shows it.
type row struct {
	Number      int64           `json:"number"`
	Status      string          `json:"status"`
	Since       time.Time       `json:"since"`
	ID          string          `json:"id"`
	Type        string          `json:"type"`
	Source      string          `json:"source"`
	Endpoint    string          `json:"endpoint"`
	PublishedAt time.Time       `json:"publishedAt"`
	Attempts    int             `json:"attempts"`
	NextAttempt *time.Time      `json:"nextAttempt,omitempty"`
	Reason      string          `json:"reason,omitempty"`
	TraceParent string          `json:"traceParent,omitempty"`
	Event       json.RawMessage `json:"event,omitempty"`
}

func (p printer) row(r *outbox.Record) row {
	out := row{
		Number: r.Seq, Status: r.Status.String(), Since: r.Since,
		ID: p.text(r.ID), Type: p.text(r.Type), Source: p.text(r.Source), Endpoint: p.text(r.Endpoint),
		PublishedAt: r.PublishedAt, Attempts: r.Attempt, Reason: p.text(r.Reason), TraceParent: p.text(r.TraceParent),
	}
	if !r.NextAttempt.IsZero() {
		out.NextAttempt = &r.NextAttempt
	}
	return out
}

func (p printer) printList(records []outbox.Record) error {
	if p.json {
		for i := range records {
			if err := p.encode(p.row(&records[i])); err != nil {
				return err
			}
		}
		return nil
	}
	table := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NUMBER\tSINCE\tATTEMPTS\tTYPE\tID\tREASON")
	for i := range records {
		r := p.row(&records[i])
		fmt.Fprintf(table, "%d\t%s\t%d\t%s\t%s\t%s\n", r.Number, r.Since.UTC().Format(time.RFC3339), r.Attempts, r.Type, r.ID, r.Reason)
	}
	return table.Flush()
}

func (p printer) printRecord(record outbox.Record) error {
	r := p.row(&record)
	r.Event = p.event(record.Body)
	if p.json {
		return p.encode(r)
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.out, string(text))
	return err
}

// event returns an encoded event as it may be shown.
func (p printer) event(body []byte) json.RawMessage {
	if p.unmask {
		return body
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return quote("not shown: the stored event is no JSON object")
	}
	shown := make(map[string]json.RawMessage, len(members))
	for name, value := range members {
		var text string
		switch isText := json.Unmarshal(value, &text) == nil; {
		case name == "data" || name == "data_base64":
			value = quote("masked")
		case isText && (name == "subject" || name == models.ExtAlternativeSubject):
			value = quote(models.MaskSubject(text))
		case isText && name != "time":
			value = quote(p.text(text))
		case !isText:
			if masked := p.text(string(value)); masked != string(value) {
				value = quote(masked)
			}
		}
		shown[p.text(name)] = value
	}
	all, err := json.Marshal(shown)
	if err != nil {
		return quote("not shown")
	}
	return bytes.TrimSpace(all)
}

// text masks numbers in what should have none.
func (p printer) text(s string) string {
	if p.unmask {
		return s
	}
	return models.Redact(s)
}

func quote(s string) json.RawMessage {
	text, _ := json.Marshal(s) //nolint:errchkjson // a string always encodes
	return text
}
