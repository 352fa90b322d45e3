package testutil

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/models"
)

const (
	maxShown         = 3
	maxShownRefusals = 5
)

// reporter writes why an assertion failed. Unless unmask is set, nothing that it
// writes holds an identity number.
type reporter struct {
	strings.Builder

	store  *store
	unmask bool
}

func (s *Sink) reporter() *reporter { return &reporter{store: &s.store, unmask: s.cfg.Unmask} }

// missing reports that no event matches, with the nearest misses.
func (r *reporter) missing(headline string, want Want, stored []*entry) string {
	r.line("%s:", headline)
	r.want(want)
	nearest := make([]comparison, len(stored))
	for i, e := range stored {
		nearest[i] = want.compare(e)
	}
	slices.SortFunc(nearest, closer)
	switch len(stored) {
	case 0:
		r.line("The sink has no events.")
	case 1:
		r.line("The sink has 1 event.")
	default:
		r.line("The sink has %d events.", len(stored))
	}
	for _, c := range nearest[:min(len(nearest), maxShown)] {
		r.line("")
		r.miss(c)
	}
	return r.finish()
}

// ambiguous reports that several events match.
func (r *reporter) ambiguous(want Want, matches []*entry) string {
	r.line("%d events match, want exactly one:", len(matches))
	r.want(want)
	for _, e := range matches[:min(len(matches), maxShown)] {
		r.line("")
		r.event(e)
	}
	if more := len(matches) - maxShown; more > 0 {
		r.line("\nand %d more", more)
	}
	return r.finish()
}

// unwanted reports that an event matches.
func (r *reporter) unwanted(want Want, e *entry) string {
	r.line("An event matches, want none:")
	r.want(want)
	r.line("")
	r.event(e)
	return r.finish()
}

func (r *reporter) line(format string, args ...any) {
	fmt.Fprintf(r, format, args...)
	_ = r.WriteByte('\n')
}

func (r *reporter) want(want Want) {
	empty := want.Match == nil
	for _, a := range want.attributes(event.New()) {
		if a.want != "" {
			r.line("    %s: %s", a.name, r.show(a, a.want))
			empty = false
		}
	}
	if want.Match != nil {
		r.line("    Match: nil")
	}
	if empty {
		r.line("    any event")
	}
}

// miss shows how an event differs from what is wanted.
func (r *reporter) miss(c comparison) {
	r.line("#%d POST %s meets %d of %d (-want +got):", c.entry.seq, c.entry.Endpoint, c.met, c.wanted)
	for _, a := range c.attributes {
		want, got := r.show(a, a.want), r.show(a, a.got)
		switch {
		case a.want == "":
		case a.ok():
			r.line("    %s: %s", a.name, got)
		case want == got:
			r.line("  ! %s: %s (differs in the masked digits)", a.name, got)
		default:
			r.line("  - %s: %s\n  + %s: %s", a.name, want, a.name, got)
		}
	}
	if c.matchErr != nil {
		r.line("  ! Match: %s", r.redact(c.matchErr.Error()))
	}
}

// event shows every attribute of an event.
func (r *reporter) event(e *entry) {
	r.line("#%d POST %s:", e.seq, e.Endpoint)
	for _, a := range (Want{}).attributes(e.Event) {
		if a.got != "" {
			r.line("    %s: %s", a.name, r.show(a, a.got))
		}
	}
}

// finish adds what may explain the failure and returns the report.
func (r *reporter) finish() string {
	refusals, refused, dropped := r.store.trouble()
	if refused > 0 {
		r.line("\nRequests without success, %d, the last:", refused)
	}
	for _, f := range refusals[max(0, len(refusals)-maxShownRefusals):] {
		status := ""
		if f.status != 0 {
			status = fmt.Sprintf(" %d", f.status)
		}
		r.line("    %s %s%s: %s", f.method, f.Endpoint, status, r.redact(f.reason))
	}
	if dropped > 0 {
		r.line("\nThe oldest requests, %d, were dropped: see SinkConfig.MaxEvents.", dropped)
	}
	return strings.TrimSuffix(r.String(), "\n")
}

// show returns a value of the attribute as it may be printed.
func (r *reporter) show(a attribute, value string) string {
	if a.personal && !r.unmask {
		value = models.MaskSubject(value)
	} else {
		value = r.redact(value)
	}
	return strconv.Quote(value)
}

// redact returns text without identity numbers.
func (r *reporter) redact(text string) string {
	if r.unmask {
		return text
	}
	return models.Redact(text)
}
